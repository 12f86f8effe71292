"""The endpoint ``compare``: a grid in one call."""

from __future__ import annotations

from functools import partial
from typing import Any

import promptlab as pl

from ..components.errors import api_endpoint
from ..components.listeners import MODEL_QUEUE
from ..context import AppContext
from .comparison_sheet import ComparisonSheet, make_sheet, open_comparison_task
from .export import sheet_record
from .prompts import ListedPrompt, from_library, list_prompt


def compare(sheet: ComparisonSheet) -> dict[str, Any]:
    """Run a sheet to its end: its columns, its rows, and the paired tests of all pairs."""
    for _ in sheet.grid.run():
        pass
    return sheet_record(sheet)


def add_compare_endpoint(context: AppContext) -> None:
    """Offer the endpoint."""

    def compared(
        data: str,
        prompts: list[str],
        models: list[str] | None = None,
        examples: int = 24,
        answers: str = "",
        calibration: str = "none",
        demonstrations: int = 0,
    ) -> dict[str, Any]:
        """Prompts × models over the first dev examples of a pinned data set.

        A prompt is a template's full name (``sentiment/it-was``) or a template's text, for which
        ``answers`` (``label: answer, answer`` a line) are given. Returns ``columns`` with
        accuracy, 95 % interval and predicted labels, ``examples``, and ``pairs``: exact McNemar
        tests with Holm's correction.
        """
        loads = {name: partial(context.load_model, name) for name in models or context.models[:1]}
        task = open_comparison_task(data, None, count=examples)
        chosen = [_prompt(name, answers, calibration, demonstrations) for name in prompts]
        return compare(make_sheet(task, examples, chosen, loads))

    api_endpoint(compared, "compare", **MODEL_QUEUE)


def _prompt(name: str, answers: str, calibration: str, demonstrations: int) -> ListedPrompt:
    known = {item.full_name: item for item in pl.templates()}
    if name not in known:
        return list_prompt("", name, answers, calibration, demonstrations)
    item = known[name]
    if not answers.strip():
        return from_library(item, calibration, demonstrations)
    return list_prompt(name, item.template.source, answers, calibration, demonstrations)
