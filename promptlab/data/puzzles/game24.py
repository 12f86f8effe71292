"""The game of 24: four numbers, each used once with ``+ - * /``, are to come to 24.

The puzzle of Yao et al. 2023 (Tree of Thoughts, section 4.1). All arithmetic is exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement

from promptlab.data.puzzles.arithmetic import apply_operator, evaluate

GOAL = Fraction(24)
LARGEST = 13
"""Puzzles are made of four numbers from 1 to this, as on playing cards."""

Numbers = tuple[Fraction, ...]
"""What is left to work with, sorted."""

_NUMBER = r"-?\d{1,9}(?:\.\d{1,9}|/\d{1,9})?"
_STEP = re.compile(rf"({_NUMBER})\s*([-+*/×÷x])\s*({_NUMBER})\s*=\s*({_NUMBER})")
_SIGNS = {"×": "*", "÷": "/", "x": "*"}
_ORDERED = {"+": False, "*": False, "-": True, "/": True}
"""Whether the order of the operands matters."""


@dataclass(frozen=True)
class Move:
    """``left operator right = result``, and the numbers that are left after it."""

    left: Fraction
    operator: str
    right: Fraction
    result: Fraction
    rest: Numbers

    def __str__(self) -> str:
        sum_ = f"{self.left} {self.operator} {self.right} = {self.result}"
        return f"{sum_} (left: {format_quotient(self.rest)})"


def read_numbers(text: str) -> Numbers:
    """The numbers of a text such as ``4 5 6 10``, sorted; those of another form are left out."""
    found = (as_number(word) for word in text.replace(",", " ").split())
    return tuple(sorted(number for number in found if number is not None))


def as_number(text: str) -> Fraction | None:
    """A whole number, decimal fraction or quotient, exactly; ``None`` for anything else."""
    if re.fullmatch(_NUMBER, text) is None:
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None


def format_quotient(numbers: Sequence[Fraction]) -> str:
    """Numbers as text, a blank between them."""
    return " ".join(map(str, numbers))


def read_move(text: str, numbers: Numbers) -> Move | str:
    """The move that a line such as ``4 + 8 = 12 (left: 6 12)`` makes with ``numbers``.

    A text says why the line is no legal move: it has another form, uses a number that is not
    there, or the sum is wrong. What is left is worked out here, whatever the line says of it.
    """
    match = _STEP.search(text)
    if match is None:
        return "no step of the form a + b = c"
    operator = _SIGNS.get(match[2], match[2])
    left, right, claimed = (as_number(match[group]) for group in (1, 3, 4))
    if left is None or right is None or claimed is None:
        return "a number that is none"
    rest = _without(numbers, left, right)
    if rest is None:
        return f"{left} and {right} are not both there"
    result = apply_operator(left, operator, right)
    if result is None:
        return "division by zero"
    if result != claimed:
        return f"{left} {operator} {right} is {result}"
    return Move(left, operator, right, result, tuple(sorted((*rest, result))))


def moves(numbers: Numbers) -> Iterator[Move]:
    """Every legal move, each once: pairs from the smallest, operators in the order ``+ - * /``."""
    for low, high in sorted(set(combinations(numbers, 2))):
        rest = _without(numbers, low, high) or ()
        for operator, ordered in _ORDERED.items():
            pairs = [(high, low), (low, high)] if ordered and low != high else [(high, low)]
            for left, right in pairs:
                result = apply_operator(left, operator, right)
                if result is not None:
                    yield Move(left, operator, right, result, tuple(sorted((*rest, result))))


def solutions(numbers: Numbers) -> int:
    """In how many ways of three moves a puzzle of four numbers comes to 24."""
    return _ways(tuple((n.numerator, n.denominator) for n in numbers))


def solution(numbers: Numbers) -> list[Move] | None:
    """The first moves that lead to 24, or ``None`` if there are none."""
    if len(numbers) == 1:
        return [] if numbers == (GOAL,) else None
    for move in moves(numbers):
        if _ways(tuple((n.numerator, n.denominator) for n in move.rest)):
            following = solution(move.rest)
            assert following is not None, "a way was counted"
            return [move, *following]
    return None


def to_expressions(numbers: Numbers, path: Sequence[Move]) -> list[str]:
    """One expression for every number that is left after the moves of ``path``."""
    texts = [(number, str(number)) for number in numbers]
    for move in path:
        left, right = (_taken(texts, number) for number in (move.left, move.right))
        texts.append((move.result, f"({left} {move.operator} {right})"))
    return [text[1:-1] if text.startswith("(") else text for _, text in texts]


def is_solution(text: str, numbers: Sequence[int]) -> bool:
    """Whether an expression uses each of ``numbers`` exactly once and comes to 24.

    "... = 24" may stand behind it.
    """
    before, equals, after = text.strip().rstrip(".").partition("=")
    if equals and after.strip() != str(GOAL):
        return False
    value = evaluate(before)
    return value is not None and value.number == GOAL and value.used == tuple(sorted(numbers))


def puzzles() -> Iterator[Mapping[str, str]]:
    """Every solvable puzzle: ``numbers``, ``label`` (one solution), and how many ``solutions``."""
    for chosen in combinations_with_replacement(range(1, LARGEST + 1), 4):
        numbers = tuple(map(Fraction, chosen))
        found = solution(numbers)
        if found is not None:
            (text,) = to_expressions(numbers, found)
            count = str(solutions(numbers))
            yield {"numbers": format_quotient(numbers), "label": text, "solutions": count}
    _ways.cache_clear()


def _without(numbers: Numbers, left: Fraction, right: Fraction) -> Numbers | None:
    """What remains after two numbers are taken, or ``None`` if they are not both there."""
    rest = list(numbers)
    for number in (left, right):
        if number not in rest:
            return None
        rest.remove(number)
    return tuple(rest)


def _taken(texts: list[tuple[Fraction, str]], number: Fraction) -> str:
    """The last written of the expressions of this value, taken out of ``texts``."""
    index = max(i for i, (value, _) in enumerate(texts) if value == number)
    return texts.pop(index)[1]


_Quotient = tuple[int, int]
"""Numerator and denominator: `Fraction` is ten times slower, and there are millions."""


@lru_cache(maxsize=200_000)
def _ways(numbers: tuple[_Quotient, ...]) -> int:
    """In how many ways the numbers come to 24, equal moves counted once."""
    if len(numbers) == 1:
        return int(numbers[0] == (24, 1))
    total = 0
    for low, high in set(combinations(numbers, 2)):
        rest = list(numbers)
        rest.remove(low)
        rest.remove(high)
        for result in _results(low, high):
            total += _ways(tuple(sorted((*rest, result), key=_size)))
    return total


def _size(number: _Quotient) -> float:
    return number[0] / number[1]


def _results(low: _Quotient, high: _Quotient) -> Iterator[_Quotient]:
    (a, b), (c, d) = low, high
    yield _reduced(a * d + c * b, b * d)
    yield _reduced(a * c, b * d)
    yield _reduced(c * b - a * d, b * d)
    if a:
        yield _reduced(c * b, d * a)
    if low != high:
        yield _reduced(a * d - c * b, b * d)
        if c:
            yield _reduced(a * d, b * c)


def _reduced(numerator: int, denominator: int) -> _Quotient:
    common = math.gcd(numerator, denominator)
    if denominator < 0:
        common = -common
    return numerator // common, denominator // common
