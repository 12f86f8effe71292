"""Strategies: several asks an example, each strategy a predictor that others can wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.strategies.chain import ChainStep
    from promptlab.strategies.chain_of_thought.worked_examples import WorkedExample
    from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
    from promptlab.strategies.tree_of_thoughts.problem import Problem
    from promptlab.strategies.tree_of_thoughts.search import TreeSearch
    from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator

__all__ = [
    "ChainStep",
    "Problem",
    "StateEvaluator",
    "ThoughtGenerator",
    "TreeSearch",
    "WorkedExample",
]

_HOMES = {
    "ChainStep": "promptlab.strategies.chain",
    "Problem": "promptlab.strategies.tree_of_thoughts.problem",
    "StateEvaluator": "promptlab.strategies.tree_of_thoughts.evaluation",
    "ThoughtGenerator": "promptlab.strategies.tree_of_thoughts.thoughts",
    "TreeSearch": "promptlab.strategies.tree_of_thoughts.search",
    "WorkedExample": "promptlab.strategies.chain_of_thought.worked_examples",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
