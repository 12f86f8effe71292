"""What answers questions on a network: the protocol, and what the runners of all families share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

from promptlab.engine.kv_cache.radix_cache import KeptStates
from promptlab.engine.kv_cache.state import PrefixState
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.request import Question, Reply


@runtime_checkable
class Runner(Protocol):
    """Answers questions about distinct contexts and counts the tokens it computed."""

    budget: TokenBudget
    computed_tokens: int
    prefix: PrefixState | None
    kept: KeptStates | None
    alone: bool

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question, in order."""
        ...

    def after(self, prefix: PrefixState) -> Runner:
        """A runner on the same network whose rows all attend a learned prefix."""
        ...

    def over(self, network: Network) -> Runner:
        """The same runner on another network, with a budget of its own."""
        ...

    def keeping(self, kept: KeptStates | None) -> Runner:
        """The same runner with this memory of states (or none)."""
        ...


class FamilyRunner:
    """What the runners of all families share: network, budget, count and learned prefix."""

    def __init__(self, network: Network, budget: TokenBudget) -> None:
        self.network = network
        self.budget = budget
        self.computed_tokens = 0
        self.prefix: PrefixState | None = None
        self.kept: KeptStates | None = None
        self.alone = False

    def by_itself(self) -> Runner:
        """This runner with one row in every forward: what it gives depends on no other row."""
        self.alone = True
        self.budget = TokenBudget(1)
        return cast(Runner, self)

    def after(self, prefix: PrefixState) -> Runner:
        """A runner on the same network whose rows all attend a learned prefix."""
        other = copy.copy(self)
        other.prefix = prefix
        other.kept = None
        return cast(Runner, other)

    def over(self, network: Network) -> Runner:
        """The same runner on another network, with a budget of its own."""
        other = copy.copy(self)
        other.network = network
        other.budget = TokenBudget(self.budget.tokens)
        other.computed_tokens = 0
        other.kept = None
        return cast(Runner, other)

    def keeping(self, kept: KeptStates | None) -> Runner:
        """The same runner with this memory of states (or none)."""
        other = copy.copy(self)
        other.kept = kept
        return cast(Runner, other)
