"""What a learning curve will do, checked before anything is computed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from promptlab.data.example import Example
from promptlab.data.splits import draw_few_shot
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.candidate import Candidate
from promptlab.study.spec.curve_spec import CurveSpec, Method
from promptlab.study.spec.space import SearchSpace


class CurvePlan:
    """A curve's methods as candidates, and the task of every cell.

    A method is one candidate, read off the whole task; only its own seed, where the study file
    leaves it open, follows the cell's. Raises `StudyError` with file, line and key for sizes that
    the data cannot give, a method of several candidates, and one that cannot work at a size.
    """

    def __init__(self, spec: CurveSpec, task: Task) -> None:
        self.spec = spec
        self.task = task
        self._check_sizes()
        self.methods = {method.name: method for method in spec.methods}
        self.candidates: dict[tuple[str, int], Candidate] = {}
        self._spaces: list[SearchSpace] = []
        for index, method in enumerate(spec.methods):
            self._read(index, method)

    @property
    def first_candidates(self) -> dict[str, Candidate]:
        """Each method's candidate at the first seed."""
        return {name: self.candidates[name, self.spec.seeds[0]] for name in self.methods}

    def task_of(self, size: int, seed: int) -> Task:
        """The task with the draw for train, dev as the study file has it, and all of test."""
        dev = self.task.dev
        if self.spec.dev_per_class is not None:
            dev = draw_few_shot(
                dev,
                self.spec.dev_per_class,
                seed=seed,
                classes=self.task.labels,
                source=self.task.name,
            )
        train = self.task.draw(size, seed) if size else ()
        return dataclasses.replace(self.task, train=train, dev=dev)

    def check(self, model: LanguageModel) -> None:
        """Refuse what can never work with ``model``. Raises `StudyError` naming the method."""
        for space in self._spaces:
            space.check(model)

    def _read(self, index: int, method: Method) -> None:
        names = [f"methods.{index}, {method.name!r}"]
        for seed in self.spec.seeds:
            settings = method.for_seed(seed)
            space = SearchSpace([settings], self.task, names)
            self.candidates[method.name, seed] = space.single()
            self._spaces += [] if seed != self.spec.seeds[0] else [space]
        for size in sorted(filter(None, self.spec.sizes)):
            try:
                SearchSpace([method.for_seed(self.spec.seeds[0])], self.task.few_shot(size), names)
            except StudyError as error:
                told = f" (with {size} labelled examples {self._unit}, one of the sizes)"
                raise StudyError.from_issues(
                    dataclasses.replace(issue, text=issue.text + told) for issue in error.issues
                ) from error

    @property
    def _unit(self) -> str:
        return "a class" if self.task.labels else "in all"

    def _check_sizes(self) -> None:
        for index, size in enumerate(self.spec.sizes):
            self._check_size(("sizes", index), size, "train", self.task.train)
        if self.spec.dev_per_class is not None:
            self._check_size(("dev_per_class",), self.spec.dev_per_class, "dev", self.task.dev)

    def _check_size(
        self, key: tuple[str | int, ...], size: int, split: str, examples: Sequence[Example]
    ) -> None:
        have = Counter(example.label if self.task.labels else None for example in examples)
        for label in self.task.labels or (None,):
            if have[label] < size:
                of = "" if label is None else f" of the class {label!r}"
                raise self.spec.error(
                    key,
                    f"{size} labelled examples {self._unit} are asked for and {split} has "
                    f"{have[label]}{of}; lower it, or enlarge {split} (task.{split})",
                )
