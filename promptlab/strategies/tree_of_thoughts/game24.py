"""The game of 24 as a tree search's problem: the state is what numbers are left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from promptlab.data.puzzles.game24 import (
    GOAL,
    Move,
    Numbers,
    format_quotient,
    moves,
    read_move,
    read_numbers,
    to_expressions,
)
from promptlab.errors import InputError
from promptlab.strategies.tree_of_thoughts.problem import Problem, Thought


class Game24(Problem):
    """Thoughts are moves such as ``4 + 8 = 12 (left: 6 12)``; the example's field is ``numbers``.

    A state is solved when 24 alone is left. The rules look no further ahead than that.
    """

    fields: ClassVar[tuple[str, ...]] = ("numbers",)
    lists_moves: ClassVar[bool] = True

    def begin(self, fields: Mapping[str, str]) -> str:
        """The puzzle's numbers, sorted."""
        return format_quotient(_puzzle(fields))

    def follow(self, state: str, thought: str) -> Thought | str:
        """A legal move with what it leaves, or why it is none."""
        move = read_move(thought, read_numbers(state))
        return move if isinstance(move, str) else Thought(str(move), format_quotient(move.rest))

    def solved(self, state: str) -> bool:
        """24 alone is left."""
        return state == str(GOAL)

    def ended(self, state: str) -> bool:
        """One number is left."""
        return len(state.split()) == 1

    def answer(self, fields: Mapping[str, str], thoughts: Sequence[str]) -> str:
        """The moves as one expression; several, with commas, when numbers are left."""
        numbers: Numbers = _puzzle(fields)
        path: list[Move] = []
        for thought in thoughts:
            move = read_move(thought, path[-1].rest if path else numbers)
            assert isinstance(move, Move), "thoughts of a path are legal"
            path.append(move)
        return ", ".join(to_expressions(numbers, path))

    def moves(self, state: str) -> Iterator[str]:
        """All sums of two of the numbers."""
        return map(str, moves(read_numbers(state)))


def _puzzle(fields: Mapping[str, str]) -> Numbers:
    words = fields["numbers"].replace(",", " ").split()
    numbers = read_numbers(fields["numbers"])
    if len(numbers) < len(words) or not numbers:
        raise InputError(
            f"a game of 24 has numbers such as '4 5 6 10' in its field 'numbers', found "
            f"{fields['numbers']!r}"
        )
    return numbers
