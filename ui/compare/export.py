"""A grid as a file: every cell for a spreadsheet or a program, or a summary to be sent on."""

from __future__ import annotations

from typing import Any

import promptlab as pl
from promptlab.batch import csv_text
from promptlab.predictors import paired_tests as run_paired_tests
from promptlab.security import json_text

from . import paired_tests
from .comparison_sheet import ColumnHeader, ComparisonSheet
from .table import cell_probability, cell_verdict, cost, text_of

FORMS = {
    "csv": ("Save as CSV", "grid.csv"),
    "json": ("Save as JSON", "grid.json"),
    "summary": ("Summary in Markdown", "comparison.md"),
}
"""Title of the button and the file's name."""
_MOST_SPLIT = 20
_SHOWN = 160


def export_sheet(form: str, sheet: ComparisonSheet | None) -> str:
    """The text of a file. Raises `InputError` where no cell is filled yet."""
    if sheet is None or not any(sheet.grid.columns.values()):
        raise pl.InputError("there is nothing to save yet: run the grid first")
    if form == "csv":
        return sheet_rows(sheet)
    if form == "json":
        return json_text(sheet_record(sheet, cells=True), indent=1) + "\n"
    return sheet_summary(sheet)


def sheet_rows(sheet: ComparisonSheet) -> str:
    """CSV: a row an example, three columns a column; no cell can be run as a formula."""
    fields = list(sheet.task.fields)
    head = ["id", *(f"input: {name}" for name in fields), "expected", "agreement"]
    for one in sheet.heads:
        head += [one.name, f"{one.letter} verdict", f"{one.letter} probability"]
    rows = []
    for row, example in enumerate(sheet.examples):
        texts = [example.fields.get(name, "") for name in fields]
        cells = [example.id, *texts, example.label, sheet.agreement(row)]
        for one in sheet.heads:
            cells += _three(sheet.cell(row, one.letter))
        rows.append(cells)
    return csv_text(head, rows)


def _three(cell: pl.Prediction | None) -> list[Any]:
    if cell is None:
        return ["", "", ""]
    said = cell.label if cell.label is not None else cell.text or cell.error
    share = cell_probability(cell)
    return [said, cell_verdict(cell)[2], "" if share is None else round(share, 4)]


def sheet_record(sheet: ComparisonSheet, *, cells: bool = False) -> dict[str, Any]:
    """The grid as plain data: its columns, its rows, and the paired tests of all pairs.

    With ``cells``, each column has its predictions: label, scores in nats, reply, tokens, seconds.
    """
    complete = sheet.complete()
    tests = run_paired_tests(complete) if len(complete) > 1 else []
    return {
        "about": sheet.about,
        "state": sheet.state,
        "examples": [
            {"id": e.id, "fields": dict(e.fields), "label": e.label} for e in sheet.examples
        ],
        "columns": [_column(sheet, head, cells) for head in sheet.heads],
        "pairs": [
            {
                **vars(test),
                "ci95": list(test.ci95),
                "words": paired_tests.paired_test_sentence(test),
            }
            for test in tests
        ],
    }


def _column(sheet: ComparisonSheet, head: ColumnHeader, cells: bool) -> dict[str, Any]:
    rows, problem = sheet.grid.columns[head.letter], sheet.grid.errors.get(head.letter)
    found = pl.Evaluation.from_predictions(rows) if rows.answered else None
    told: dict[str, Any] = {
        "column": head.letter,
        "prompt": head.prompt.short,
        "template": head.prompt.template,
        "answers": head.prompt.answers,
        "calibration": head.prompt.calibration,
        "demonstrations": head.prompt.demonstrations,
        "model": head.model,
        "error": None if problem is None else str(problem),
        "n": len(rows.answered),
        "n_missing": rows.n_missing,
        "accuracy": found and found.accuracy,
        "ci95": found and list(found.ci95),
        "unparsed_rate": found and found.unparsed_rate,
        "tokens": found and found.tokens,
        "seconds": found and found.seconds,
        "tokens_per_example": found and rows.tokens_per_example,
        "labels": rows.labels,
    }
    return told | ({"cells": [_cell(row) for row in rows]} if cells else {})


def _cell(row: pl.Prediction) -> dict[str, Any]:
    return {
        "label": row.label,
        "verdict": cell_verdict(row)[2],
        "scores": row.scores,
        "reply": row.text,
        "error": row.error,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "seconds": row.seconds,
    }


def sheet_summary(sheet: ComparisonSheet) -> str:
    """Markdown: what was compared, what came out with intervals, tests and costs, and where."""
    done = len(sheet.examples)
    parts = [
        "# Prompts compared",
        f"{_plain(sheet.about)}; {len(sheet.heads)} columns. Dev examples only: these figures "
        "choose a prompt, they do not promise how it does on test.",
        _results(sheet, done),
        *(_fenced(head) for head in sheet.heads),
    ]
    complete = sheet.complete()
    if len(complete) > 1:
        told = [
            f"- {_plain(paired_tests.paired_test_sentence(test))}"
            for test in run_paired_tests(complete)
        ]
        corrected = f" (Holm over {len(told)} pairs)" if len(told) > 1 else ""
        parts.append("\n".join([f"## Paired tests{corrected}", "", *told]))
        parts.append(_disagreements(sheet))
    return "\n\n".join(parts) + "\n"


def _results(sheet: ComparisonSheet, done: int) -> str:
    lines = ["| | prompt | model | accuracy | 95 % interval | cost |", "|---|---|---|---|---|---|"]
    for head in sheet.heads:
        rows, problem = sheet.grid.columns[head.letter], sheet.grid.errors.get(head.letter)
        told = ["–", "–", "–"] if problem is None else ["–", "–", _plain(str(problem))]
        if rows.answered and problem is None:
            found = pl.Evaluation.from_predictions(rows)
            low, high = found.ci95
            part = "" if len(rows.answered) == done else f" (of {len(rows.answered)})"
            told = [f"{found.accuracy:.1%}{part}", f"{low:.1%} to {high:.1%}", cost(found)]
        lines.append(_line([head.letter, head.prompt.short, head.model], told))
    return "\n".join(lines)


def _fenced(head: ColumnHeader) -> str:
    """A column's template and answers as they are, whatever backticks they hold."""
    text = f"{head.prompt.template}\n\n{head.prompt.answers}".strip()
    fence = "`" * 3
    while fence in text:
        fence += "`"
    return f"**{head.letter}**\n\n{fence}\n{text}\n{fence}"


def _disagreements(sheet: ComparisonSheet) -> str:
    rows = sheet.rows("split", "data")
    lines = [f"## Disagreements: {len(rows)} of {len(sheet.examples)}"]
    if rows:
        letters = " | ".join(head.letter for head in sheet.heads)
        lines += ["", f"| example | expected | {letters} |"]
        lines.append("|---|---|" + "---|" * len(sheet.heads))
    for row in rows[:_MOST_SPLIT]:
        cells = [sheet.cell(row, head.letter) for head in sheet.heads]
        said = [
            f"{cell_verdict(cell)[1]} {_three(cell)[0] or ''}" if cell else "" for cell in cells
        ]
        text = text_of(sheet, row)
        short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        lines.append(_line([short, str(sheet.examples[row].label), *said], []))
    if len(rows) > _MOST_SPLIT:
        lines += ["", f"and {len(rows) - _MOST_SPLIT} more"]
    return "\n".join(lines)


def _line(texts: list[str], ready: list[str]) -> str:
    return "| " + " | ".join([*(_plain(text) for text in texts), *ready]) + " |"


def _plain(text: str) -> str:
    """A text of anybody's as text in Markdown: no markup, no HTML, one line."""
    line = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in r"\`*_[]<>|#&!~" else sign for sign in line)
