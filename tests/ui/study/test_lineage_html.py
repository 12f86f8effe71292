"""The lineage in the workbench: what was written stands there as words, with its marks."""

from __future__ import annotations

from pathlib import Path

import pytest

import promptlab as pl
from promptlab.study import LineageNode
from promptlab.tuning.instruction_search.word_differences import word_changes
from promptlab.ui.study.run import lineage_html
from promptlab.ui.study.run.lineage_html import lineage_panel

GIVEN = LineageNode(0, "given", "mood", (), "Name it.", (), 0.5, (), None, "given")
CHILD = LineageNode(
    3, "reflection", "mood", (0,), "Name <b>it</b> well.", ("a",), 0.75,
    tuple(word_changes("Name it.", "Name it well.")), None,
    "kept: not told apart from trial 0 (+0.250 on 8, p = 0.4)", True, "merge: nothing to merge",
)  # fmt: skip


def test_a_child_stands_under_its_parent_with_its_diff_and_reason() -> None:
    drawn = str(lineage_html.lineage_html([GIVEN, CHILD]))
    assert drawn.index("trial 0") < drawn.index("trial 3 · 0.750")
    assert "<del>it.</del> <ins>it well.</ins>" in drawn and "reflection from 0" in drawn
    assert "not told apart from trial 0" in drawn and "winner" in drawn
    assert "shows a;" in drawn and "instead of merge" in drawn
    assert drawn.count('class="pl-lineage"') == 2


def test_what_a_model_wrote_is_no_markup() -> None:
    bare = LineageNode(4, "induction", "mood", (), "<script>x</script>", (), None, (), None, "kept")
    assert "&lt;script&gt;" in str(lineage_html.lineage_html([GIVEN, bare]))


def test_it_is_read_once_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def lineage(self: pl.Study) -> tuple[LineageNode, ...]:
        reads.append(self.path)
        return (GIVEN, CHILD)

    monkeypatch.setattr(pl.Study, "lineage", lineage)
    folder = str(tmp_path / "one")
    assert lineage_panel(folder, "1 running") == lineage_panel(folder, "1 running") != ""
    assert len(reads) == 1
    lineage_panel(folder, "2 running")
    assert len(reads) == 2


def test_studies_without_written_instructions_and_damaged_ones(tmp_path: Path) -> None:
    assert "pl-error" in lineage_panel(str(tmp_path / "none"), "1")
