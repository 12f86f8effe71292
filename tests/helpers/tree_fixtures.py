"""Games of 24 for trees of thoughts over a scripted model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptlab.data.example import Example
from promptlab.data.puzzles.game24 import moves, read_numbers, solutions
from promptlab.evaluation.predictions import Prediction
from promptlab.evaluation.trace import Trace
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from tests.helpers.scripted_model import ScriptedModel

PROPOSE = Template("Numbers: {state}\nSteps:\n{mask}")
VALUE = Template("Reach 24 with {state}? {mask}")
VOTE = Template("{numbers}\n{candidates}\nThe best is {mask}")
PUZZLES = ["4 9 10 13", "1 1 1 8", "3 3 8 8", "2 3 5 12", "4 4 6 8"]


def all_moves(prompt: str, sample: int) -> str:
    """Every legal step of the numbers in the prompt, and two lines that are none."""
    state = re.search(r"Numbers: (.*)", prompt)
    assert state is not None
    lines = [str(move) for move in moves(read_numbers(state[1]))]
    return "\n".join(["99 + 1 = 100 (left: 100)", *(f"- {line}" for line in lines), "hm"])


def oracle(prompt: str, answer: str) -> float:
    """Sure of what can reach 24, and of nothing else."""
    numbers = read_numbers(prompt.partition("with ")[2].partition("?")[0])
    hopeful = solutions(numbers) > 0
    return 0.0 if (answer == "sure") == hopeful and answer != "likely" else -9.0


def tree(model: ScriptedModel, **options: Any) -> TreeOfThoughts:
    thoughts = options.pop("thoughts", ThoughtGenerator(PROPOSE, count=100))
    judgement = options.pop("judgement", StateEvaluator(VALUE))
    options.setdefault("problem", "game24")
    return TreeOfThoughts(thoughts, judgement, model, **options)


def examples(*puzzles: str) -> list[Example]:
    return [Example(str(n), {"numbers": text}) for n, text in enumerate(puzzles)]


def facts(row: Prediction) -> Mapping[str, Any]:
    return row.trace["tree"]  # type: ignore[no-any-return]


def steps(row: Prediction) -> list[Any]:
    """All that is in the trace but seconds."""
    return [vars(step) | {"seconds": 0} for step in Trace.from_record(row.trace)]
