"""Jinja for templates that need logic, in a sandbox.

The slot is ``{{ mask }}``; learned segments are ``{{ soft(20) }}`` and ``{{ trigger(5) }}``. They
travel through the rendering between marks that hold a random number, so that no text of a field
can stand for one; so do the values of expressions, which are known afterwards as what came from
data. What a template can make is bounded: a text or list, all loops
together, and the whole rendering.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptlab.errors import TemplateError
from promptlab.grammar import Field, parse
from promptlab.prompt import Segment, Text

_NONCE = secrets.token_hex(8)
_OPEN, _CLOSE = f"\ue000{_NONCE}:", f":{_NONCE}\ue001"
_BEGIN, _END = f"\ue002{_NONCE}", f"\ue003{_NONCE}"
"""Stand around the value of an expression where it is written out."""
_LARGEST = 10_000_000
"""Longest text (in characters) or list that a template may make."""
_TURNS = 100_000
"""How many times all loops and calls in one rendering may turn together."""
_GROWING_METHODS = frozenset(
    ["center", "expandtabs", "join", "ljust", "replace", "rjust", "translate", "zfill"]
)
_GROWING_FILTERS = ("batch", "center", "indent", "join", "replace", "slice", "tojson", "wordwrap")
_turns: ContextVar[int] = ContextVar("turns", default=0)


class _Generator(CodeGenerator):
    """Compiles joined texts and loops to calls that bound them."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """``a ~ b``."""
        self.write("environment.concatenated((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        """``for item in items``."""
        counted = nodes.EnvironmentAttribute("counted", lineno=node.lineno)
        node.iter = nodes.Call(counted, [node.iter], [], None, None, lineno=node.lineno)
        super().visit_For(node, frame)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        """A constant is the author's own words, and no value to be marked."""
        return str(node.as_const(frame.eval_ctx))


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox with what grows bounded, so that a template cannot eat the memory."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])
    code_generator_class = _Generator

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute, unless the result would be huge."""
        grows = any(isinstance(side, str | list | tuple) for side in (left, right))
        if operator == "%" and isinstance(left, str):
            raise jinja2.exceptions.SecurityError("% does not format texts here; use ~")
        if operator == "+" and grows:
            _bound(operator, _size(left) + _size(right))
        elif operator == "**" or (operator == "*" and grows):
            _bound(operator, *(_size(side) for side in (left, right)))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call, unless a text's method would make a huge one; macros count as turns of loops."""
        _turn()
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(owner, str) and name in _GROWING_METHODS:
            _bound(name, *(_size(item) for item in (owner, *args, *kwargs.values())))
        return super().call(context, function, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Any:
        """Refuse ``format``, whose widths are bounded by nothing."""
        if super().wrap_str_format(value) is not None:
            raise jinja2.exceptions.SecurityError("format is not allowed here; use ~")

    def concatenated(self, parts: tuple[Any, ...]) -> str:
        """``a ~ b``."""
        texts = [str(part) for part in parts]
        _bound("~", sum(map(len, texts)))
        return "".join(texts)

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """What a loop goes through, every turn counted."""
        for item in items:
            _turn()
            yield item


def _turn() -> None:
    turned = _turns.get() + 1
    if turned > _TURNS:
        raise jinja2.exceptions.SecurityError(f"loops turn more than {_TURNS} times")
    _turns.set(turned)


def _size(value: Any) -> float:
    """How much a value can multiply a text: its length, a number's own value, at least 1."""
    if isinstance(value, str | list | tuple | dict):
        return max(1, len(value))
    return max(1, abs(value)) if isinstance(value, int | float) else 1


def _bound(what: str, *sizes: float) -> None:
    product = 1.0
    for size in sizes:
        product *= min(size, _LARGEST + 1)
    if product > _LARGEST:
        raise jinja2.exceptions.SecurityError(f"{what} makes too large a value")


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses to make a huge text."""

    @wraps(function)
    def filtered(*args: Any, **kwargs: Any) -> Any:
        _bound(name, *(_size(item) for item in (*args, *kwargs.values())))
        return function(*args, **kwargs)

    return filtered


@lru_cache(maxsize=4)
def _environment(*, marks: bool = False, usual: bool = False) -> _Sandbox:
    """The sandbox; with ``marks`` the values that are written out stand between marks.

    ``usual`` has Jinja's own settings: what is missing is empty, a last line break is dropped.
    """
    environment = _Sandbox(
        undefined=jinja2.Undefined if usual else jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=not usual,
        finalize=_marked if marks else None,
    )
    for name in _GROWING_FILTERS:
        environment.filters[name] = _bounded(name, environment.filters[name])
    for name in ("format", "pprint", "urlize", "xmlattr"):
        del environment.filters[name]
    del environment.globals["lipsum"]
    environment.globals.update(_RESERVED)
    return environment


def _marked(value: Any) -> str:
    text = str(value)
    return text if _OPEN in text or not text else f"{_BEGIN}{text}{_END}"


def _soft(count: int, init: str | None = None) -> str:
    detail = f' "{init}"' if init is not None else ""
    return f"{_OPEN}soft:{int(count)}{detail}{_CLOSE}"


def _trigger(count: int) -> str:
    return f"{_OPEN}trigger:{int(count)}{_CLOSE}"


_RESERVED = {"mask": f"{_OPEN}mask{_CLOSE}", "soft": _soft, "trigger": _trigger}
"""Names that no field can take."""


@lru_cache(maxsize=512)
def compile_jinja(text: str, *, marks: bool = False) -> jinja2.Template:
    """Compile ``text``; a syntax error becomes a `TemplateError` with the line's caret."""
    try:
        return _environment(marks=marks).from_string(text)
    except jinja2.TemplateSyntaxError as error:
        lines = text.splitlines(keepends=True)
        position = sum(len(line) for line in lines[: error.lineno - 1])
        raise TemplateError(f"Jinja: {error.message}", text=text, position=position) from error
    except RecursionError:
        raise TemplateError("Jinja: the template is nested too deeply") from None


def render_as_jinja(text: str, fields: Mapping[str, object]) -> str:
    """What a program with Jinja's own settings makes of a template; there is no slot.

    Raises `TemplateError` for what cannot be compiled or rendered.
    """
    compile_jinja(text)
    _turns.set(0)
    try:
        return _collected(_environment(usual=True).from_string(text).generate(**fields))
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(f"Jinja: {error}", text=text) from error


def jinja_fields(text: str) -> tuple[str, ...]:
    """Names of the fields that a Jinja template reads, sorted."""
    compile_jinja(text)
    environment = _environment()
    names = jinja2.meta.find_undeclared_variables(environment.parse(text))
    return tuple(sorted(names - environment.globals.keys()))


def parse_jinja(text: str) -> nodes.Template:
    """The nodes of a Jinja template. Raises `TemplateError` for what cannot be compiled."""
    compile_jinja(text)
    return _environment().parse(text)


def render_jinja(text: str, fields: Mapping[str, str]) -> tuple[Segment, ...]:
    """Render ``text`` with ``fields`` in the sandbox and split it into segments.

    The values of expressions count as data. Where a template computes with what it has written
    (a captured block), all that it writes does.
    """
    segments = _split(_rendered(text, fields, marks=False))
    try:
        marked = [_unmarked(segment) for segment in _split(_rendered(text, fields, marks=True))]
    except TemplateError:  # what it captured is longer with the marks
        marked = []
    if [_shown(segment) for segment in marked] == segments:
        return tuple(marked)
    return tuple(Text.of_data(s.text) if isinstance(s, Text) else s for s in segments)


def _rendered(text: str, fields: Mapping[str, str], *, marks: bool) -> str:
    compiled = compile_jinja(text, marks=marks)
    _turns.set(0)
    try:
        return _collected(compiled.generate({**fields, **_RESERVED}))
    except jinja2.UndefinedError as error:
        raise TemplateError(
            f"Jinja: {error.message}; the example has the fields {', '.join(sorted(fields))}",
            text=text,
        ) from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(f"Jinja: {error}", text=text) from error


def _unmarked(segment: Segment) -> Segment:
    """A text whose marked stretches came from data."""
    if not isinstance(segment, Text):
        return segment
    depth, found = 0, []
    for piece in re.split(f"({_BEGIN}|{_END})", segment.text):
        if piece in (_BEGIN, _END):
            depth += 1 if piece == _BEGIN else -1
        else:
            found.append(Text.of_data(piece) if depth else Text(piece))
    return Text.joined(found)


def _shown(segment: Segment) -> Segment:
    return Text(segment.text) if isinstance(segment, Text) else segment


def _collected(chunks: Iterator[str]) -> str:
    """The rendered text, given up when it becomes too long."""
    kept: list[str] = []
    length = 0
    for chunk in chunks:
        kept.append(chunk)
        length += len(chunk)
        _bound("the template", length)
    return "".join(kept)


def _split(rendered: str) -> list[Segment]:
    segments: list[Segment] = []
    for index, chunk in enumerate(rendered.split(_OPEN)):
        marker, closed, words = chunk.partition(_CLOSE)
        if index == 0 or not closed:
            words = chunk
        else:
            pieces = parse(f"{{{marker}}}")
            segments.extend(piece for piece in pieces if not isinstance(piece, Field))
        if words:
            segments.append(Text(words))
    return segments
