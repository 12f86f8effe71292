"""Paired tests between columns: one pair in words, all pairs as a matrix."""

from __future__ import annotations

import promptlab as pl
from promptlab.predictors import PairedTest, paired_tests

from ..components.html import join_markup, note
from ..components.markup import Markup
from .comparison_sheet import ComparisonSheet

WAITING = "Two filled columns are needed for a paired test."


def paired_test_sentence(test: PairedTest) -> str:
    """The test as a sentence, with the interval of the difference."""
    low, high = (format_points(end) for end in test.ci95)
    return (
        f"{test} The difference in accuracy is {format_points(test.difference)} points "
        f"(95 % interval {low} to {high}; n = {test.n})."
    )


def format_points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "\u2212") if round(share, 4) else "0.0"


def paired_test_html(sheet: ComparisonSheet, first: str, second: str) -> Markup:
    """Two columns in words, with their four counts. Raises `InputError`."""
    a, b = sheet.head(first).letter, sheet.head(second).letter
    if a == b:
        raise pl.InputError("choose two different columns")
    columns = sheet.complete()
    for letter in (a, b):
        if letter not in columns:
            raise pl.InputError(f"column {letter} is not filled to the end")
    (test,) = paired_tests({a: columns[a], b: columns[b]})
    both = sum(x and y for x, y in zip(columns[a].correct, columns[b].correct, strict=True))
    neither = test.n - both - test.only_a - test.only_b
    return Markup(
        '<p class="pl-compare-sentence {}">{}</p>'
        '<table class="pl-compare-counts"><tr><td></td><th scope="col">{b} right</th>'
        '<th scope="col">{b} wrong</th></tr><tr><th scope="row">{a} right</th><td>{}</td>'
        '<td class="pl-apart">{}</td></tr><tr><th scope="row">{a} wrong</th>'
        '<td class="pl-apart">{}</td><td>{}</td></tr></table>'
    ).format(
        "pl-compare-apart" if test.distinguishable else "",
        paired_test_sentence(test),
        both,
        test.only_a,
        test.only_b,
        neither,
        a=a,
        b=b,
    )


def paired_matrix_html(sheet: ComparisonSheet) -> Markup:
    """Every pair of filled columns, p-values corrected by Holm over all of them."""
    columns = sheet.complete()
    if len(columns) < 2:
        return note(WAITING)
    tests = {frozenset((test.a, test.b)): test for test in paired_tests(columns)}
    rows = join_markup(
        Markup('<tr><th scope="row" title="{}">{}</th>{}</tr>').format(
            sheet.head(row).name,
            row,
            join_markup(_pair(tests.get(frozenset((row, column))), row) for column in columns),
        )
        for row in columns
    )
    heads = join_markup(Markup('<th scope="col">{}</th>').format(letter) for letter in columns)
    return Markup(
        '<h4 class="pl-compare-pairs-title">All pairs</h4>'
        '<div class="pl-compare-scroll"><table class="pl-compare-matrix"><thead><tr><td></td>{}'
        "</tr></thead><tbody>{}</tbody></table></div>{}"
    ).format(
        heads,
        rows,
        note(
            f"Row against column: difference in points, then the exact McNemar p-value, "
            f"corrected by Holm over {len(tests)} pair{'s' if len(tests) > 1 else ''}. Coloured: "
            "distinguishable (p ≤ .05). Dev examples only."
        ),
    )


def _pair(test: PairedTest | None, row: str) -> Markup:
    if test is None:
        return Markup('<td class="pl-compare-same">–</td>')
    difference = test.difference if test.a == row else -test.difference
    tone = ""
    if test.distinguishable:
        tone = "pl-right" if difference > 0 else "pl-wrong"
    p = "p < .001" if test.p_holm < 0.001 else f"p = {test.p_holm:.3f}".replace(" 0.", " .")
    p = p.replace("1.000", "1")
    return Markup('<td class="{}" title="{}"><b>{}</b><small>{}</small></td>').format(
        tone, str(test), format_points(difference), p
    )
