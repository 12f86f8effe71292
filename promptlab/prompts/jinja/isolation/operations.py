"""What can be asked of a process of its own: from plain data to plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from promptlab.prompts.jinja import patterns, render
from promptlab.prompts.jinja.isolation.messages import segments_to_json


def _render(text: str, fields: Mapping[str, str], others: Sequence[str]) -> list[Any]:
    """``others`` are fields that the template does not read; a message may name them."""
    return segments_to_json(render.render_jinja(text, {**dict.fromkeys(others, ""), **fields}))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "fields": render.jinja_fields,
    "render": _render,
    "check": patterns.check_pattern,
    "search": patterns.search_pattern,
}


def operation(name: str) -> Callable[..., Any]:
    """The function of a name in `OPERATIONS`, or of the form ``promptlab.module:function``.

    Names are given by this project's code alone, never by data. Raises `ValueError` for others.
    """
    if name not in OPERATIONS:
        module, _, function = name.partition(":")
        if not module.startswith("promptlab."):
            raise ValueError(f"no operation: {name!r}")
        OPERATIONS[name] = getattr(import_module(module), function)
    return OPERATIONS[name]
