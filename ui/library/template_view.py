"""One template in full: rendered, how its answer is read, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import promptlab as pl
from promptlab.library import tasks

from ..components.html import chip, error, join_markup, note, prompt_text, slot_position
from ..components.markup import Markup
from ..components.text_fields import read_fields


def find_template(name: str) -> Any:
    """The template of a full name. Raises `InputError`."""
    found = next((item for item in pl.templates() if item.full_name == name), None)
    if found is None:
        raise pl.InputError(f"the library has no template {name!r}")
    return found


def template_header(item: Any) -> Markup:
    """Its name, what it is for, and whose it is."""
    task = next(task for task in tasks() if task.name == item.task)
    chips = [chip(item.template.shape), chip(f"scored by {task.metric}")]
    if item.is_own:
        chips.insert(0, chip("yours", "pl-good"))
    if item.template.chat:
        chips.append(chip("chat"))
    return Markup(
        '<div class="pl-leaf-head"><h2><span>{}/</span>{}</h2><div>{}</div>{}</div>'
    ).format(item.task, item.name, join_markup(chips), note(task.description))


def rendered_html(template: pl.Template, fields: Mapping[str, str]) -> Markup:
    """The template with these fields, the slot marked; or why that cannot be."""
    try:
        prompt = template.render(fields)
    except pl.PromptlabError as problem:
        return error(problem)
    return prompt_text(str(prompt), slot_position(prompt))


def rendered_text(template: pl.Template, fields: str) -> Markup:
    """The same for a box of ``name = value`` lines."""
    try:
        return rendered_html(template, read_fields(fields))
    except pl.PromptlabError as problem:
        return error(problem)


def example_fields(template: pl.Template, example: Mapping[str, Any]) -> str:
    """The example as ``name = value`` lines: what the template reads, then the rest."""
    names = [*template.fields, *(name for name in example if name not in template.fields)]
    lines = [f"{name} = {example.get(name, '')!s}".replace("\n", "\\n") for name in names]
    return "\n".join(lines)


def template_facts(item: Any) -> Markup:
    """How the answer becomes a label, what is read, and the source."""
    rows = [*parsing_facts(item), ("reads", _names(item.template.fields))]
    rows += [("source", item.source), ("file", item.path.name)]
    rows += [("note", item.note)] if item.note else []
    lines = join_markup(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in rows)
    template = Markup('<h4>As written</h4><pre class="pl-written">{}</pre>')
    return template.format(item.template.source) + Markup('<dl class="pl-facts">{}</dl>').format(
        lines
    )


def parsing_facts(item: Any) -> list[tuple[str, Any]]:
    """Named rows that say how the answer is read."""
    if item.answers is not None:
        return [
            (label, join_markup(chip(word) for word in words))
            for label, words in item.verbalizer.mapping().items()
        ]
    if item.open_vocabulary:
        return [("answer", "any token of the vocabulary")]
    if item.parser is None:
        return []
    rest = {key: value for key, value in item.parser.items() if key != "type"}
    rows: list[tuple[str, Any]] = [
        ("reply", f"generated, then read by the {item.parser.get('type')} parser")
    ]
    for key, value in rest.items():
        if isinstance(value, Mapping):
            rows += [(str(label), _chips(words)) for label, words in value.items()]
        else:
            rows.append((str(key), _chips(value)))
    return rows


def _chips(words: Any) -> Markup:
    return join_markup(chip(str(word)) for word in (words if isinstance(words, list) else [words]))


def _names(fields: tuple[str, ...]) -> Markup:
    if not fields:
        return Markup("no field")
    return Markup(" ").join(Markup("<code>{}</code>").format(name) for name in fields)
