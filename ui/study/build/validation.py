"""Whether a study's text can be run: complaints by line, as a list that leads to the lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import promptlab as pl
from promptlab.study import Estimate
from promptlab.study import StudyPolicy
from promptlab.errors import ValidationIssue
from promptlab.study import validate_study

from ...components.html import join_markup, note
from ...components.markup import Markup
from ...context import AppContext

_KEPT = 8
_MOST_SHOWN = 12
SOURCE = "study.yaml"
TO_LINE = """
element.addEventListener("click", (event) => {
  const row = event.target.closest("[data-line]");
  const content = document.querySelector("#study-yaml .cm-content");
  const tile = content && (content.cmTile || content.cmView);
  const view = tile && (tile.view || (tile.rootView && tile.rootView.view) ||
    (tile.root && tile.root.view));
  if (!row || !view) return;
  const number = Math.min(Number(row.dataset.line), view.state.doc.lines);
  const line = view.state.doc.line(number);
  view.dispatch({selection: {anchor: line.from, head: line.to}, scrollIntoView: true});
  view.focus();
});
"""
"""Selects the line of a complaint in the editor."""


@lru_cache(maxsize=_KEPT)
def _opened(asked: str) -> pl.Task:
    options: dict[str, Any] = json.loads(asked)
    task: pl.Task = pl.load_task(options.pop("name"), **options)
    return task


def open_task(**options: Any) -> pl.Task:
    """`load_task`, the last few tasks kept: they never change, uploads go by their content."""
    return _opened(json.dumps(options, sort_keys=True))


def parse_study_text(policy: StudyPolicy, text: str) -> Any:
    """The study of a text, under the app's policy. Raises `InputError`."""
    return pl.load_spec(text, source=SOURCE, policy=policy)


def estimate_study_text(context: AppContext, text: str) -> Estimate:
    """What the study of a text will cost with its own model. Raises `PromptlabError`."""
    spec = parse_study_text(context.policy, text)
    model = context.load_model(spec.model.name, spec.model.device, spec.model.dtype)
    found: Estimate = pl.estimate_study(spec, model, load=open_task)
    return found


def validate_study_text(policy: StudyPolicy, text: str) -> list[ValidationIssue]:
    """Everything that is wrong with a text, by its lines."""
    found: list[ValidationIssue] = validate_study(text, SOURCE, policy=policy, load=open_task)
    return sorted(found, key=lambda one: one.line or 0)


def issues_html(complaints: Sequence[ValidationIssue]) -> Markup:
    """A row a complaint, leading to its line; or that there are none."""
    if not complaints:
        return Markup('<p class="pl-build-valid" role="status">Valid: it can be started.</p>')
    rows = [_row(one) for one in complaints[:_MOST_SHOWN]]
    left = len(complaints) - _MOST_SHOWN
    number = "1 thing" if len(complaints) == 1 else f"{len(complaints)} things"
    return Markup(
        '<div class="pl-build-wrong" role="alert"><p>{} to mend</p><ol>{}</ol>{}</div>'
    ).format(number, join_markup(rows), note(f"and {left} more") if left > 0 else "")


def _row(one: ValidationIssue) -> Markup:
    told, _, shown = one.text.partition("\n")
    more = Markup("<pre>{}</pre>").format(shown) if shown else Markup("")
    if one.line is None:
        return Markup("<li><span>{}</span>{}</li>").format(told, more)
    return Markup(
        '<li><button type="button" data-line="{}"><b>line {}</b><span>{}</span></button>{}</li>'
    ).format(one.line, one.line, told, more)
