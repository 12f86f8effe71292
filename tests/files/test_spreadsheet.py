"""What a spreadsheet would run becomes text; all else stays what it is."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path
from typing import Any

import pytest

from promptlab.batch import csv_text, spreadsheet_safe
from promptlab.batch.output import Format, RowWriter
from promptlab.study.decision.leaderboard import leaderboard_csv
from promptlab.study.learning_curve.cells import CellResult
from promptlab.study.learning_curve.result import curve_table

ROOT = Path(__file__).parents[2]


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
        '"=1+1',
        "\u201c=1+1",
        "\x00=1",
        " \x1b=1",
        "\u202e=1",
        "\U000e0041=1",
    ],
)
def test_what_would_be_run_is_text(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"


@pytest.mark.parametrize(
    "value",
    ["", "plain", "a=b", "a film .", "-1", "+1.5", " -.5e-3 ", "-3%", "'=1", -1, 2.5, None, True,
     [1, "=1"]],
)  # fmt: skip
def test_all_else_stays(value: Any) -> None:
    assert spreadsheet_safe(value) is value


def test_a_table_holds_no_formula_and_numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-canary-0123456789")
    rows = [["=1+1", -1, 0.5, None, True], ["a\x1b[2J,b", "-2", "sk-canary-0123456789", "", "é"]]
    text = csv_text(["=x", "n", "share", "none", "flag"], rows)
    assert list(csv.reader(io.StringIO(text))) == [
        ["'=x", "n", "share", "none", "flag"],
        ["'=1+1", "-1", "0.5", "", "True"],
        ["a\\x1b[2J,b", "-2", "***", "", "é"],
    ]


@pytest.mark.parametrize("folder", ["promptlab", "ui"])
def test_nobody_else_writes_csv(folder: str) -> None:
    """A further writer of CSV must take cells that a spreadsheet would run as text, too."""
    writing = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if name in ("DictWriter", "to_csv") or (
                isinstance(node, ast.Attribute)
                and name == "writer"
                and getattr(node.value, "id", "") == "csv"
            ):
                writing.add(path.relative_to(ROOT).as_posix())
    known = {"promptlab/files/spreadsheet.py", "promptlab/batch/output.py"}
    assert writing == (known if folder == "promptlab" else set())


def test_a_leaderboard_is_no_formula() -> None:
    dev = {"accuracy": 0.5, "ci95": [0.25, 0.75], "n": 4, "n_missing": 0}
    row = {"number": 0, "state": "complete", "kind": "template", "name": '=HYPERLINK("http://x")',
           "dev": dev, "p_vs_best": None, "prompt": "@SUM(1) {mask}", "seconds": 1.5}  # fmt: skip
    found = next(csv.DictReader(io.StringIO(leaderboard_csv([row, row]))))
    assert (found["name"], found["prompt"]) == ('\'=HYPERLINK("http://x")', "'@SUM(1) {mask}")
    assert (found["low"], found["n"], found["seconds"]) == ("0.25", "4", "1.5")


def test_a_curve_s_table_is_no_formula() -> None:
    fields = dict.fromkeys(CellResult.__dataclass_fields__) | {"method": "=1+1", "reason": "@x"}
    found = next(csv.DictReader(io.StringIO(curve_table([CellResult(**fields)]))))
    assert (found["method"], found["reason"]) == ("'=1+1", "'@x")


def test_what_a_model_wrote_is_no_formula_in_any_file(tmp_path: Path) -> None:
    with RowWriter(path := tmp_path / "x.csv", Format.csv) as output:
        output.start(["text", "prediction"], ["prediction"])
        output.write([{"text": "=1", "prediction": "=2\x1b"}, {"text": "-1", "prediction": "-3.5"}])
        output.commit()
    with path.open(newline="") as stream:
        assert list(csv.reader(stream))[1:] == [["=1", "'=2\\x1b"], ["-1", "-3.5"]]
    assert output.made_text == 1
