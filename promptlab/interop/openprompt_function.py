"""The functions that OpenPrompt templates apply to a field: their text is read, never run.

What stands after ``lambda x:`` may be the argument, texts, their sum, methods that cut or change
letters of a text, items and slices, and the constants of the module ``string``.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Callable
from typing import Any

from promptlab.errors import InputError

Value = Callable[[Any], Any]
"""An expression: from the function's argument to its value."""

_METHODS = frozenset({
    "strip", "rstrip", "lstrip", "lower", "upper", "capitalize", "title", "casefold", "swapcase",
    "replace", "join", "split", "splitlines", "removeprefix", "removesuffix",
})  # fmt: skip
_CONSTANTS = {
    name: getattr(string, name)
    for name in ("punctuation", "whitespace", "digits", "ascii_letters", "ascii_lowercase",
                 "ascii_uppercase")
}  # fmt: skip
_LONGEST = 1_000_000
"""Characters of what a function makes of a field."""


def read_function(node: ast.Lambda, fault: Callable[[str], Exception]) -> Value:
    """The function of one argument that a lambda stands for; ``fault`` makes the error."""
    given = node.args
    extra = [*given.posonlyargs, *given.kwonlyargs, *given.defaults, given.vararg, given.kwarg]
    if len(given.args) != 1 or any(extra):
        raise fault("post_processing takes one argument, the field")
    body = _Reader(given.args[0].arg, fault).read(node.body)

    def apply(field: Any) -> str:
        found = body(field)
        if not isinstance(found, str):
            raise InputError(f"post_processing makes {found!r} of a field, and must make a text")
        return found

    return apply


class _Reader:
    """Turns the nodes of an expression into a function of the argument called ``name``."""

    def __init__(self, name: str, fault: Callable[[str], Exception]) -> None:
        self.name = name
        self.fault = fault

    def read(self, node: ast.expr | None) -> Value:
        """The expression; everything that is not listed here is refused."""
        match node:
            case ast.Name(id=self.name):
                return lambda field: field
            case ast.Constant(value=str() | int() as value) if not isinstance(value, bool):
                return lambda _: value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
                return lambda _: -value
            case ast.Attribute(value=ast.Name(id="string"), attr=name) if name in _CONSTANTS:
                constant = _CONSTANTS[name]
                return lambda _: constant
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                first, second = self.read(left), self.read(right)
                return _bounded(lambda field: first(field) + second(field))
            case ast.Call(func=ast.Attribute(value=of, attr=name), keywords=[]) if name in _METHODS:
                return self._method(self.read(of), name, node.args)
            case ast.Subscript(value=of, slice=place):
                return self._item(self.read(of), place)
            case _:
                shown = ast.unparse(node) if node is not None else ""
                raise self.fault(
                    f"post_processing holds {shown!r}; taken are the field, texts, their sum, "
                    f"slices, string.punctuation and the like, and {', '.join(sorted(_METHODS))}"
                )

    def _method(self, of: Value, name: str, arguments: list[ast.expr]) -> Value:
        given = [self.read(argument) for argument in arguments]

        def call(field: Any) -> Any:
            text = of(field)
            if not isinstance(text, str):
                raise InputError(f"post_processing calls {name} of {text!r}, which is no text")
            return getattr(text, name)(*(argument(field) for argument in given))

        return _bounded(call)

    def _item(self, of: Value, place: ast.expr) -> Value:
        if isinstance(place, ast.Slice):
            ends = [None if end is None else self.read(end)
                    for end in (place.lower, place.upper, place.step)]  # fmt: skip
            return _bounded(lambda field: of(field)[slice(*(end and end(field) for end in ends))])
        index = self.read(place)
        return _bounded(lambda field: of(field)[index(field)])


def _bounded(value: Value) -> Value:
    """The expression, its faults told and its result no longer than anybody needs."""

    def checked(field: Any) -> Any:
        try:
            found = value(field)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise InputError(f"post_processing fails for {field!r:.80}: {error}") from error
        if isinstance(found, str) and len(found) > _LONGEST:
            raise InputError(f"post_processing makes a text of {len(found):,} characters")
        return found

    return checked
