"""Strategies: several model calls for one answer, each a predictor that others can wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.strategies.answering import AnswerReader
    from promptlab.strategies.chain import ChainStep
    from promptlab.strategies.chain_of_thought.worked_examples import WorkedExample
    from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
    from promptlab.strategies.tree_of_thoughts.node import Budget
    from promptlab.strategies.tree_of_thoughts.problem import Problem, Thought
    from promptlab.strategies.tree_of_thoughts.search import TreeSearch
    from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator

__all__ = [
    "AnswerReader",
    "Budget",
    "ChainStep",
    "Problem",
    "StateEvaluator",
    "Thought",
    "ThoughtGenerator",
    "TreeSearch",
    "WorkedExample",
]

_HOMES = {
    "AnswerReader": "promptlab.strategies.answering",
    "Budget": "promptlab.strategies.tree_of_thoughts.node",
    "ChainStep": "promptlab.strategies.chain",
    "Problem": "promptlab.strategies.tree_of_thoughts.problem",
    "StateEvaluator": "promptlab.strategies.tree_of_thoughts.evaluation",
    "Thought": "promptlab.strategies.tree_of_thoughts.problem",
    "ThoughtGenerator": "promptlab.strategies.tree_of_thoughts.thoughts",
    "TreeSearch": "promptlab.strategies.tree_of_thoughts.search",
    "WorkedExample": "promptlab.strategies.chain_of_thought.worked_examples",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
