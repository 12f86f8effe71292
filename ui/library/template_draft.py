"""A template being written: the editor's boxes, read as an entry of the library and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

import promptlab as pl
from promptlab.study import dump_yaml, parse_yaml

from ..components.html import error, join_markup, note
from ..components.markup import Markup
from ..components.text_fields import LONGEST, read_fields
from .template_view import example_fields, parsing_facts, rendered_html

TEXT, PARTS = "one text", "named parts"
PART_NAMES = ("description", "context", "input", "cue")
_WIDTH = 96
_SETTINGS = ("separator", "demonstration_separator", "chat", "answers", "aggregation", "parser")


@dataclass(frozen=True)
class TemplateDraft:
    """The values of the editor's boxes, in their order."""

    task: str = ""
    name: str = ""
    form: str = TEXT
    text: str = ""
    description: str = ""
    context: str = ""
    input: str = ""
    cue: str = ""
    settings: str = ""
    example: str = ""
    source: str = ""
    note: str = ""

    @property
    def full_name(self) -> str:
        """``task/name`` as written."""
        return f"{(self.task or '').strip()}/{self.name.strip()}"

    def values(self) -> tuple[str, ...]:
        """One value a box."""
        return astuple(self)

    def entry(self) -> dict[str, Any]:
        """The entry of the library's YAML. Raises `InputError` naming the box."""
        for box in fields(self):
            if len(getattr(self, box.name) or "") > LONGEST:
                raise pl.InputError(f"{box.name}: at most {LONGEST:,} characters")
        entry = _settings(self.settings)
        if self.form == PARTS:
            parts = {name: getattr(self, name) for name in PART_NAMES}
            entry["parts"] = {name: text for name, text in parts.items() if text}
        else:
            entry["text"] = self.text
        entry["example"] = read_fields(self.example) or None
        entry["source"] = self.source.strip() or None
        entry["note"] = self.note.strip() or None
        return entry


def copy_template(item: Any) -> TemplateDraft:
    """A copy of a template under a name that is free, which says where it is from."""
    source = f"after {item.full_name}: {item.source}"
    return replace(template_draft(item), name=_free_name(item), source=source)


def template_draft(item: Any) -> TemplateDraft:
    """A template in the editor's boxes."""
    entry: dict[str, Any] = pl.TemplateLibrary().entry(item.full_name)
    parts: Mapping[str, str] = entry.get("parts") or {}
    settings = {key: entry[key] for key in _SETTINGS if key in entry}
    return TemplateDraft(
        task=item.task,
        name=item.name,
        form=PARTS if parts else TEXT,
        text=entry.get("text", ""),
        **{name: parts.get(name, "") for name in PART_NAMES},
        settings=_written(settings),
        example=example_fields(item.template, item.example),
        source=item.source,
        note=item.note,
    )


def starting_draft() -> TemplateDraft:
    """A template to begin with."""
    return TemplateDraft(
        task="sentiment",
        text="{text} It was {mask}.",
        settings="answers:\n  negative: [terrible]\n  positive: [great]\n",
        example="text = an hour of loud , empty spectacle .\nlabel = negative",
        source="own wording",
    )


def check_draft(draft: TemplateDraft, replacing: TemplateDraft | None) -> Any:
    """The template as it would be saved. Raises `InputError`."""
    same = replacing is not None and draft.full_name == replacing.full_name
    return pl.TemplateLibrary().check(draft.full_name, draft.entry(), replace=same)


def draft_html(draft: TemplateDraft, replacing: TemplateDraft | None) -> Markup:
    """What is wrong with it, or how it looks with its example."""
    try:
        item = check_draft(draft, replacing)
    except pl.PromptlabError as problem:
        return Markup('<div class="pl-draft">{}</div>').format(error(problem))
    rows = join_markup(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in parsing_facts(item))
    fields_read = ", ".join(item.template.fields) or "no field"
    told = note(f"A {item.template.shape} template that reads {fields_read}. It can be saved.")
    return Markup('<div class="pl-draft pl-fine">{}{}<dl class="pl-facts">{}</dl></div>').format(
        told, rendered_html(item.template, item.example), rows
    )


def _settings(text: str) -> dict[str, Any]:
    """The box of YAML as keys of an entry. Raises `InputError`."""
    document, _ = parse_yaml(text, "answers and settings")
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise pl.InputError(
            "answers and settings: expected keys with values, such as answers: {good: [fine]}"
        )
    for key in document:
        if key not in _SETTINGS:
            raise pl.InputError(
                f"answers and settings: {str(key)[:60]!r} does not belong here; there may be "
                f"{', '.join(_SETTINGS)}"
            )
    return document


def _written(settings: Mapping[str, Any]) -> str:
    """Keys of an entry as the box shows them."""
    if not settings:
        return ""
    return dump_yaml(settings)


def _free_name(item: Any) -> str:
    taken = {other.name for other in pl.templates(item.task)}
    names = (f"{item.name}-own{number if number > 1 else ''}" for number in range(1, 1000))
    return next(name for name in names if name not in taken)
