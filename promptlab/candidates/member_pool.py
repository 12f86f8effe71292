"""The study's finished candidates as members of an ensemble, best on dev first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from promptlab.candidates.base import BUILT_IN
from promptlab.data.task import Task
from promptlab.errors import DataError, WorkError
from promptlab.evaluation.predictions import Predictions
from promptlab.files.checksums import find_difference
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.ensemble.cached_predictor import CachedPredictor
from promptlab.tuning.fit_context import CompletedTrial

TOGETHER = ("ensemble", "distillation")
"""Kinds made of other candidates."""


def kinds_to_run_first(of: Collection[str]) -> tuple[str, ...]:
    """The kinds whose candidates must be there first: all but those made of others, and ``of``."""
    return tuple(dict.fromkeys([*(name for name in BUILT_IN if name not in TOGETHER), *of]))


class MemberPool:
    """Finished candidates of the groups or kinds ``of`` (all but ensembles if it is empty).

    `know` takes in what a kind is told. Tables of predictions are read once.
    """

    def __init__(self, of: Sequence[str], task: Task) -> None:
        self._of = tuple(of)
        self._task = task
        self._finished: list[CompletedTrial] = []
        self._tables: dict[Path, Predictions] = {}

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """Keep those that may be members."""
        chosen = [one for one in finished if self._fits(one)]
        self._finished = sorted(chosen, key=lambda one: (-one.value, one.tokens, one.number))

    def _fits(self, one: CompletedTrial) -> bool:
        if self._of:
            return one.group in self._of or one.kind in self._of
        return one.kind not in TOGETHER

    def best(self, count: int) -> list[CompletedTrial]:
        """The best ones on dev; as many as there are."""
        return self._finished[:count]

    def pareto_front(self, count: int) -> list[CompletedTrial]:
        """Of those that no other beats for as few tokens, the best, cheapest first."""
        steps: list[CompletedTrial] = []
        for one in sorted(self._finished, key=lambda one: (one.tokens, -one.value, one.number)):
            if not steps or one.value > steps[-1].value:
                steps.append(one)
        return steps[-count:]

    def members(
        self, keys: Sequence[str], model: LanguageModel, least: int = 2
    ) -> tuple[list[Predictor], list[str]]:
        """Members by their candidates' keys with their names; dev is recalled, not predicted.

        Raises `WorkError` when there are fewer than ``least``.
        """
        known = {one.candidate.key: one for one in self._finished}
        missing = [key for key in keys if key not in known]
        if len(keys) < least or missing:
            raise WorkError(
                f"too few candidates of the study were complete to put together: {least} are "
                f"needed, and {len(self._finished)} are there"
            )
        chosen = [known[key] for key in keys]
        return [self._member(one, model) for one in chosen], [one.candidate.name for one in chosen]

    def _member(self, one: CompletedTrial, model: LanguageModel) -> Predictor:
        assert one.member is not None, "a study says how its candidates are fitted again"
        if one.predictions is None:
            fitted: Predictor = one.member()
            return fitted
        table = self._table(one.predictions, one.checksum)
        examples = {example.id: example for example in self._task.dev}
        if strange := [row.example_id for row in table if row.example_id not in examples]:
            raise DataError(
                f"{one.predictions} holds the example {strange[0]!r:.60}, which is none of dev, so "
                "the file is damaged; the next run judges its trial again"
            )
        order = [examples[row.example_id] for row in table]
        return CachedPredictor(one.member, table, order, model, prompt=one.prompt)

    def _table(self, path: Path, checksum: str | None) -> Predictions:
        if path not in self._tables:
            if checksum is not None and (told := find_difference(path, checksum)):
                raise DataError(f"{path}: {told}; the next run judges its trial again")
            self._tables[path] = Predictions.from_jsonl(path)
        return self._tables[path]
