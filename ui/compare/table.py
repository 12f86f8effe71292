"""The grid as HTML: heads with intervals, a coloured cell for every prompt and example."""

from __future__ import annotations

from math import exp

import promptlab as pl

from ..components.html import chip, join_markup, share_text, whisker
from ..components.markup import Markup
from ..components.pick_list import page_within, pages_html
from .comparison_sheet import PAGE_ROWS, ColumnHeader, ComparisonSheet

_LONGEST = 400
_NARROW = 4
"""So many columns stand side by side without scrolling."""
SCRIPT = """
const cells = () => [...element.querySelectorAll('button[data-cell]')];
const key = (cell) => cell && cell.dataset.cell;
let focused = null;
element.addEventListener('click', (event) => {
  const cell = event.target.closest('button[data-cell]');
  const page = event.target.closest('button[data-page]');
  if (cell) {
    element.dataset.picked = key(cell);
    cells().forEach((one) => one.setAttribute('aria-pressed', String(one === cell)));
    trigger('click', {});
  } else if (page) {
    element.dataset.turned = page.dataset.page;
    trigger('submit', {});
    element.scrollIntoView({block: 'nearest'});
  }
});
element.addEventListener('focusin', (event) => {
  focused = key(event.target.closest('button[data-cell]'));
});
element.addEventListener('keydown', (event) => {
  const cell = event.target.closest('button[data-cell]');
  const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
  if (!cell || !step[event.key]) return;
  const [down, right] = step[event.key];
  const rows = [...element.querySelectorAll('tr[data-row]')];
  const row = rows.indexOf(cell.closest('tr'));
  const column = [...rows[row].children].indexOf(cell.closest('td'));
  const next = rows[row + down]?.children[column + right]?.querySelector('button[data-cell]');
  if (next) { next.focus(); event.preventDefault(); }
});
watch('value', () => {
  const found = (wanted) => cells().find((one) => key(one) === wanted);
  found(element.dataset.picked)?.setAttribute('aria-pressed', 'true');
  if (focused && document.activeElement === document.body) {
    found(focused)?.focus({preventScroll: true});
  }
});
"""
"""Keeps which cell and which page were chosen; arrows move between cells.

A table that is drawn anew under the keyboard leaves the keyboard on its cell.
"""


def table_html(sheet: ComparisonSheet, keep: str, order: str, page: int) -> Markup:
    """One page of the grid under its heads, counted from 0; the last one for a number beyond."""
    rows = sheet.rows(keep, order)
    page = page_within(max(page, 0), len(rows), PAGE_ROWS)
    shown = rows[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]
    body = join_markup(_row(sheet, row) for row in shown)
    if not shown:
        body = Markup('<tr><td class="pl-compare-none" colspan="{}">{}</td></tr>').format(
            len(sheet.heads) + 1, "No example is like that."
        )
    return Markup(
        '<div class="pl-compare-scroll {}"><table class="pl-compare-table" style="--columns:{}">'
        '<thead><tr><th class="pl-compare-corner">{}</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>{}"
    ).format(
        "pl-compare-narrow" if len(sheet.heads) <= _NARROW else "",
        len(sheet.heads),
        _counts(sheet),
        join_markup(_head(sheet, head) for head in sheet.heads),
        body,
        pages_html(page, len(rows), PAGE_ROWS),
    )


def _counts(sheet: ComparisonSheet) -> Markup:
    kinds = [sheet.agreement(row) for row in range(len(sheet.examples))]
    if len(sheet.heads) < 2:
        return Markup("<span>{}</span>").format("example")
    told = (("split", "disagree"), ("wrong", "wrong everywhere"), ("right", "right everywhere"))
    return Markup("<ul>{}</ul>").format(
        join_markup(
            Markup("<li><b>{}</b> {}</li>").format(kinds.count(k), text) for k, text in told
        )
    )


def _head(sheet: ComparisonSheet, head: ColumnHeader) -> Markup:
    problem = sheet.grid.errors.get(head.letter)
    rows = sheet.grid.columns[head.letter]
    figures = Markup('<span class="pl-compare-wait">{}</span>').format("not yet")
    if problem is not None:
        figures = Markup('<span class="pl-compare-fault">{}</span>').format(str(problem))
    elif rows:
        figures = _figures(rows)
    return Markup(
        '<th scope="col" title="{}"><div class="pl-compare-head"><span class="pl-compare-letter">{}'
        '</span><span class="pl-compare-name"><b>{}</b><small>{}</small></span></div>{}</th>'
    ).format(head.prompt.template, head.letter, head.prompt.short, head.model, figures)


def _figures(rows: pl.Predictions) -> Markup:
    if not rows.answered:
        return Markup('<span class="pl-compare-fault">{}</span>').format(
            f"no answer yet: {rows.errors[0]}"
        )
    found = pl.Evaluation.from_predictions(rows)
    low, high = found.ci95
    between = f"{100 * low:.0f}–{100 * high:.0f}\u00a0%"
    detail = f"accuracy {found.accuracy:.3f}, 95 % interval {low:.3f} to {high:.3f}, "
    detail += found.sample_size_text
    missing = f" · {found.n_missing} unanswered" if found.n_missing else ""
    unparsed = f" · {share_text(found.unparsed_rate)} unparsed" if found.unparsed_rate else ""
    return Markup(
        '<div class="pl-compare-figure"><b>{}</b><small>{}</small></div>{}'
        '<small class="pl-compare-cost">{}<br>{}</small>'
    ).format(
        share_text(found.accuracy),
        between,
        whisker(found.accuracy, low, high, detail),
        cost(found),
        f"{rows.tokens_per_example:.1f} tokens each{unparsed}{missing}",
    )


def cost(found: pl.Evaluation) -> str:
    """What a column took all in all; answers that the model remembered took no time."""
    time = f"{found.seconds:.1f} s" if found.seconds >= 0.05 else "remembered"
    return f"{found.tokens:,} tokens · {time}"


def _row(sheet: ComparisonSheet, row: int) -> Markup:
    example = sheet.examples[row]
    cells = join_markup(_cell(sheet, row, head) for head in sheet.heads)
    return Markup(
        '<tr data-row="{}"><th scope="row"><div class="pl-compare-example"><span '
        'class="pl-compare-text" dir="auto">{}</span>{}</div></th>{}</tr>'
    ).format(row, text_of(sheet, row), chip(str(example.label)), cells)


def text_of(sheet: ComparisonSheet, row: int) -> str:
    """The fields of an example in one text, shortened."""
    fields = sheet.examples[row].fields
    text = " / ".join(str(fields[name]) for name in sheet.task.fields if name in fields)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def cell_verdict(cell: pl.Prediction) -> tuple[str, str, str]:
    """Class, sign and word of a cell: never told by colour alone."""
    if cell.missing:
        return "pl-unparsed", "–", "unanswered"
    if cell.unparsed:
        return "pl-unparsed", "?", "unparsed"
    return ("pl-right", "✓", "right") if cell.correct else ("pl-wrong", "✗", "wrong")


def cell_probability(cell: pl.Prediction) -> float | None:
    """The probability of the predicted label, if it has one."""
    if cell.scores is None or cell.label is None:
        return None
    return exp(cell.scores[cell.label])


def _cell(sheet: ComparisonSheet, row: int, head: ColumnHeader) -> Markup:
    cell = sheet.cell(row, head.letter)
    if cell is None:
        waits = head.letter not in sheet.grid.errors and sheet.state in ("waiting", "running")
        return Markup('<td><span class="pl-compare-blank{}"></span></td>').format(
            " pl-compare-awaited" if waits else ""
        )
    tone, sign, word = cell_verdict(cell)
    share = cell_probability(cell)
    label = cell.label if cell.label is not None else (cell.text or cell.error or "no reply")
    told = "" if share is None else f"{100 * share:.0f}"
    spoken = f"{head.letter}, {word}: {label}" + (f", {told} %" if told else "")
    return Markup(
        '<td><button type="button" class="pl-compare-cell {}" style="--share:{:.2f}" '
        'data-cell="{}:{}" aria-pressed="false" aria-label="{}"><i aria-hidden="true">{}</i>'
        "<span>{}</span><small>{}</small></button></td>"
    ).format(
        tone, 0.6 if share is None else share, row, head.letter, spoken, sign, label[:60], told
    )
