"""The prompt on the desk: what was picked from the library, and what its fields hold.

All of it stands in boxes of the page, so that whoever asks has one moment's values; no answer
depends on what the server remembers of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import promptlab as pl

from ..components.text_fields import LONGEST, format_answers, format_fields
from .prompt_view import prompt_source

START = "capitals/capital-of"
MOST_FIELDS = 8
"""So many fields have a box of their own."""
_PARTS = ("description", "context", "input", "cue")
"""In the order in which a template joins them."""


class FieldState(TypedDict):
    """What the boxes in sight do not say of themselves.

    ``names`` are the fields that the boxes hold, in order, ``values`` everything typed for any
    field so far. ``picked`` is the template's name in the library, ``parts`` those of its parts
    that are used, ``answers`` its answers (``label: answer, answer`` a line; empty without any).
    """

    names: list[str]
    values: dict[str, str]
    picked: str
    parts: list[str]
    answers: str


def picked_template(name: str) -> tuple[pl.Template, FieldState]:
    """A template of the library with its example. Raises `InputError` for one that is gone."""
    item = next((item for item in pl.templates() if item.full_name == name), None)
    if item is None:
        raise pl.InputError(f"the library has no template {name!r}; it may have been deleted")
    template = item.template
    values = {field: str(item.example.get(field, "")) for field in template.fields}
    return template, {
        "names": list(template.fields)[:MOST_FIELDS],
        "values": values,
        "picked": name,
        "parts": list(template.parts or ()),
        "answers": _answers(item),
    }


def _answers(item: Any) -> str:
    """Its answers, or the words that its parser takes for labels."""
    if item.answers is not None:
        return format_answers(item.verbalizer)
    choices = (item.parser or {}).get("choices")
    return format_answers(pl.Verbalizer(choices)) if isinstance(choices, dict) else ""


def with_parts(name: str, chosen: Sequence[str]) -> str:
    """The text of an instruction template with the chosen parts alone; it may lack its slot."""
    template = pl.load_template(name)
    parts = template.parts or {}
    separator: str = template.separator
    return separator.join(parts[part] for part in _PARTS if part in parts and part in chosen)


def typed_fields(template: pl.Template, before: FieldState, boxes: Sequence[str]) -> FieldState:
    """What is held for ``template``, everything typed for other fields remembered."""
    names = list(template.fields)
    if len(names) > MOST_FIELDS:
        raise pl.InputError(
            f"the template reads {len(names)} fields and this page has boxes for {MOST_FIELDS}; "
            "use fewer here, or a file with `promptlab predict`"
        )
    values = {**before["values"], **dict(zip(before["names"], boxes, strict=False))}
    for name in names:
        if len(values.get(name, "")) > LONGEST:
            raise pl.InputError(f"the field {name} has more than {LONGEST:,} characters")
    return {**before, "names": names, "values": values}


def arrange_fields(
    picked_now: str, parts: Sequence[str], text: str, held: FieldState, boxes: Sequence[str]
) -> tuple[str, FieldState]:
    """The template's text and what is held, once parts were chosen or something was typed.

    A faulty text leaves the fields as they are: what is wrong is told where the prompt is shown.
    """
    if picked_now and set(parts) != set(held["parts"]):
        text = with_parts(picked_now, parts)
    held = {**held, "picked": picked_now, "parts": list(parts)}
    try:
        return text, typed_fields(prompt_source(text), held, boxes)
    except pl.PromptlabError:
        return text, held


def field_lines(template: str, before: FieldState, boxes: Sequence[str]) -> str:
    """The fields of a template as lines for `forms.read_fields`; none where it is faulty."""
    try:
        parsed = prompt_source(template)
        return format_fields(parsed, typed_fields(parsed, before, boxes)["values"])
    except pl.PromptlabError:
        return ""
