"""What the sections of the failures tab share: components, and how they are filled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.evaluation import FailureLog

from ..components.html import error, note
from . import detail, failure_query, table

Opened = tuple[str, int]
NOTHING: Opened = ("", 0)
ACCEPT, OTHER = "the actual answer is acceptable", "this answer is expected"


@dataclass(frozen=True)
class FailureComponents:
    """Components; their values are one user's own. Every one of them has one writer that draws.

    ``opened`` is the study that all the others are of and when its log was written
    (`failure_log_stamp`); ``filters`` are words, confusion, stand and split (see
    `filter_failures`); ``card`` is the number of the group that was picked, ``group`` what
    `ids_of` reads; ``page`` and ``shown`` are the page and the failure that were picked;
    ``corrected`` changes with every correction; ``subject`` names
    the failure whose form is filled in (`failure_named`), so that no other can be meant.
    """

    runs: Path
    study: gr.Dropdown
    filters: Sequence[Any]
    by: gr.Radio
    summary: gr.HTML
    cards: gr.HTML
    rows: gr.HTML
    detail: gr.HTML
    correction: Sequence[Any]
    card: gr.Textbox
    page: gr.Number
    shown: gr.Textbox
    subject: gr.Textbox
    opened: gr.State = field(default_factory=lambda: gr.State(NOTHING))
    group: gr.State = field(default_factory=lambda: gr.State(None))
    corrected: gr.State = field(default_factory=lambda: gr.State(0))

    @property
    def question(self) -> list[Any]:
        """The components that say which failures are asked for: the arguments of `asked`."""
        return [self.opened, *self.filters, self.group]

    def asked(self, opened: Opened, *question: Any) -> tuple[FailureLog, list[Any]]:
        """The study's log and the failures that are asked for. Raises `InputError`."""
        words, confusion, stand, split, group = question
        found = failure_query.open_failure_log(self.runs, opened[0])
        ids = ids_of(group, opened)
        return found, failure_query.filter_failures(
            found.failures, words, confusion, stand, split, ids
        )

    def listed(self, opened: Opened, *values: Any) -> str:
        """The table for the question, the failure shown and the page."""
        *question, shown, page = values
        try:
            failures = self.asked(opened, *question)[1]
        except pl.PromptlabError as problem:
            return str(error(problem) if opened[0] else note(str(problem)))
        return str(table.failures_html(failures, int(page or 0), shown))

    def detailed(self, opened: Opened, example_id: str) -> list[Any]:
        """The failure's name, its drawing, and the form that corrects it."""
        if not example_id:
            return ["", "", *form_of(None, [])]
        try:
            found = failure_query.open_failure_log(self.runs, opened[0])
            failure = found.find(example_id)
        except pl.PromptlabError as problem:
            return ["", str(error(problem)), *form_of(None, [])]
        known = failure_query.labels(found.failures, failure)
        name = json.dumps([opened[0], example_id])
        return [name, str(detail.failure_html(failure)), *form_of(failure, known)]


def ids_of(group: tuple[Opened, list[str]] | None, opened: Opened) -> list[str] | None:
    """The failures of the group, unless it is another study's; ``None`` for all."""
    return group[1] if group is not None and group[0] == opened else None


def failure_named(subject: str) -> tuple[str, str]:
    """Study and example of a form. Raises `InputError` for what names none."""
    try:
        study, example_id = json.loads(subject)
    except (ValueError, TypeError) as problem:
        raise pl.InputError("choose a failure first") from problem
    return str(study), str(example_id)


def form_of(failure: Any, known: Sequence[str]) -> list[Any]:
    """Values of the form: its frame, the way, the answer, the note, the way back."""
    if failure is None:
        return [gr.Column(visible=False), OTHER, gr.Dropdown(choices=[], value=None), "",
                gr.Button(visible=False)]  # fmt: skip
    said = failure.correction
    answer = said.expected if said and said.expected is not None else failure.expected
    choices = list(dict.fromkeys([*known, *([answer] if answer else [])]))
    return [
        gr.Column(visible=True),
        ACCEPT if said and said.accept else OTHER,
        gr.Dropdown(choices=choices, value=answer),
        said.note if said else "",
        gr.Button(visible=said is not None),
    ]
