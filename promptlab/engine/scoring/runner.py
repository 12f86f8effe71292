"""What answers requests on a network: what the runners of all families share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence

from promptlab.engine.kv_cache.radix_cache import RadixKVCache
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.request import ScoringRequest, ScoringResult


class Runner(ABC):
    """Answers requests about distinct contexts and counts the tokens it computed.

    With ``single_rows`` every row has a forward of its own: what it gives depends on no other
    row. With ``can_share_prefixes`` what several contexts begin with is computed once. All rows
    attend ``prefix``, a learned one, if there is one.
    """

    def __init__(self, network: Network, budget: TokenBudget) -> None:
        self.network = network
        self.budget = budget
        self.computed_tokens = 0
        self.prefix: KVState | None = None
        self.kv_cache: RadixKVCache | None = None
        self.single_rows = False
        self.can_share_prefixes = False

    @abstractmethod
    def run(self, requests: Sequence[ScoringRequest]) -> list[ScoringResult]:
        """One result a request, in order."""

    def with_single_rows(self) -> Runner:
        """The same runner with one row in every forward."""
        other = copy.copy(self)
        other.single_rows = True
        other.budget = TokenBudget(1)
        return other

    def with_prefix(self, prefix: KVState) -> Runner:
        """A runner on the same network whose rows all attend a learned prefix."""
        other = copy.copy(self)
        other.prefix = prefix
        other.kv_cache = None
        return other

    def with_network(self, network: Network) -> Runner:
        """The same runner on another network, with a budget of its own."""
        other = copy.copy(self)
        other.network = network
        other.budget = TokenBudget(self.budget.tokens)
        other.computed_tokens = 0
        other.kv_cache = None
        return other

    def with_kv_cache(self, cache: RadixKVCache | None) -> Runner:
        """The same runner with this cache of keys and values (or none)."""
        other = copy.copy(self)
        other.kv_cache = cache
        return other
