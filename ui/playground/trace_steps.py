"""One step of a trace in full: its prompt, the reply in the place of the slot, small facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..components.html import error, join_markup
from ..components.markup import Markup

_SLOT = "{mask}"
_MOST_CHARS = 20_000
_PREVIEW = 140
_HIDDEN = ("label", "error")
"""Notes that have a place of their own."""


def step_html(step: Any) -> Markup:
    """The prompt with the reply where its slot was, and the small facts of the step."""
    notes = step_facts(step)
    parts = [error(step.notes["error"])] if step.notes.get("error") else []
    if step.prompt:
        parts.append(exchange_html(_cut(step.prompt), _cut(step.reply)))
    elif step.reply:
        parts.append(
            Markup('<pre class="pl-prompt pl-exchange"><ins>{}</ins></pre>').format(
                _cut(step.reply)
            )
        )
    if notes:
        parts.append(Markup('<p class="pl-step-notes">{}</p>').format(notes_html(notes)))
    return join_markup(parts)


def step_facts(step: Any, *without: str) -> dict[str, Any]:
    """A step's notes but for those that have a place of their own."""
    return {name: v for name, v in step.notes.items() if name not in (*_HIDDEN, *without)}


def exchange_html(prompt: str, reply: str) -> Markup:
    """One text as the model saw and wrote it: the reply stands, marked, in the slot's place."""
    left, slot, right = prompt.rpartition(_SLOT)
    if not slot:
        left, right = prompt, ""
    written = (
        Markup("<ins>{}</ins>").format(reply) if reply else Markup("<mark>{}</mark>").format(_SLOT)
    )
    gap = Markup("") if not reply or not left or left[-1:].isspace() or reply[:1].isspace() else " "
    return Markup('<pre class="pl-prompt pl-exchange">{}{}{}{}</pre>').format(
        left, gap, written, right
    )


def notes_html(notes: Mapping[str, Any]) -> str:
    """Notes in a line."""
    return " · ".join(
        f"{name.replace('_', ' ')}: {shorten(value)}" for name, value in notes.items()
    )


def shorten(value: Any) -> str:
    """A value in few characters."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shorten(one) for one in value)
    return str(value)


def preview_text(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _PREVIEW else line[: _PREVIEW - 1] + "…"


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARS:
        return text
    half = _MOST_CHARS // 2
    left_out = len(text) - _MOST_CHARS
    return f"{text[:half]}\n… {left_out:,} characters are left out here …\n{text[-half:]}"
