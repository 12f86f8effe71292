"""The table of sources: differences have the source's sign, and what is missing is told."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.studies.source_table import BEGIN, END, replace_table, source_table
from promptlab.study.comparison import StudyComparison, StudyComparisonPair, StudySummary


def study(name: str, value: float) -> StudySummary:
    rest: dict[str, Any] = {"low": value - 0.05, "high": value + 0.05, "n": 100, "trials": 3}
    return StudySummary(
        name, "2026-01-01", "sst2", "sst2", "tiny", "accuracy", "w", "template", "a\nb | c", value,
        tokens=1_200, seconds=90.0, tested="x", **rest,
    )  # fmt: skip


def pair(a: str, b: str, difference: float) -> StudyComparisonPair:
    ends = (difference - 0.02, difference + 0.04)
    return StudyComparisonPair(
        a, b, "accuracy", "mcnemar_exact", 0.01, 0.03, difference, ends, 100, 9
    )


def test_differences_are_those_of_the_source() -> None:
    studies = (study("source-seed", 0.8), study("source-manual", 0.82), study("source-mined", 0.85))
    pairs = (
        pair("source-seed", "source-manual", -0.02),
        pair("source-mined", "source-seed", 0.05),
        pair("source-manual", "source-mined", -0.03),
    )
    lines = source_table(StudyComparison(studies, pairs)).split("\n")[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| mined", "| manual", "| seed"]
    cells = lines[0].split(" | ")
    assert cells[1] == "a ⏎ b \\| c" and cells[5:] == ["1,200", "1.5 |"]
    assert cells[3].startswith("+0.050 (+0.030 to +0.090), p = 0.01, Holm 0.03")
    assert cells[4].startswith("+0.030 (-0.010 to +0.050)")
    assert lines[2].split(" | ")[3] == ""


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(InputError, match="source-manual is not among source-seed"):
        source_table(StudyComparison((study("source-seed", 0.8),), ()))
    both = (study("source-seed", 0.8), study("source-manual", 0.8))
    with pytest.raises(InputError, match="not tested on the same examples"):
        source_table(StudyComparison(both, ()))


def test_the_table_stands_between_its_marks() -> None:
    document = f"# Sources\n{BEGIN}\nold\n{END}\nAfter.\n"
    assert replace_table(document, "new") == f"# Sources\n{BEGIN}\nnew\n{END}\nAfter.\n"
    with pytest.raises(InputError, match="has no lines"):
        replace_table("# Sources\n", "new")
