"""The game of 24: exact arithmetic, legal moves, all puzzles, and its metric."""

from __future__ import annotations

from fractions import Fraction

import pytest

from promptlab.data.puzzles.arithmetic import evaluate
from promptlab.data.puzzles.game24 import (
    Move,
    is_solution,
    moves,
    puzzles,
    read_move,
    read_numbers,
    solution,
    solutions,
    to_expressions,
)
from promptlab.errors import InputError
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Prediction, Predictions


@pytest.mark.parametrize(
    ("text", "value", "used"),
    [
        ("(10 - 4) * (13 - 9)", 24, (4, 9, 10, 13)),
        ("8 / (3 - 8/3)", 24, (3, 3, 8, 8)),
        ("4 × 6 ÷ 1", 24, (1, 4, 6)),
        ("[2 + 4] x 4", 24, (2, 4, 4)),
        ("1 − 3", -2, (1, 3)),
    ],
)
def test_values_are_exact(text: str, value: int, used: tuple[int, ...]) -> None:
    found = evaluate(text)
    assert found is not None
    assert (found.number, found.used) == (value, used)


@pytest.mark.parametrize(
    "text",
    ["", "4 +", "1 / 0", "2 ** 9", "4 // 1", "abs(4)", "__import__('os')", "1.5 * 16", "-4 + 28",
     "True + 1", "4, 5", "'a' * 9", "4 if 4 else 4", "(" * 399, "1" + "+1" * 150, "9" * 500],
)  # fmt: skip
def test_anything_else_has_no_value(text: str) -> None:
    assert evaluate(text) is None


def test_legal_moves() -> None:
    numbers = read_numbers("4 8 6")
    move = read_move("1. 4 + 8 = 12 (left: 99)", numbers)
    assert isinstance(move, Move)
    assert str(move) == "4 + 8 = 12 (left: 6 12)"  # what is left is worked out, not believed
    third = read_move("8 / 6 = 4/3", numbers)
    assert isinstance(third, Move)
    assert third.rest == (Fraction(4, 3), Fraction(4))
    assert isinstance(read_move("4/3 × 18 = 24", read_numbers("4/3 18")), Move)
    assert isinstance(read_move("1 / 4 = 0.25", read_numbers("1 4")), Move)
    assert isinstance(read_move("4 - 8 = -4 (left: -4 6)", numbers), Move)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("four plus eight", "no step of the form"),
        ("4 + 8 = 13", "4 + 8 is 12"),
        ("4 + 4 = 8", "4 and 4 are not both there"),
        ("5 + 8 = 13", "5 and 8 are not both there"),
        ("4 / 0 = 0", "4 and 0 are not both there"),
        ("4 / 1/0 = 0", "no step of the form|a number that is none"),
    ],
)
def test_illegal_moves_say_why(line: str, why: str) -> None:
    found = read_move(line, read_numbers("4 6 8"))
    assert isinstance(found, str)
    assert any(part in found for part in why.split("|"))
    assert read_move("4 / 0 = 0", read_numbers("0 4")) == "division by zero"


def test_a_path_becomes_an_expression() -> None:
    numbers = read_numbers("4 9 10 13")
    first = read_move("13 - 9 = 4", numbers)
    assert isinstance(first, Move)
    second = read_move("10 - 4 = 6", first.rest)
    assert isinstance(second, Move)
    assert to_expressions(numbers, [first, second]) == ["4", "10 - (13 - 9)"]
    last = read_move("4 * 6 = 24", second.rest)
    assert isinstance(last, Move)
    (text,) = to_expressions(numbers, [first, second, last])
    assert is_solution(text, (4, 9, 10, 13))


def test_solutions_use_every_number_once() -> None:
    assert is_solution("(10 - 4) * (13 - 9)", (4, 9, 10, 13))
    assert is_solution("(10 - 4) * (13 - 9) = 24.", (4, 9, 10, 13))
    assert not is_solution("(10 - 4) * (13 - 9) = 25", (4, 9, 10, 13))
    assert not is_solution("4 * 6", (4, 6, 1, 1))
    assert not is_solution("4 * 6 * 1 * 1 * 1", (4, 6, 1, 1))
    assert not is_solution("13 + 11", (4, 9, 10, 13))


def test_every_puzzle_has_a_solution() -> None:
    found = list(puzzles())
    assert len(found) == 1362  # as many as 4nums.com, the paper's source, lists
    for row in found:
        assert is_solution(row["label"], [int(n) for n in row["numbers"].split()])
        assert int(row["solutions"]) >= 1
    by_numbers = {row["numbers"]: row for row in found}
    assert "1 1 1 1" not in by_numbers
    assert by_numbers["3 3 8 8"]["solutions"] == "1"
    assert list(puzzles())[:5] == found[:5]


def test_counting_agrees_with_trying_everything() -> None:
    def ways(numbers: tuple[Fraction, ...]) -> int:
        if len(numbers) == 1:
            return int(numbers[0] == 24)
        return sum(ways(move.rest) for move in moves(numbers))

    for text in ("4 5 6 10", "1 1 1 8", "3 3 8 8", "6 6 6 6", "2 2 2 12"):
        assert solutions(read_numbers(text)) == ways(read_numbers(text))
    assert solution(read_numbers("1 1 1 1")) is None


def test_any_right_expression_counts() -> None:
    metric = get_metric("game24")
    target = "(10 - 4) * (13 - 9)"
    rows = [
        Prediction("1", target, target),
        Prediction("2", "(13 - 9) * (10 - 4) = 24", target),
        Prediction("3", "4 * 6", target),
        Prediction("4", None, target, unparsed=True),
    ]
    assert metric.per_example(Predictions(rows)) == [1.0, 1.0, 0.0, 0.0]
    assert metric.compute(Predictions(rows)) == 0.5
    with pytest.raises(InputError, match=r"target of example '5' .* comes to 24: '12'"):
        metric.compute(Predictions([Prediction("5", "x", "12")]))
