"""One cell of the grid: its whole prompt, what was expected, and how likely each label is."""

from __future__ import annotations

from math import exp
from typing import Any

import promptlab as pl

from ..components.html import bar, chip, join_markup, note, prompt_text, share_text, slot_position
from ..components.markup import Markup
from ..playground.trace_html import trace_html
from .comparison_sheet import ComparisonSheet
from .table import cell_verdict

HINT = "Choose a cell to see its prompt and probabilities."
_LONGEST = 20_000
_DIGITS = 9


def read_cell(sheet: ComparisonSheet, place: object) -> tuple[int, str]:
    """Row and letter of ``row:letter``. Raises `InputError` for what is no filled cell."""
    row, _, letter = str(place).partition(":")
    if not row.isdecimal() or len(row) > _DIGITS or letter not in sheet.grid.columns:
        raise pl.InputError("choose a cell")
    if sheet.cell(int(row), letter) is None:
        raise pl.InputError("this cell has no prediction yet")
    return int(row), letter


def cell_html(sheet: ComparisonSheet, row: int, letter: str) -> Markup:
    """The cell's card."""
    cell, head = sheet.cell(row, letter), sheet.head(letter)
    assert cell is not None
    tone, sign, word = cell_verdict(cell)
    said = cell.label if cell.label is not None else "no label"
    return Markup(
        '<section class="pl-card pl-compare-detail" aria-live="polite"><h3><span>'
        '<span class="pl-compare-letter">{}</span> {}</span><small>{}</small></h3>'
        '<p class="pl-compare-verdict {}">{} {}: <b>{}</b>{}</p>{}{}{}{}</section>'
    ).format(
        letter,
        head.prompt.short,
        head.model,
        tone,
        sign,
        word,
        said,
        "" if cell.correct else Markup(", expected <b>{}</b>").format(str(cell.target)),
        _bars(cell),
        _reply(cell),
        _prompt(sheet, row, letter),
        _facts(cell),
    )


def _bars(cell: pl.Prediction) -> Markup:
    if cell.scores is None:
        return Markup("")
    return join_markup(
        bar(
            label,
            exp(nats),
            share_text(exp(nats)),
            detail=f"log-probability {nats:.3f} nats",
            strong=label == cell.label,
        )
        for label, nats in cell.scores.items()
    )


def _reply(cell: pl.Prediction) -> Markup:
    if cell.error is not None:
        return note(f"No answer: {cell.error}")
    if cell.text is None:
        return Markup("")
    return Markup('<h4>Reply</h4><pre class="pl-prompt">{}</pre>').format(cell.text[:_LONGEST])


def _prompt(sheet: ComparisonSheet, row: int, letter: str) -> Markup:
    predictor: Any = sheet.grid.predictors[letter]
    example = sheet.examples[row]
    predictor.prepare([example])
    prompt = predictor.render_prompt(example)
    shortened = ""
    if prompt.shortened:
        shortened = f"Shortened to fit the model's window: {', '.join(prompt.shortened)}."
    return Markup("<h4>Prompt</h4>{}{}").format(
        prompt_text(str(prompt), slot_position(prompt)), note(shortened) if shortened else ""
    )


def _facts(cell: pl.Prediction) -> Markup:
    facts = [
        f"{cell.tokens_in} prompt tokens",
        f"{cell.tokens_out} answer tokens",
        f"{1000 * cell.seconds:.0f} ms",
        f"example {cell.example_id}",
    ]
    trace = Markup("")
    if isinstance(cell.trace, dict) and cell.trace.get("steps"):
        trace = Markup('<h4>Steps</h4><div class="pl-compare-steps">{}</div>').format(
            trace_html(cell.trace)
        )
    return Markup('<p class="pl-compare-facts">{}</p>{}').format(
        join_markup(chip(fact) for fact in facts), trace
    )
