"""What the sections of the failures tab share: components, and how they are filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..drawing import error, note
from ..workbench import Workbench
from . import detail, log, table

ACCEPT, OTHER = "the actual answer is acceptable", "this answer is expected"


@dataclass(frozen=True)
class Misses:
    """Components; their values are one user's own.

    ``filters`` are words, confusion, stand and split (see `log.chosen`), ``group`` the ids of the
    group that is looked at, ``shown`` the id of the failure in the detail.
    """

    bench: Workbench
    study: gr.Dropdown
    filters: Sequence[Any]
    group: gr.State
    shown: gr.State
    summary: gr.HTML
    rows: gr.HTML
    detail: gr.HTML
    correction: Sequence[Any]

    @property
    def question(self) -> list[Any]:
        """The components that say which failures are asked for: the arguments of `asked`."""
        return [self.study, *self.filters, self.group]

    @property
    def one(self) -> list[Any]:
        """The components that show one failure: what `detailed` has values for."""
        return [self.shown, self.detail, *self.correction]

    def asked(self, study: str, *question: Any) -> tuple[Any, list[Any]]:
        """The study's log and the failures that are asked for. Raises `InputError`."""
        found = log.opened(self.bench, study)
        return found, log.chosen(found.failures, *question)

    def listed(self, *values: Any) -> str:
        """The table for the question, the failure shown and the page."""
        *question, shown, page = values
        try:
            return str(table.draw(self.asked(*question)[1], page, shown))
        except pl.PromptlabError as problem:
            return str(_why_not(question[0], problem))

    def detailed(self, study: str, example_id: str) -> list[Any]:
        """One failure and the form that corrects it."""
        try:
            found = log.opened(self.bench, study)
            failure = found.find(example_id)
        except pl.PromptlabError as problem:
            drawn = "" if not example_id else str(error(problem))
            return [example_id, drawn, *form_of(None, [])]
        known = log.labels(found.failures, failure)
        return [example_id, str(detail.draw(failure)), *form_of(failure, known)]


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


def _why_not(study: str, problem: Exception) -> Any:
    return error(problem) if study else note(str(problem))
