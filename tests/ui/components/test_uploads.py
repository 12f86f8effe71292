"""A labelled file of one's own: its columns by their names or their values, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.ui.components.uploads import SEVERAL, columns_of, kept_file, kept_name, labelled
from promptlab.ui.context import Workbench

Kept = Callable[[str, str], str]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    (tmp_path / "runs").mkdir()
    return Workbench(("tiny",), tmp_path / "runs")


@pytest.fixture
def kept(bench: Workbench, tmp_path: Path) -> Kept:
    def keep(name: str, content: str) -> str:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return kept_name(bench, tmp_path / name)

    return keep


def rows(*columns: str, last: int = 2) -> str:
    lines = [",".join(f"{name} {row}" for name in columns[:-1]) for row in range(24)]
    return "\n".join([",".join(columns), *(f"{line},{n % last}" for n, line in enumerate(lines))])


def test_columns_are_known_by_their_names(bench: Workbench, kept: Kept) -> None:
    found = columns_of(bench, kept("a.csv", rows("id", "review", "stars")))
    assert (found.text, found.label, found.several) == ("review", "stars", ())
    pairs = kept("b.csv", rows("premise", "hypothesis", "label"))
    found = columns_of(bench, pairs)
    assert (found.text, found.label) == (SEVERAL, "label")
    assert found.choices[0] == ("all of premise, hypothesis", SEVERAL)
    assert labelled(bench, pairs, SEVERAL, "label").fields == ("premise", "hypothesis")


def test_columns_are_known_by_their_values(bench: Workbench, kept: Kept) -> None:
    lines = [{"n": n, "نص": f"جملة طويلة إلى حد ما {n}", "فئة": "ab"[n % 2]} for n in range(24)]
    name = kept("ملف.jsonl", "\n".join(json.dumps(line) for line in lines))
    found = columns_of(bench, name)
    assert (found.text, found.label) == ("نص", "فئة")
    told = labelled(bench, name, found.text, found.label)
    assert (told.rows, told.smallest, told.counts) == (24, 12, (("a", 12), ("b", 12)))
    assert str(told) == "ملف.jsonl: 24 rows of text; labels a (12), b (12)"


def test_what_is_wrong_is_told_by_the_files_own_name(bench: Workbench, kept: Kept) -> None:
    torn = kept("torn.jsonl", '{"text": "a"\n')
    with pytest.raises(pl.InputError, match=r"^torn\.jsonl"):
        columns_of(bench, torn)
    empty = kept("empty.csv", "")
    with pytest.raises(pl.InputError, match=r"^empty\.csv"):
        columns_of(bench, empty)
    open_ended = kept("open.csv", rows("text", "label", last=24))
    with pytest.raises(pl.InputError, match=r"^open\.csv: most rows have a label of their own"):
        labelled(bench, open_ended, "text", "label")
    with pytest.raises(pl.InputError, match=r"^open\.csv has no column 'x'"):
        labelled(bench, open_ended, "x", "label")
    for name in ("", "../runs", "/etc/passwd", "open.csv", "\0"):
        with pytest.raises(pl.InputError, match="upload"):
            kept_file(bench, name)
