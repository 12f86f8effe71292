"""Jinja for templates that need logic, in a sandbox.

The slot is ``{{ mask }}``; learned segments are ``{{ soft(20) }}`` and ``{{ trigger(5) }}``. They
travel through the rendering as private-use characters, which are removed from every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptlab.errors import TemplateError
from promptlab.grammar import parse
from promptlab.prompt import Segment, Text

_OPEN, _CLOSE = "\ue000", "\ue001"
_MAX_REPEAT = 100_000


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox with products and powers bounded, so that a template cannot eat the memory."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply or raise, unless the result would be huge."""
        sizes = [len(x) if isinstance(x, str | list | tuple) else x for x in (left, right)]
        if operator == "**" or any(isinstance(x, str | list | tuple) for x in (left, right)):
            product = 1
            for size in sizes:
                product *= abs(size) if isinstance(size, int | float) else 1
            if product > _MAX_REPEAT:
                raise jinja2.exceptions.SecurityError(f"{operator} makes too large a value")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=1)
def _environment() -> _Sandbox:
    environment = _Sandbox(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    environment.globals.update(soft=_soft, trigger=_trigger, mask=f"{_OPEN}mask{_CLOSE}")
    return environment


def _soft(count: int, init: str | None = None) -> str:
    detail = f' "{init}"' if init is not None else ""
    return f"{_OPEN}soft:{int(count)}{detail}{_CLOSE}"


def _trigger(count: int) -> str:
    return f"{_OPEN}trigger:{int(count)}{_CLOSE}"


@lru_cache(maxsize=512)
def compile_jinja(text: str) -> jinja2.Template:
    """Compile ``text``; a syntax error becomes a `TemplateError` with the line's caret."""
    try:
        return _environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        lines = text.splitlines(keepends=True)
        position = sum(len(line) for line in lines[: error.lineno - 1])
        raise TemplateError(f"Jinja: {error.message}", text=text, position=position) from error


def jinja_fields(text: str) -> tuple[str, ...]:
    """Names of the fields that a Jinja template reads, sorted."""
    compile_jinja(text)
    names = jinja2.meta.find_undeclared_variables(_environment().parse(text))
    return tuple(sorted(names - {"mask", "soft", "trigger"}))


def render_jinja(text: str, fields: Mapping[str, str]) -> tuple[Segment, ...]:
    """Render ``text`` with ``fields`` in the sandbox and split it into segments."""
    compiled = compile_jinja(text)
    clean = {
        name: value.replace(_OPEN, "").replace(_CLOSE, "") if isinstance(value, str) else value
        for name, value in fields.items()
    }
    try:
        rendered = compiled.render(clean)
    except jinja2.UndefinedError as error:
        raise TemplateError(
            f"Jinja: {error.message}; the example has the fields {', '.join(sorted(clean))}",
            text=text,
        ) from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(f"Jinja: {error}", text=text) from error
    return tuple(_split(rendered))


def _split(rendered: str) -> list[Segment]:
    segments: list[Segment] = []
    for index, chunk in enumerate(rendered.split(_OPEN)):
        marker, closed, words = chunk.partition(_CLOSE)
        if index == 0 or not closed:
            words = chunk
        else:
            segments.extend(s for s in parse(f"{{{marker}}}") if _is_segment(s))
        if words:
            segments.append(Text(words))
    return segments


def _is_segment(piece: object) -> bool:
    return isinstance(piece, Segment)
