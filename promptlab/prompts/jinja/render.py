"""Jinja for templates that need logic, in a sandbox, rendered in this process.

The slot is ``{{ mask }}``; learned segments are ``{{ soft(20) }}`` and ``{{ trigger(5) }}``. They
travel through the rendering between marks that hold a random number, so that no text of a field
can stand for one; so do the values of expressions, which are known afterwards as what came from
data. What a template can make is bounded, and so is the time it takes (`promptlab.prompts.jinja`):
whatever is wrong with one is a `TemplateError`. Texts of strangers are rendered by
`promptlab.prompts.jinja.isolated`, which can do it in a process of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import jinja2
import jinja2.meta
from jinja2 import nodes

from promptlab.errors import TemplateError
from promptlab.prompts.jinja.limit_errors import LimitExceeded
from promptlab.prompts.jinja.limits import count_usage, current_usage
from promptlab.prompts.jinja.sandbox import JinjaSandbox
from promptlab.prompts.prompt import Segment, Text
from promptlab.prompts.template_syntax import Field, parse_template

_NONCE = secrets.token_hex(8)
_OPEN, _CLOSE = f"\ue000{_NONCE}:", f":{_NONCE}\ue001"
_BEGIN, _END = f"\ue002{_NONCE}", f"\ue003{_NONCE}"
"""Stand around the value of an expression where it is written out."""
_LONGEST = 200_000
"""Characters of a template."""
_SHORT = 10_000
"""Characters of a template of which many are kept compiled."""
_LONGEST_TOLD = 300
_Made = TypeVar("_Made")


def _kept(make: Callable[..., _Made]) -> Callable[..., _Made]:
    """Decorator: what was made of a text is kept, of short ones much more than of long ones."""
    many, few = lru_cache(maxsize=512)(make), lru_cache(maxsize=8)(make)

    def kept(text: str, *rest: Any) -> _Made:
        return (many if len(text) <= _SHORT else few)(text, *rest)

    return kept


@lru_cache(maxsize=4)
def _environment(marks: bool = False, usual: bool = False) -> JinjaSandbox:
    """The sandbox; with ``marks`` the values that are written out stand between marks.

    ``usual`` has Jinja's own settings: what is missing is empty, a last line break is dropped.
    """
    environment = JinjaSandbox(
        undefined=jinja2.Undefined if usual else jinja2.StrictUndefined,
        keep_trailing_newline=not usual,
    )
    if marks:
        environment.finalize = lambda value: _marked(environment.written(value))
    environment.globals.update(_RESERVED)
    return environment


def _marked(text: str) -> str:
    return text if _OPEN in text or not text else f"{_BEGIN}{text}{_END}"


def _soft(count: int, init: str | None = None) -> str:
    detail = f' "{init}"' if init is not None else ""
    return f"{_OPEN}soft:{int(count)}{detail}{_CLOSE}"


def _trigger(count: int) -> str:
    return f"{_OPEN}trigger:{int(count)}{_CLOSE}"


_RESERVED = {"mask": f"{_OPEN}mask{_CLOSE}", "soft": _soft, "trigger": _trigger}
"""Names that no field can take."""


def compile_jinja(text: str, *, marks: bool = False) -> jinja2.Template:
    """Compile ``text``; a syntax error becomes a `TemplateError` with the line's caret."""
    return _compiled(text, marks, False)


@_kept
def _compiled(text: str, marks: bool, usual: bool) -> jinja2.Template:
    with _reading(text):
        return _environment(marks, usual).from_string(text)


def parse_jinja(text: str) -> nodes.Template:
    """The nodes of a Jinja template. Raises `TemplateError` for what cannot be compiled."""
    compile_jinja(text)
    return _parsed(text)


def _parsed(text: str) -> nodes.Template:
    with _reading(text):
        return _environment().parse(text)


def jinja_fields(text: str) -> tuple[str, ...]:
    """Names of the fields that a Jinja template reads, sorted."""
    return _fields(text)


@_kept
def _fields(text: str) -> tuple[str, ...]:
    body = parse_jinja(text)
    with _reading(text):
        names = jinja2.meta.find_undeclared_variables(body)
    return tuple(sorted(names - _environment().globals.keys()))


def render_as_jinja(text: str, fields: Mapping[str, object]) -> str:
    """What a program with Jinja's own settings makes of a template; there is no slot.

    Raises `TemplateError` for what cannot be compiled or rendered.
    """
    compile_jinja(text)
    compiled = _compiled(text, False, True)
    with _told(text), count_usage():
        return _collected(compiled.generate(**fields))


def render_jinja(text: str, fields: Mapping[str, str]) -> tuple[Segment, ...]:
    """Render ``text`` with ``fields`` in the sandbox and split it into segments.

    The values of expressions count as data. Where a template computes with what it has written
    (a captured block), all that it writes does.
    """
    with count_usage():
        segments = _split(_rendered(text, fields, marks=False))
    try:
        with count_usage():
            rendered = _rendered(text, fields, marks=True)
        marked = [_unmarked(segment) for segment in _split(rendered)]
    except TemplateError:  # what it captured is longer with the marks
        marked = []
    if [_shown(segment) for segment in marked] == segments:
        return tuple(marked)
    return tuple(Text.from_data(s.text) if isinstance(s, Text) else s for s in segments)


def _rendered(text: str, fields: Mapping[str, str], *, marks: bool) -> str:
    compiled = compile_jinja(text, marks=marks)
    with _told(text, fields):
        return _collected(compiled.generate({**fields, **_RESERVED}))


@contextmanager
def _told(text: str, fields: Mapping[str, str] | None = None) -> Iterator[None]:
    """Everything that goes wrong inside, while ``text`` is read or rendered, is the template's."""
    if len(text) > _LONGEST:
        raise TemplateError(
            f"Jinja: the template has {len(text):,} characters; at most {_LONGEST:,}"
        )
    try:
        yield
    except TemplateError:
        raise
    except jinja2.TemplateSyntaxError as error:
        lines = text.splitlines(keepends=True)
        position = sum(len(line) for line in lines[: error.lineno - 1])
        raise TemplateError(f"Jinja: {_short(error)}", text=text, position=position) from error
    except jinja2.UndefinedError as error:
        read = "" if fields is None else f"; the example has the fields {', '.join(sorted(fields))}"
        raise TemplateError(f"Jinja: {_short(error)}{read}", text=text) from error
    except RecursionError:
        raise TemplateError("Jinja: the template is nested, or calls itself, too deeply") from None
    except MemoryError:
        raise TemplateError("Jinja: the template takes too much memory") from None
    except (Exception, LimitExceeded) as error:  # a template can make any function raise anything
        raise TemplateError(f"Jinja: {_short(error)}", text=text) from error


@contextmanager
def _reading(text: str) -> Iterator[None]:
    """What compiles or parses a text; only long ones can take long enough to be looked at."""
    with _told(text), count_usage() as usage:
        if len(text) <= _SHORT:
            yield
        else:
            with usage.check_time_at_calls():
                yield


def _short(error: BaseException) -> str:
    """What an error says, or what it is; it may hold whole texts of the template."""
    said = str(getattr(error, "message", None) or error) or type(error).__name__
    return said if len(said) <= _LONGEST_TOLD else f"{said[:_LONGEST_TOLD]} …"


def _unmarked(segment: Segment) -> Segment:
    """A text whose marked stretches came from data."""
    if not isinstance(segment, Text):
        return segment
    depth, found = 0, []
    for piece in re.split(f"({_BEGIN}|{_END})", segment.text):
        if piece in (_BEGIN, _END):
            depth += 1 if piece == _BEGIN else -1
        else:
            found.append(Text.from_data(piece) if depth else Text(piece))
    return Text.join(found)


def _shown(segment: Segment) -> Segment:
    return Text(segment.text) if isinstance(segment, Text) else segment


def _collected(chunks: Iterator[str]) -> str:
    """The rendered text, given up when it becomes too long."""
    usage = current_usage()
    kept: list[str] = []
    length = 0
    for chunk in chunks:
        kept.append(chunk)
        length += len(chunk)
        usage.check_time()
        usage.check_result_size("the template", length)
    return "".join(kept)


def _split(rendered: str) -> list[Segment]:
    segments: list[Segment] = []
    for index, chunk in enumerate(rendered.split(_OPEN)):
        marker, closed, words = chunk.partition(_CLOSE)
        if index == 0 or not closed:
            words = chunk
        else:
            pieces = parse_template(f"{{{marker}}}")
            segments.extend(piece for piece in pieces if not isinstance(piece, Field))
        if words:
            segments.append(Text(words))
    return segments
