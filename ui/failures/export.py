"""Failures as files: for fine-tuning, for the next study, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import promptlab as pl
from promptlab.batch import csv_text
from promptlab.security import json_lines

FORMS = {
    "sft": ("Fine-tuning dialogues", "dialogues.jsonl"),
    "suite": ("Regression suite", "suite.jsonl"),
    "csv": ("Spreadsheet (CSV)", "failures.csv"),
}
"""Title of the button and end of the file's name."""


def export_failures(form: str, failures: Sequence[Any], source: str) -> str:
    """The text of a file. Raises `InputError` when nothing would be in it."""
    if form == "csv":
        text = failure_rows(failures)
    elif form == "suite":
        text = _lines(
            record for one in failures if (record := one.regression_record(source)) is not None
        )
    else:
        text = _lines(record for one in failures for record in one.fine_tuning_records())
    if not text:
        raise pl.InputError(
            "none of these failures has an answer that is wanted; correct some by hand first"
        )
    return text


def failure_rows(failures: Sequence[Any]) -> str:
    """CSV with a column for each field; no cell can be run as a formula."""
    names = list(dict.fromkeys(name for one in failures for name in one.fields))
    head = ["id", "split", "prompt", *(f"input: {name}" for name in names), "actual", "expected",
            "corrected", "accepted", "note", "kind", "reply", "error"]  # fmt: skip
    rows = []
    for one in failures:
        said = one.correction
        rows.append([one.example_id, one.split, one.prompt, *(one.fields.get(n, "") for n in names),
               one.actual, one.expected, said.expected if said else "",
               "yes" if said and said.accept else "", said.note if said else "", one.kind,
               one.reply, one.error])  # fmt: skip
    return csv_text(head, rows)


def _lines(records: Iterable[Mapping[str, Any]]) -> str:
    return json_lines(records)
