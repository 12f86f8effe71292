"""In which order a tree of thoughts is searched, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from promptlab.errors import InputError
from promptlab.predictors.model_calls import StrategyRun
from promptlab.strategies.tree_of_thoughts.exploration import SearchTree
from promptlab.strategies.tree_of_thoughts.node import Budget, Node

SearchMethod = Literal["breadth", "depth"]


@dataclass(frozen=True)
class TreeSearch:
    """A tree of thoughts is searched breadth first or depth first, within limits.

    A search ends at a solution, when nothing is left to visit, or when the budget is used up. Where
    no problem tells what a solution is, it ends at the first level (*breadth*) or the first path
    (*depth*) of ``depth`` thoughts.

    Args:
        method: *breadth*: the ``beam`` best states of a level are expanded (algorithm 1 of Yao et
            al. 2023); *depth*: the best child is expanded first, and after a dead end the next one,
            at most ``beam`` children of a state (algorithm 2).
        depth: The most thoughts of a path.
        beam: How many states of a level, or children of a state, are followed.
        threshold: States of a lower value are not followed; ``None`` sets no limit.
        budget: The most requests, tokens and expanded states of an example; unlimited unless given.

    Raises:
        InputError: For an unknown method, or a depth or beam below 1.

    Example:
        >>> search = TreeSearch("depth", depth=3, beam=8)
        >>> moves = pl.strategies.ThoughtGenerator(method="moves")
        >>> control = pl.strategies.StateEvaluator(method="random")
        >>> tree = pl.TreeOfThoughts(moves, control, model, search=search, problem="game24")
        >>> tree.predict(["1 1 1 8"])[0].trace["tree"]["ended"]
        'solved'
    """

    method: SearchMethod = "breadth"
    depth: int = 3
    beam: int = 5
    threshold: float | None = None
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if self.method not in get_args(SearchMethod):
            raise InputError(
                f"unknown search {self.method!r}; it is one of {', '.join(get_args(SearchMethod))}"
            )
        if self.depth < 1 or self.beam < 1:
            raise InputError(f"depth {self.depth} and beam {self.beam}; both are 1 or more")

    def run(self, tree: SearchTree) -> StrategyRun[str]:
        """Search until something is solved or nothing is left to try; why it ended."""
        if self.method == "breadth":
            return (yield from self._breadth(tree))
        found = yield from self._descend(tree, tree.root)
        if found:
            return "solved" if tree.problem.has_rules else "depth"
        return "budget" if tree.budget_tracker.refused else "exhausted"

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TreeSearch:
        """The inverse of `settings`."""
        return cls(**{**settings, "budget": Budget(**settings["budget"])})

    def _breadth(self, tree: SearchTree) -> StrategyRun[str]:
        frontier = [tree.root]
        for _ in range(self.depth):
            children = yield from tree.expand(frontier)
            if any(child.solved for child in children):
                return "solved"
            yield from tree.evaluate(children)
            frontier = self._chosen(children)
            if not frontier:
                return "budget" if tree.budget_tracker.refused else "exhausted"
        return "depth"

    def _descend(self, tree: SearchTree, node: Node) -> StrategyRun[bool]:
        """Whether the best state is at or below ``node``, found first."""
        if node.depth == self.depth:
            # Without rules nobody can say that a whole path is wrong.
            return not tree.problem.has_rules
        children = yield from tree.expand([node])
        if any(child.solved for child in children):
            return True
        yield from tree.evaluate(children)
        for child in self._chosen(children):
            if (yield from self._descend(tree, child)):
                return True
            child.branch.annotate(backtracked=True)
            tree.backtracked += 1
            if tree.budget_tracker.refused:
                return False
        return False

    def _chosen(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes that are followed, best first; every node is told what became of it."""
        judged = [node for node in nodes if node.value is not None]
        ranked = sorted(judged, key=_value, reverse=True)  # stable: the earlier among equals
        passing = [n for n in ranked if self.threshold is None or _value(n) >= self.threshold]
        chosen = passing[: self.beam]
        for node in nodes:
            if node in chosen:
                node.branch.annotate(kept=True)
            elif not (node.solved or node.dead):
                below = node.value is not None and node not in passing
                why = "below the threshold" if below else "beyond the beam"
                node.branch.annotate(pruned="not judged" if node.value is None else why)
        return chosen


def _value(node: Node) -> float:
    assert node.value is not None
    return node.value
