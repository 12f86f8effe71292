"""A labelled file of one's own: its columns by their names or their values, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.ui.components.uploads import (
    SEVERAL,
    read_labelled,
    upload_columns,
    uploaded_file,
    uploaded_name,
)
from promptlab.ui.context import AppContext

Kept = Callable[[str, str], str]


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    (tmp_path / "runs").mkdir()
    return AppContext(("tiny",), tmp_path / "runs")


@pytest.fixture
def kept(context: AppContext, tmp_path: Path) -> Kept:
    def keep(name: str, content: str) -> str:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return uploaded_name(context.keep_upload, tmp_path / name)

    return keep


def rows(*columns: str, last: int = 2) -> str:
    lines = [",".join(f"{name} {row}" for name in columns[:-1]) for row in range(24)]
    return "\n".join([",".join(columns), *(f"{line},{n % last}" for n, line in enumerate(lines))])


def test_columns_are_known_by_their_names(context: AppContext, kept: Kept) -> None:
    found = upload_columns(context.policy, kept("a.csv", rows("id", "review", "stars")))
    assert (found.text, found.label, found.several) == ("review", "stars", ())
    pairs = kept("b.csv", rows("premise", "hypothesis", "label"))
    found = upload_columns(context.policy, pairs)
    assert (found.text, found.label) == (SEVERAL, "label")
    assert found.choices[0] == ("all of premise, hypothesis", SEVERAL)
    assert read_labelled(context.policy, pairs, SEVERAL, "label").fields == (
        "premise",
        "hypothesis",
    )


def test_columns_are_known_by_their_values(context: AppContext, kept: Kept) -> None:
    lines = [{"n": n, "نص": f"جملة طويلة إلى حد ما {n}", "فئة": "ab"[n % 2]} for n in range(24)]
    name = kept("ملف.jsonl", "\n".join(json.dumps(line) for line in lines))
    found = upload_columns(context.policy, name)
    assert (found.text, found.label) == ("نص", "فئة")
    told = read_labelled(context.policy, name, found.text, found.label)
    assert (told.rows, told.smallest, told.counts) == (24, 12, (("a", 12), ("b", 12)))
    assert str(told) == "ملف.jsonl: 24 rows of text; labels a (12), b (12)"


def test_what_is_wrong_is_told_by_the_files_own_name(context: AppContext, kept: Kept) -> None:
    torn = kept("torn.jsonl", '{"text": "a"\n')
    with pytest.raises(pl.InputError, match=r"^torn\.jsonl"):
        upload_columns(context.policy, torn)
    empty = kept("empty.csv", "")
    with pytest.raises(pl.InputError, match=r"^empty\.csv"):
        upload_columns(context.policy, empty)
    open_ended = kept("open.csv", rows("text", "label", last=24))
    with pytest.raises(pl.InputError, match=r"^open\.csv: most rows have a label of their own"):
        read_labelled(context.policy, open_ended, "text", "label")
    with pytest.raises(pl.InputError, match=r"^open\.csv has no column 'x'"):
        read_labelled(context.policy, open_ended, "x", "label")
    for name in ("", "../runs", "/etc/passwd", "open.csv", "\0"):
        with pytest.raises(pl.InputError, match="upload"):
            uploaded_file(context.policy, name)
