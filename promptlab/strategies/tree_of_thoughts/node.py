"""A thought in the tree of one example, and what a search may still spend on it."""

from __future__ import annotations

from dataclasses import dataclass

from promptlab.evaluation.trace import TraceCursor


@dataclass(eq=False)
class Node:
    """A state that a path of thoughts leads to; the root has no thought.

    ``value`` is ``None`` until the node is judged. ``solved`` and ``dead`` (nothing can follow
    and it is no solution) are the problem's verdicts. ``branch`` is its step in the trace.
    """

    thought: str
    state: str
    depth: int
    branch: TraceCursor
    parent: Node | None = None
    value: float | None = None
    solved: bool = False
    dead: bool = False

    @property
    def path(self) -> list[Node]:
        """The nodes from the first thought to this one."""
        nodes: list[Node] = []
        node: Node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    @property
    def thoughts(self) -> list[str]:
        """The thoughts of the path."""
        return [node.thought for node in self.path]

    @property
    def rank_key(self) -> tuple[bool, bool, int, float]:
        """Solved before alive before dead, deeper before shallower, then by value."""
        value = float("-inf") if self.value is None else self.value
        return self.solved, not self.dead, self.depth, value


@dataclass(frozen=True)
class Budget:
    """What a tree of thoughts may cost; ``None`` is no limit, and the answer step is not counted.

    Args:
        asks: Requests to the model.
        tokens: Prompt and reply tokens of all requests.
        states: States whose next thoughts are sought.

    Example:
        >>> Budget(asks=20).tokens is None
        True
    """

    asks: int | None = None
    tokens: int | None = None
    states: int | None = None


@dataclass
class BudgetTracker:
    """What is left of a budget. A request is paid at its highest price and the change given back.

    ``refused`` tells that something could not be paid.
    """

    budget: Budget
    asks: int = 0
    tokens: int = 0
    states: int = 0
    refused: bool = False

    def reserve_call(self, tokens: int) -> bool:
        """Pay one request of at most ``tokens`` tokens, if there is enough left."""
        return self._pay(
            (self.asks + 1, self.budget.asks), (self.tokens + tokens, self.budget.tokens)
        ) and self._spend(tokens)

    def reserve_state(self) -> bool:
        """Pay for looking beyond one more state."""
        if not self._pay((self.states + 1, self.budget.states)):
            return False
        self.states += 1
        return True

    def refund(self, paid: int, used: int) -> None:
        """Give back what a request did not use."""
        self.tokens -= paid - used

    def _spend(self, tokens: int) -> bool:
        self.asks += 1
        self.tokens += tokens
        return True

    def _pay(self, *prices: tuple[int, int | None]) -> bool:
        enough = all(limit is None or price <= limit for price, limit in prices)
        self.refused = self.refused or not enough
        return enough
