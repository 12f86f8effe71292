"""Strategies: several asks an example, each strategy a predictor that others can wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.strategies.chain import Step
    from promptlab.strategies.chain_of_thought.worked_examples import Worked
    from promptlab.strategies.tree_of_thoughts.evaluation import Judgement
    from promptlab.strategies.tree_of_thoughts.problem import Problem
    from promptlab.strategies.tree_of_thoughts.search import Search
    from promptlab.strategies.tree_of_thoughts.thoughts import Thoughts

__all__ = [
    "Judgement",
    "Problem",
    "Search",
    "Step",
    "Thoughts",
    "Worked",
]

_HOMES = {
    "Judgement": "promptlab.strategies.tree_of_thoughts.evaluation",
    "Problem": "promptlab.strategies.tree_of_thoughts.problem",
    "Search": "promptlab.strategies.tree_of_thoughts.search",
    "Step": "promptlab.strategies.chain",
    "Thoughts": "promptlab.strategies.tree_of_thoughts.thoughts",
    "Worked": "promptlab.strategies.chain_of_thought.worked_examples",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
