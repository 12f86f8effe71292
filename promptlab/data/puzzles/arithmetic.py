"""Exact arithmetic over text: the four operations, brackets and whole numbers, nothing else."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fractions import Fraction

_LONGEST = 400  # characters; Python's parser is recursive
_DEEPEST = 60
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})


@dataclass(frozen=True)
class Value:
    """What an expression comes to, exactly, and the numbers that it was written with, sorted."""

    number: Fraction
    used: tuple[int, ...]


def evaluate(text: str) -> Value | None:
    """The value of an expression; ``None`` if it is none, or divides by zero.

    Understood are ``+ - * /`` (``×``, ``÷``, and ``x`` between numbers, too), brackets, and
    whole numbers without a sign. Nothing is executed: the syntax tree is walked.
    """
    if len(text) > _LONGEST:
        return None
    plain = text.translate(_SIGNS).replace("x", "*").strip()
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    used: list[int] = []
    number = _walk(tree.body, used, 0)
    return None if number is None else Value(number, tuple(sorted(used)))


def _walk(node: ast.expr, used: list[int], depth: int) -> Fraction | None:
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Constant):
        # True is an int for Python, and 1_0 is ten: neither is a number to a reader.
        if type(node.value) is not int:
            return None
        used.append(node.value)
        return Fraction(node.value)
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _walk(node.left, used, depth + 1), _walk(node.right, used, depth + 1)
    if left is None or right is None:
        return None
    return apply_operator(left, _OPERATORS.get(type(node.op), ""), right)


_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


def apply_operator(left: Fraction, operator: str, right: Fraction) -> Fraction | None:
    """``left operator right`` exactly; ``None`` for another operator or a division by zero."""
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right:
            return left / right
    return None
