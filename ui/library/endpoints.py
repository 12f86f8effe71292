"""What the library does over the app's API."""

from __future__ import annotations

from typing import Any

import promptlab as pl

from ..components.errors import api_endpoint
from ..components.text_fields import read_fields
from . import template_list, template_view


def add_library_endpoints() -> None:
    """Document the endpoints; to be called while the app is laid out."""
    api_endpoint(templates)
    api_endpoint(render, "render_template")
    api_endpoint(save, "save_template")
    api_endpoint(export, "export_templates")


def templates(
    words: str = "", task: str = template_list.ALL, shape: str = "all", whose: str = "all"
) -> list[dict[str, Any]]:
    """The templates found (``whose`` all or mine): rows with name, task, shape, text, answers."""
    return [_answer(item) for item in template_list.find_templates(words, task, shape, whose)]


def render(name: str, fields: str = "") -> str:
    """A template with its own example, or with ``name = value`` a line; ``{mask}`` in the slot."""
    item = template_view.find_template(name)
    given = read_fields(fields) if fields.strip() else item.example
    return str(item.template.render(given))


def save(name: str, entry: str, replace: bool = False) -> dict[str, Any]:
    """Save a template among one's own as ``task/name``.

    ``entry`` is YAML with text or parts, answers or a parser, source, example. Only one's own can
    be replaced.
    """
    return _answer(pl.TemplateLibrary().save(name, entry, replace=replace))


def export(names: list[str]) -> str:
    """Templates as YAML, one document a task, to be imported elsewhere."""
    text: str = pl.TemplateLibrary().export(names)
    return text


def _answer(item: Any) -> dict[str, Any]:
    """A row without ``path``: Gradio's client takes that for a file to fetch."""
    return {key: value for key, value in item.to_row().items() if key != "path"} | {
        "own": item.is_own
    }
