"""The four columns: prompt, input, actual and expected answer, a row a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..components.html import chip, join_markup, note
from ..components.markup import Markup
from ..components.pick_list import page_within, pages_html

SIZE = 20
"""Rows of one page."""
_LONGEST = 400
"""Characters of a cell; the whole text is in the detail."""


def failures_html(failures: Sequence[Any], page: int = 0, shown: str = "") -> Markup:
    """One page of the table; the row of ``shown`` is marked."""
    if not failures:
        return note("No failure is like that. Take a filter away to see others.")
    page = page_within(page, len(failures), SIZE)
    rows = join_markup(
        _row(one, one.example_id == shown) for one in failures[page * SIZE : (page + 1) * SIZE]
    )
    return Markup(
        '<div class="pl-misses-frame"><table class="pl-misses" data-shows="failure-shown">'
        "<thead><tr><th>Prompt</th><th>Input</th><th>Actual</th><th>Expected</th></tr></thead>"
        "<tbody>{}</tbody></table></div>{}"
    ).format(rows, pages_html(page, len(failures), SIZE))


def failures_summary(failures: Sequence[Any]) -> Markup:
    """How many there are, how they failed, how many are corrected."""
    kinds = Counter(one.kind for one in failures)
    corrected = sum(one.correction is not None for one in failures)
    facts = [
        (len(failures), "failures"),
        (kinds["wrong"], "wrong answers"),
        (kinds["unparsed"], "not readable"),
        (kinds["error"], "no reply"),
        (corrected, "corrected"),
    ]
    cells = join_markup(
        Markup("<div><b>{}</b><span>{}</span></div>").format(count, name)
        for count, name in facts
        if count or name in ("failures", "corrected")
    )
    return Markup('<div class="pl-tally">{}</div>').format(cells)


def actual_answer(failure: Any) -> Markup:
    """What came back."""
    if failure.kind == "error":
        return chip("no reply", "pl-bad") + _cut(failure.error or "")
    if failure.kind == "unparsed":
        return chip("not readable", "pl-bad") + _cut(failure.reply or failure.actual or "")
    return chip(_short(failure.actual or "nothing"), "pl-bad")


def expected_answer(failure: Any) -> Markup:
    """What should have come, and what a person says about that."""
    said = failure.correction
    first = chip(_short(failure.expected or "nothing"), "" if said else "pl-good")
    if said is None:
        return first
    what = "accepted" if said.accept else said.expected
    struck = Markup("<del>{}</del> ").format(first)
    return struck + chip(_short(what or ""), "pl-good") + (_cut(said.note) if said.note else "")


def _row(failure: Any, shown: bool) -> Markup:
    fields = join_markup(
        Markup("<p><i>{}</i> <bdi>{}</bdi></p>").format(name, _short(value))
        for name, value in failure.fields.items()
    )
    return Markup(
        '<tr data-pick="{}" aria-current="{}">'
        '<td data-name="Prompt"><button type="button" dir="auto" title="Show {}">{}</button></td>'
        '<td data-name="Input"><div>{}</div></td><td data-name="Actual">{}</td>'
        '<td data-name="Expected">{}</td></tr>'
    ).format(
        failure.example_id,
        "true" if shown else "false",
        failure.example_id,
        _short(failure.prompt),
        fields,
        actual_answer(failure),
        expected_answer(failure),
    )


def _cut(text: str) -> Markup:
    return Markup("<small>{}</small>").format(_short(text))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
