"""Cheap predictors first, dearer ones only for what the cheap ones are unsure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import Trace
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.ensemble.base import BaseEnsemble
from promptlab.predictors.ensemble.folds import Folds
from promptlab.predictors.ensemble.thresholds import (
    CascadeStages,
    Measure,
    confidence,
    tune_thresholds,
)
from promptlab.predictors.ensemble.votes import MIN_PROBABILITY


class Cascade(BaseEnsemble):
    """Members in the order of their cost; an example goes on to the next while one is unsure.

    Unsure is whose ``measure`` (the *probability* of its label, or its *margin* over the second)
    lies below the ``threshold``, one for all members or one for each but the last; who abstains
    is always unsure. Without a threshold they are found on dev for ``target``: *best* accuracy,
    or the fewest tokens with an accuracy of at least that number, and cross-fitted as an
    `Ensemble`'s weights are. The last member that has answered decides; tokens and seconds are
    those of the members that were asked.

    Args:
        members: The predictors, the cheapest first.
        threshold: Below it a member is unsure; learned on dev unless given.
        measure: *margin* or *probability*.
        target: What learned thresholds aim at.
        options: ``names``, ``labels``, ``folds``, ``seed`` and ``smoothing``.

    Raises:
        InputError: For members with other labels, or a threshold below 0.

    Example:
        >>> from promptlab.predictors.classifier import PromptClassifier
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> texts = ("{text} It was {mask}.", "{text} All in all, {mask}.")
        >>> members = [PromptClassifier(text, words, model) for text in texts]
        >>> Cascade(members, 0.1).predict(["A dull plot."]).labels
        ['positive']
    """

    def __init__(
        self,
        members: Sequence[Predictor],
        threshold: float | Sequence[float] | None = None,
        *,
        measure: Measure = "margin",
        target: float | Literal["best"] = "best",
        **options: Any,
    ) -> None:
        super().__init__(members, **options)
        if measure not in ("margin", "probability"):
            raise InputError(f"measure is margin or probability; found {measure!r}")
        if target != "best" and not 0 < target <= 1:
            raise InputError(f"target is 'best' or an accuracy up to 1; found {target!r}")
        self.measure: Measure = measure
        self.target: float | Literal["best"] = target
        self._given = _thresholds(threshold, len(self.members) - 1)
        self.thresholds = self._given
        self._without: list[tuple[float, ...]] = []

    @property
    def learns_on_dev(self) -> bool:
        """Whether thresholds are found on dev."""
        return self._given is None

    @property
    def _what(self) -> str:
        return "a cascade without a threshold"

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; every member is asked for what comes to it, at once."""
        rows = as_examples(examples, self.fields)
        limits = [self._limits(row) for row in rows]
        asked: list[list[Prediction | None]] = [[None] * len(self.members) for _ in rows]
        waiting = list(range(len(rows)))
        for number, member in enumerate(self.members):
            table = member.predict([rows[place] for place in waiting]) if waiting else ()
            for place, said in zip(waiting, table, strict=True):
                asked[place][number] = said
            if number < len(self.members) - 1:
                waiting = [p for p in waiting if self._unsure(asked[p], number, limits[p])]
        return Predictions(map(self._decided, rows, asked))

    def _unsure(
        self, asked: Sequence[Prediction | None], number: int, limits: tuple[float, ...]
    ) -> bool:
        sure = confidence(self._ballot(asked), number, self.measure)
        return sure < max(limits[number], 0.0)

    def _decided(self, row: Example, asked: Sequence[Prediction | None]) -> Prediction:
        found, trace = self._ballot(asked), Trace()
        scores = None
        for number, said in enumerate(asked):
            if said is None:
                break
            sure = confidence(found, number, self.measure)
            told = {self.measure: round(sure, 6)} if sure >= 0 else {}
            self._note(trace, number, said, found, **told)
            if found.votes[number] >= 0:
                scores = np.log(np.maximum(found.probabilities[number], MIN_PROBABILITY))
        return self._prediction(row, asked, trace, found, scores)

    def _limits(self, row: Example) -> tuple[float, ...]:
        if self.thresholds is None:
            raise not_fitted_error(
                "a cascade without a threshold finds its thresholds on dev examples"
            )
        fold = self.folds.of(row)
        return self.thresholds if fold is None else self._without[fold]

    def _learn(self, dev: Sequence[Example], tables: Sequence[Predictions]) -> None:
        ballots = [
            self._ballot([table[place] for table in tables], example.label)
            for place, example in enumerate(dev)
        ]
        members = range(len(self.members))
        votes = [[int(one.votes[m]) for m in members] for one in ballots]
        right = np.array([one.right for one in ballots])
        spent = [[t[p].tokens_in + t[p].tokens_out for t in tables] for p in range(len(dev))]
        stages = CascadeStages(
            np.array([[confidence(one, m, self.measure) for m in members] for one in ballots]),
            (np.array(votes) == right[:, None]) & (np.array(votes) >= 0),
            np.array(spent, dtype=float),
        )
        folds = np.array([-1 if (f := self.folds.of(e)) is None else f for e in dev])
        self.thresholds = tune_thresholds(stages, self.target)
        self._without = [
            tune_thresholds(stages[folds != fold], self.target) for fold in range(self.folds.count)
        ]

    def facts(self) -> dict[str, Any]:
        """Members in their order, and the thresholds."""
        limits = [*(self.thresholds or ()), None]
        members = [
            {"name": name, "threshold": limit}
            for name, limit in zip(self.names, limits, strict=True)
        ]
        return {"ensemble": {"method": "cascade", "measure": self.measure, "members": members}}

    def settings(self) -> dict[str, Any]:
        """Plain JSON data, with the thresholds once they are found."""
        return super().settings() | {
            "measure": self.measure,
            "target": self.target,
            "given": None if self._given is None else list(self._given),
            "thresholds": None if self.thresholds is None else list(self.thresholds),
            "without": [list(limits) for limits in self._without],
        }

    @classmethod
    def _made(cls, members: Sequence[Predictor], settings: Mapping[str, Any]) -> Self:
        made = cls(
            members,
            settings["given"],
            measure=settings["measure"],
            target=settings["target"],
            **cls._options(settings),
        )
        if settings["thresholds"] is not None:
            made.thresholds = tuple(settings["thresholds"])
        made._without = [tuple(limits) for limits in settings["without"]]
        made.folds = Folds(settings["folds"])
        return made


def _thresholds(given: float | Sequence[float] | None, steps: int) -> tuple[float, ...] | None:
    if given is None:
        return None
    made = (float(given),) * steps if isinstance(given, int | float) else tuple(map(float, given))
    if len(made) != steps:
        raise InputError(
            f"a cascade of {steps + 1} members has {steps} thresholds; found {len(made)}"
        )
    if any(not np.isfinite(limit) or limit < 0 for limit in made):
        raise InputError(f"thresholds are numbers from 0; found {list(made)}")
    return made
