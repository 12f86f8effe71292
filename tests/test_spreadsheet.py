"""What a spreadsheet would run becomes text; all else stays what it is."""

from __future__ import annotations

from typing import Any

import pytest

import promptlab as pl


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+cmd|' /C calc'!A0",
        "-2+3+cmd",
        "@SUM(1+1)",
        "  =1+1",
        "\u00a0=1+1",
        "\ufeff=1+1",
        "\u200b=1+1",
        "\t=1",
        "\tplain",
        "\rplain",
        "\n=1",
        "-",
        "- a point",
        "+1 (555) 010",
        "\uff1d1+1",
        "-1-1",
        "=1",
    ],
)
def test_what_would_be_run_is_text(text: str) -> None:
    assert pl.spreadsheet_safe(text) == f"'{text}"


@pytest.mark.parametrize(
    "value",
    ["", "plain", "a=b", "a film .", "-1", "+1.5", " -.5e-3 ", "-3%", "'=1", -1, 2.5, None, True,
     [1, "=1"]],
)  # fmt: skip
def test_all_else_stays(value: Any) -> None:
    assert pl.spreadsheet_safe(value) is value
