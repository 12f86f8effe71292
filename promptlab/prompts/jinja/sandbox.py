"""The sandbox: nothing outside is reached, and every step goes through a gate that counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from jinja2 import filters, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from promptlab.prompts.jinja.compiler import CheckedCodeGenerator
from promptlab.prompts.jinja.limits import MAX_INTEGER_BITS, UsageCounter, current_usage, is_watched
from promptlab.prompts.jinja.result_size import foresee_filter, foresee_method

_LEFT_OUT = ("format", "pprint", "urlize", "xmlattr")
"""Filters whose widths or depths are bounded by nothing, and those that make HTML."""
_TAKING = frozenset(
    ["attr", "d", "default", "first", "last", "length", "count", "max", "min", "random", "safe"]
)
"""Filters that make nothing: they give what they got, a part of it, or a number."""
_NUMBER_METHODS = frozenset(
    ["as_integer_ratio", "bit_count", "bit_length", "conjugate", "hex", "is_integer"]
)
_BYTES_METHODS = frozenset(["decode", "endswith", "hex", "startswith"])
_REFUSED = frozenset(["format", "format_map", "fromkeys"])


class JinjaSandbox(ImmutableSandboxedEnvironment):
    """Jinja's own sandbox, in which every step is bounded in size and looks at the clock."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])
    code_generator_class = CheckedCodeGenerator

    def __init__(self, **options: Any) -> None:
        # What the optimizer folds would be computed when a template is compiled.
        super().__init__(optimized=False, autoescape=False, **options)
        self.finalize = self.written
        for name in _LEFT_OUT:
            del self.filters[name]
        del self.globals["lipsum"]
        self.filters["sum"] = _sum
        self.globals |= {"dict": _dict, "namespace": _Namespace}
        tables: list[dict[str, Any]] = [self.filters, self.tests]
        for table in tables:
            table.update({name: with_limits(name, function) for name, function in table.items()})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute, unless the result would be huge."""
        usage = current_usage()
        usage.check_time()
        sizes = [usage.size(left), usage.size(right)]
        if operator == "%" and isinstance(left, str | bytes):
            raise SecurityError("% does not format texts here; use ~")
        if isinstance(left, int) and isinstance(right, int):
            _foresee_integer(usage, operator, left, right)
        elif operator == "*":
            for value, other in ((left, sizes[1]), (right, sizes[0])):
                if isinstance(value, int):
                    usage.check_result_size(operator, abs(value) * other)
        elif operator == "+":
            usage.check_result_size(operator, sum(sizes))
        made = super().call_binop(context, operator, left, right)
        usage.count_result(operator, made)
        return made

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call; macros count as turns of loops, and methods of texts are bounded."""
        usage = current_usage()
        usage.count_turn()
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if owner is not None:
            _check_method(owner, name)
        given = (*args, *kwargs.values())
        if isinstance(function, LoopContext):
            args = (self.counted(args[0]), *args[1:]) if args else args
        held = (owner, *given) if isinstance(owner, str | bytes) else given
        total = usage.check_operands(name or "a call", held)
        if isinstance(owner, str):
            foresee_method(usage, owner, name, given)
        elif not isinstance(owner, bytes):
            made = super().call(context, function, *args, **kwargs)
            usage.count_result(name or "a call", made)
            return made
        if is_watched(total):
            with usage.check_time_at_calls():
                made = super().call(context, function, *args, **kwargs)
        else:
            made = super().call(context, function, *args, **kwargs)
        usage.count_result(name, made)
        return made

    def wrap_str_format(self, value: Any) -> Any:
        """Refuse ``format``, whose widths are bounded by nothing."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("format is not allowed here; use ~")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``a[b]``."""
        current_usage().check_time()
        return super().getitem(obj, argument)

    def concatenated(self, parts: tuple[Any, ...]) -> str:
        """``a ~ b``."""
        usage = current_usage()
        usage.check_time()
        usage.check_result_size("~", usage.check_operands("~", parts))
        text = "".join([str(part) for part in parts])
        usage.count_result("~", text)
        return text

    def concat(self, chunks: Iterable[str]) -> str:
        """What a macro or a captured block has written."""
        written = list(chunks)
        usage = current_usage()
        usage.check_time()
        usage.check_result_size("a block", sum(map(len, written)))
        text = "".join(written)
        usage.count_characters(len(text))
        return text

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """What a loop goes through, every turn counted."""
        usage = current_usage()
        for item in items:
            usage.count_turn()
            yield item

    def compared(self, value: Any) -> Any:
        """The first of what is compared."""
        current_usage().check_time()
        return value

    def built(self, value: Any) -> Any:
        """A list, tuple or mapping that the template writes down."""
        usage = current_usage()
        usage.check_time()
        usage.check_result_size("a list", usage.size(value))
        return value

    def sliced(self, value: Any) -> Any:
        """What ``a[b:c]`` has made."""
        usage = current_usage()
        usage.check_time()
        usage.count_result("a slice", value)
        return value

    def written(self, value: Any) -> str:
        """The text of a value that is written out."""
        usage = current_usage()
        usage.check_time()
        usage.check_result_size("a value", usage.size(value))
        text = str(value)
        usage.count_result("a value", text)
        return text


class _Namespace(Namespace):
    """What it holds is not written out: it may hold itself, or be held a thousand times."""

    def __repr__(self) -> str:
        return "<Namespace>"


def _dict(*given: Any, **named: Any) -> dict[Any, Any]:
    """``dict()``; pairs are taken one by one, since those with one hash take long together."""
    if not given or isinstance(given[0], dict):
        return dict(*given, **named)
    usage = current_usage()

    def pairs() -> Iterator[Any]:
        for pair in given[0]:
            usage.check_time()
            yield pair

    return dict(pairs(), *given[1:], **named)


@pass_environment
def _sum(environment: JinjaSandbox, items: Any, attribute: Any = None, start: Any = 0) -> Any:
    """The filter ``sum``; lists are joined one after the other, each time longer."""
    if attribute is not None:
        items = map(filters.make_attrgetter(environment, attribute), items)
    if isinstance(start, int | float):
        return sum(environment.counted(items), start)
    for item in environment.counted(items):
        start = environment.call_binop(None, "+", start, item)
    return start


def with_limits(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that looks at the clock, and at the sizes of what it takes and makes."""
    first = 0 if getattr(function, "jinja_pass_arg", None) is None else 1
    taking = name in _TAKING

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        usage = current_usage()
        usage.check_time()
        given = args[first:]
        total = usage.check_operands(name, (*given, *kwargs.values()) if kwargs else given)
        foresee_filter(usage, name, given, kwargs)
        if not is_watched(total):
            made = function(*args, **kwargs)
        else:
            with usage.check_time_at_calls():
                made = function(*args, **kwargs)
        if isinstance(made, Iterator) and not isinstance(made, LoopContext):
            return _drawn(usage, name, made, is_watched(total))
        if not taking:
            usage.count_result(name, made)
        return made

    return bounded


def _drawn(usage: UsageCounter, name: str, items: Iterator[Any], watched: bool) -> Iterator[Any]:
    """The items of a filter that makes them as they are asked for."""
    end = object()
    while True:
        usage.check_time()
        if watched:
            with usage.check_time_at_calls():
                item = next(items, end)
        else:
            item = next(items, end)
        if item is end:
            return
        usage.count_result(name, item)
        yield item


def _check_method(owner: Any, name: str) -> None:
    """Raise for methods of plain values that can make what is bounded by nothing."""
    refused = name in _REFUSED
    if isinstance(owner, int | float):
        refused = name not in _NUMBER_METHODS
    elif isinstance(owner, bytes):
        refused = name not in _BYTES_METHODS
    if refused:
        raise SecurityError(f"{name} is not allowed here")


def _foresee_integer(usage: UsageCounter, operator: str, left: int, right: int) -> None:
    """Refuse to compute an integer that is too large."""
    bits = max(left.bit_length(), right.bit_length())
    if operator == "*":
        bits = left.bit_length() + right.bit_length() - 1
    elif operator == "**" and abs(left) > 1 and right > 0:
        bits = (left.bit_length() - 1) * right + 1
    if bits > MAX_INTEGER_BITS:
        usage.check_result_size(f"{operator} of such integers", float("inf"))
