"""The table of the sources of prompts: what each one's winner gains, from decided studies.

``python -m promptlab.studies.source_table runs/source-* --out docs/sources.md``

Every study of ``studies/sources/`` holds one source alone, and all have the same task, splits and
model: dev chooses, test is asked once. Here their winners are compared on test by paired tests with
those of two studies among them: *source-seed* (the one template that sources start from) and
*source-manual* (the best of the library on dev). The table replaces the one that stands between the
two marks of the document; the p-values are corrected over all pairs (Holm 1979).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import promptlab as pl
from promptlab.errors import InputError
from promptlab.study.comparison import StudyComparison, StudyComparisonPair, StudySummary

SEED, MANUAL = "source-seed", "source-manual"
BEGIN, END = "<!-- table of sources: begin -->", "<!-- table of sources: end -->"
_HEAD = (
    "| source | winner | test (95 %) | less seed | less best manual | tokens | minutes |",
    "|---|---|---|---|---|---|---|",
)
_LONGEST = 160
"""Characters of a winner's prompt."""


def source_table(comparison: StudyComparison) -> str:
    """The comparison of sources as a Markdown table, the best on test first.

    Args:
        comparison: Of decided studies, among them the seed's and that of the manual templates.

    Raises:
        InputError: Where one of the two is missing, or a study judged other test examples.
    """
    names = {row.name for row in comparison.studies}
    for needed in (SEED, MANUAL):
        if needed not in names:
            raise InputError(f"the study {needed} is not among {', '.join(sorted(names))}")
    ordered = sorted(comparison.studies, key=lambda row: -row.value)
    return "\n".join([*_HEAD, *(_row(study, comparison.pairs) for study in ordered)])


def _row(study: StudySummary, pairs: Sequence[StudyComparisonPair]) -> str:
    interval = "" if study.low is None else f" ({study.low:.3f} to {study.high:.3f})"
    minutes = "" if study.seconds is None else f"{study.seconds / 60:.1f}"
    cells = [
        study.name.removeprefix("source-"),
        _one_line(study.prompt),
        f"{study.value:.3f}{interval}",
        _difference(study.name, SEED, pairs),
        _difference(study.name, MANUAL, pairs),
        f"{study.tokens:,}",
        minutes,
    ]
    return f"| {' | '.join(cells)} |"


def _difference(name: str, other: str, pairs: Sequence[StudyComparisonPair]) -> str:
    if name == other:
        return ""
    for pair in pairs:
        if {pair.a, pair.b} == {name, other}:
            sign = 1 if pair.a == name else -1
            low, high = sorted(sign * end for end in pair.ci95)
            return (
                f"{sign * pair.difference:+.3f} ({low:+.3f} to {high:+.3f}), "
                f"p = {pair.p_value:.2g}, Holm {pair.p_holm:.2g}"
            )
    raise InputError(f"{name} and {other} were not tested on the same examples")


def _one_line(prompt: str) -> str:
    text = " ⏎ ".join(prompt.split("\n")).replace("|", "\\|")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def replace_table(document: str, table: str) -> str:
    """The document with another table between its marks.

    Raises:
        InputError: For a document without the marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"the document has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main() -> None:
    """Read the arguments, compare, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("studies", type=Path, nargs="+", help="folders of decided studies")
    parser.add_argument("--out", type=Path, help="the document whose table is replaced")
    options = parser.parse_args()
    table = source_table(pl.compare_studies(options.studies))
    if options.out is None:
        print(table)
        return
    document = options.out.read_text(encoding="utf-8")
    options.out.write_text(replace_table(document, table), encoding="utf-8")


if __name__ == "__main__":
    main()
