"""Plain templates rewritten piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from promptlab.errors import InputError
from promptlab.prompts.prompt import Slot, Soft, Text, Trigger
from promptlab.prompts.template import PARTS, Template, is_jinja
from promptlab.prompts.template_syntax import Field, Piece, parse_template

Change = Callable[[Piece], Piece | list[Piece]]
"""What becomes of a piece."""


def rewrite_template(template: Template, change: Change) -> Template:
    """The template with every piece replaced by what ``change`` makes of it, in order."""
    if template.text is not None:
        return replace(template, text=_changed(template.text, change))
    given = template.parts or {}
    return replace(template, parts={p: _changed(given[p], change) for p in PARTS if p in given})


def put_in_front(template: Template, source: str) -> Template:
    """The template with ``source`` (in the plain grammar) before everything else."""
    if template.text is not None:
        refuse_jinja(template.text)
        return replace(template, text=source + template.text)
    parts = dict(template.parts or {})
    first = next(part for part in PARTS if part in parts)
    refuse_jinja(parts[first])
    return replace(template, parts=parts | {first: source + parts[first]})


def refuse_jinja(source: str) -> None:
    """Raise `InputError` for Jinja, into which no learned tokens can be put."""
    if is_jinja(source):
        raise InputError(
            f"soft tokens cannot be put into the Jinja template {source[:60]!r}; write a plain "
            "template with {soft:N}"
        )


def _changed(source: str, change: Change) -> str:
    refuse_jinja(source)
    written = []
    for piece in parse_template(source):
        made = change(piece)
        written += [_written(one) for one in (made if isinstance(made, list) else [made])]
    return "".join(written)


def _written(piece: Piece) -> str:
    """A piece in the plain grammar."""
    match piece:
        case Field(name):
            return f"{{{name}}}"
        case Text(text):
            return text.replace("{", "\\{").replace("}", "\\}")
        case Slot():
            return "{mask}"
        case Soft(count, init, name):
            shared = f" #{name}" if name is not None else ""
            words = f' "{init}"' if init is not None else ""
            return f"{{soft:{count}{shared}{words}}}"
        case Trigger(count):
            return f"{{trigger:{count}}}"
