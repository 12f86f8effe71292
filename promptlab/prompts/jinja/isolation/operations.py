"""What can be asked of a process of its own: from plain data to plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from promptlab.prompts.jinja import patterns, sandbox
from promptlab.prompts.jinja.isolation.wire import plain_segments


def _render(text: str, fields: Mapping[str, str], others: Sequence[str]) -> list[Any]:
    """``others`` are fields that the template does not read; a message may name them."""
    return plain_segments(sandbox.render_jinja(text, {**dict.fromkeys(others, ""), **fields}))


def _convert(text: str, source: str) -> list[Any]:
    from promptlab.library.promptsource import read_promptsource

    return [astuple(one) for one in read_promptsource(text, source)]


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "fields": sandbox.jinja_fields,
    "render": _render,
    "check": patterns.check_pattern,
    "search": patterns.search_pattern,
    "convert": _convert,
}
