"""Settings of strategies over a small task, and trials whose parameters are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.candidates.wrapper import read_group
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.predictors.candidate import Candidate
from promptlab.study.spec.space import SearchSpace

ASK = {"name": "ask", "text": "Q: {question}\nA: {mask}", "parser": {"type": "number"}}
READ = {"name": "read", "text": "{context}\nQ: {question}\nA: {mask}", "parser": {"type": "number"}}
KNOW = {
    "name": "know",
    "text": "{knowledge} {question} {mask}",
    "answers": {"no": "no", "yes": "yes"},
}
THOUGHT = {"kind": "chain_of_thought", "templates": [ASK]}
READING = {"kind": "template", "templates": [READ]}
KNOWING = {"kind": "template", "templates": [KNOW]}
ONE_STEP = [{"name": "a", "templates": ["{question} {mask}"]}]
BARE = {"fields": {}, "reasoning": "r", "answer": "1"}
WARM = {"max_tokens": 32, "temperature": 0.7}


def example(question: str, label: str, number: int) -> Example:
    return Example(str(number), {"question": question}, label)


TASK = Task(
    "sums",
    tuple(example(f"{n} and 1 pears", str(n + 1), n) for n in range(6)),
    tuple(example(f"{n} and 2 pears", str(n + 2), 10 + n) for n in range(3)),
    (example("5 and 5", "10", 20),),
    metric="numeric_match",
    fields=("question",),
)
CHOICE = Task(
    "choice",
    tuple(example(f"is {n} even", "no" if n % 2 else "yes", n) for n in range(4)),
    (example("is 8 even", "yes", 10),),
    (example("is 9 even", "no", 11),),
    labels=("no", "yes"),
    fields=("question",),
)


class Given:
    """A trial whose parameters are given."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        assert self.params[name] in choices
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int, **options: Any) -> int:
        return int(self.params[name])

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return float(self.params[name])


def space(group: Mapping[str, Any], task: Task = TASK) -> SearchSpace:
    return SearchSpace([read_group(group)], task)


def candidates(made: SearchSpace) -> list[Candidate]:
    return [made.suggest(Given(params))[1] for params in made.enumerate(500) or []]
