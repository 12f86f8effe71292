"""What a tree search may know of a problem: states, legal thoughts, solutions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from promptlab.errors import InputError
from promptlab.files.code_permission import build_with, load_class, remember_class

BUILT_IN = {"game24": "promptlab.strategies.tree_of_thoughts.game24:Game24"}
"""Shipped problems; any other is named ``package.module:Name``, and its package be allowed."""


@dataclass(frozen=True)
class Thought:
    """A legal thought, and the state that it leads to.

    Args:
        text: The thought in its canonical form.
        state: The state after it, as prompts show it.

    Example:
        >>> Thought("4 + 6 = 10", "10 13").state
        '10 13'
    """

    text: str
    state: str


class Problem(ABC):
    """A problem has the rules by which illegal thoughts are pruned without asking a model.

    A state is text; paths that come to equal states are one. Subclasses take no arguments.

    Example:
        >>> from promptlab.strategies import Thought
        >>> class Countdown(pl.strategies.Problem):
        ...     fields = ("number",)
        ...     def begin(self, fields):
        ...         return fields["number"]
        ...     def follow(self, state, thought):
        ...         legal = thought in ("1", "2") and int(thought) <= int(state)
        ...         return Thought(thought, str(int(state) - int(thought))) if legal else "illegal"
        ...     def solved(self, state):
        ...         return state == "0"
        ...     def answer(self, fields, thoughts):
        ...         return " ".join(thoughts)
        >>> Countdown().follow("3", "2").state, Countdown().follow("3", "4")
        ('1', 'illegal')
    """

    fields: ClassVar[tuple[str, ...]] = ()
    """The example fields that are read."""
    has_rules: ClassVar[bool] = True
    """Whether `solved` can tell a solution."""
    lists_moves: ClassVar[bool] = False
    """Whether `moves` lists the legal thoughts."""

    @abstractmethod
    def begin(self, fields: Mapping[str, str]) -> str:
        """The state before the first thought."""

    @abstractmethod
    def follow(self, state: str, thought: str) -> Thought | str:
        """The thought and the state after it, or why it is not legal."""

    @abstractmethod
    def solved(self, state: str) -> bool:
        """Whether a state is a solution."""

    def ended(self, state: str) -> bool:
        """Whether nothing can follow a state (solved or not)."""
        return self.solved(state)

    @abstractmethod
    def answer(self, fields: Mapping[str, str], thoughts: Sequence[str]) -> str:
        """What a path of thoughts answers, complete or not."""

    def moves(self, state: str) -> Iterator[str]:
        """Every legal thought of a state in a fixed order, if they can be listed."""
        return iter(())


class FreeProblem(Problem):
    """A problem without rules: every thought is legal, the path is the state."""

    has_rules: ClassVar[bool] = False

    def begin(self, fields: Mapping[str, str]) -> str:
        """Nothing has been thought."""
        return ""

    def follow(self, state: str, thought: str) -> Thought | str:
        """The thought is added as a line."""
        return Thought(thought, f"{state}\n{thought}" if state else thought)

    def solved(self, state: str) -> bool:
        """Nobody knows."""
        return False

    def answer(self, fields: Mapping[str, str], thoughts: Sequence[str]) -> str:
        """The last thought."""
        return thoughts[-1] if thoughts else ""


def find_problem(name: str | None) -> Problem:
    """The problem of a name; without one, a problem without rules.

    Raises `InputError` listing the names, and for code that is not allowed (`allow_code`).
    """
    if name is None:
        return FreeProblem()
    path = BUILT_IN.get(name, name)
    if ":" not in path:
        raise InputError(
            f"unknown problem {name!r:.80}; problems are {', '.join(sorted(BUILT_IN))}, or your "
            "own as package.module:Name"
        )
    found = load_class(path, Problem, "problem", shipped=BUILT_IN.values())  # type: ignore[type-abstract]
    return build_with(found, f"the problem {name!r}")


def problem_name(problem: Problem) -> str | None:
    """The name by which `find_problem` finds a problem again, in this process without asking."""
    if isinstance(problem, FreeProblem):
        return None
    place = remember_class(type(problem))
    return next((name for name, path in BUILT_IN.items() if path == place), place)
