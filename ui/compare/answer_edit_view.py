"""What other answers or another calibration change: figures, confusion, examples, in HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import promptlab as pl
from promptlab.predictors import paired_tests
from promptlab.study import dump_yaml

from ..components.html import join_markup, note, share_text, whisker
from ..components.markup import Markup
from .comparison_sheet import ComparisonSheet
from .paired_tests import format_points, paired_test_sentence
from .prompts import ListedPrompt
from .table import cell_verdict, text_of

_SHOWN = 8


def answer_edit_html(
    sheet: ComparisonSheet, base: pl.Predictions, edited: pl.Predictions, letter: str
) -> Markup:
    """The edited column beside the unedited one."""
    own, edits = letter, f"{letter}, edited,"
    (test,) = paired_tests({edits: edited, own: base})
    told = paired_test_sentence(test)
    if not test.only_a + test.only_b:
        told = (
            f"The edit changes no right answer into a wrong one, nor the other way (n = {test.n})."
        )
    return Markup(
        '<div class="pl-compare-edit"><div class="pl-compare-figures">{}{}</div>'
        '<p class="pl-compare-sentence {}">{}</p><div class="pl-compare-two">{}{}</div></div>'
    ).format(
        _figure("Edited", edited, base),
        _figure("Unedited", base, None),
        "pl-compare-apart" if test.distinguishable else "",
        told,
        _confusion(edited, sheet.task.labels),
        _changes(sheet, base, edited),
    )


def _figure(title: str, rows: pl.Predictions, against: pl.Predictions | None) -> Markup:
    found = pl.Evaluation.from_predictions(rows)
    low, high = found.ci95
    moved = Markup("")
    if against is not None:
        gain = found.accuracy - pl.Evaluation.from_predictions(against).accuracy
        tone = "pl-up" if gain > 0 else "pl-down" if gain < 0 else ""
        told = f"{format_points(gain)} points" if gain else "as before"
        moved = Markup('<em class="{}">{}</em>').format(tone, told)
    return Markup(
        '<div class="pl-compare-big"><span>{}</span><b>{}</b>{}<small>{}</small>{}</div>'
    ).format(
        title,
        share_text(found.accuracy),
        moved,
        f"95 % interval {100 * low:.1f}–{100 * high:.1f}\u00a0%",
        whisker(found.accuracy, low, high, f"{low:.3f} to {high:.3f}, {found.sample_size_text}"),
    )


def _confusion(rows: pl.Predictions, labels: Sequence[str]) -> Markup:
    """Expected against predicted, the edited column's."""
    names = list(labels) or sorted({str(row.target) for row in rows})
    counts = Counter((str(row.target), str(row.label)) for row in rows)
    totals = Counter(str(row.target) for row in rows)

    def cell(target: str, label: str) -> Markup:
        share = counts[target, label] / totals[target] if totals[target] else 0.0
        tone = "pl-right" if target == label else "pl-wrong"
        return Markup('<td class="{}" style="--share:{:.2f}">{}</td>').format(
            tone, share, counts[target, label]
        )

    heads = join_markup(Markup('<th scope="col">{}</th>').format(name) for name in names)
    body = join_markup(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            t, join_markup(cell(t, p) for p in names)
        )
        for t in names
    )
    return Markup(
        '<section><h4>Confusion</h4><div class="pl-compare-scroll">'
        '<table class="pl-compare-confusion"><thead><tr><td>expected ↓ predicted →</td>{}</tr>'
        "</thead><tbody>{}</tbody></table></div></section>"
    ).format(heads, body)


def _changes(sheet: ComparisonSheet, base: pl.Predictions, edited: pl.Predictions) -> Markup:
    """Examples whose label is another one now."""
    rows = [r for r, (a, b) in enumerate(zip(base, edited, strict=True)) if a.label != b.label]
    broken = [row for row in rows if base[row].correct]
    mended = [row for row in rows if edited[row].correct]
    listed = (broken[: _SHOWN // 2] + mended[:_SHOWN])[:_SHOWN]
    items = join_markup(_change(sheet, row, base[row], edited[row]) for row in listed)
    left = len(rows) - len(listed)
    return Markup("<section><h4>{}</h4><ul class='pl-compare-changes'>{}</ul>{}</section>").format(
        f"Changed labels: {len(rows)} ({len(mended)} mended, {len(broken)} broken)",
        items,
        note(f"and {left} more") if left > 0 else "",
    )


def _change(
    sheet: ComparisonSheet, row: int, before: pl.Prediction, after: pl.Prediction
) -> Markup:
    def said(cell: pl.Prediction) -> Markup:
        tone, sign, _ = cell_verdict(cell)
        return Markup('<span class="pl-compare-said {}">{} {}</span>').format(
            tone, sign, str(cell.label)
        )

    return Markup("<li>{} → {}<span>{}</span></li>").format(
        said(before), said(after), text_of(sheet, row)
    )


def as_yaml(prompt: ListedPrompt, answers: dict[str, list[str]], calibration: str) -> str:
    """The edited prompt as an entry of a task's file in the template library."""
    entry = {
        "name": f"{prompt.name.replace(', edited', '').replace(' ', '-')}-edited",
        "text": prompt.template,
        "answers": answers,
        "source": "own wording: answers edited in the workbench, chosen on dev",
    }
    told: str = dump_yaml([entry], width=95)
    return f"# calibration: {calibration}\n{told}"
