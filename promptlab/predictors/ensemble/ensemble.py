"""Several predictors asked side by side, their answers put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import Trace
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.ensemble.base import BaseEnsemble
from promptlab.predictors.ensemble.combination import (
    LEARNED_METHODS,
    CombinationRule,
    Method,
    check_method,
    check_weights,
    combine,
)
from promptlab.predictors.ensemble.weights import learn_rule


class Ensemble(BaseEnsemble):
    """Any predictors as one, with or without scores.

    ``method``: *majority* of votes, *mean* probability, *weighted* mean (``weights``),
    *dev_accuracy* (a mean weighted by the members' accuracy on dev), *learned* (convex weights
    that maximise dev's log-likelihood) or *stacking* (logistic, weights and biases). A member
    without scores votes with probability 1 - ``smoothing``; an unparsed reply abstains; where all
    abstain, the prediction is unparsed. ``select``: so many turns of greedy forward selection on
    dev choose the members first (Caruana et al. 2004).

    What is learned on dev is cross-fitted: examples of dev are predicted by weights (and members)
    that were learned without their fold, so that dev can judge the ensemble.

    Args:
        members: The predictors; those that score labels need the same ones.
        method: How their answers are put together.
        weights: One weight a member, for the method *weighted* alone.
        select: Turns of forward selection; all members without it.
        options: ``names``, ``labels``, ``folds``, ``seed`` and ``smoothing``.

    Raises:
        InputError: For members with other labels, or settings that do not go together.

    Example:
        >>> from promptlab.predictors.classifier import PromptClassifier
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> texts = ("{text} It was {mask}.", "{text} All in all, {mask}.")
        >>> members = [PromptClassifier(text, words, model) for text in texts]
        >>> Ensemble(members, "majority").predict(["A dull plot."]).labels
        ['positive']
    """

    def __init__(
        self,
        members: Sequence[Predictor],
        method: Method = "mean",
        *,
        weights: Sequence[float] | None = None,
        select: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(members, **options)
        check_method(method)
        if (method == "weighted") != (weights is not None):
            raise InputError("weights go with the method weighted, and with no other")
        if select is not None and select < 1:
            raise InputError(f"select is the number of turns, at least 1; found {select}")
        if method == "stacking" and not self.labels:
            raise InputError("stacking needs common labels, and the members' answers are open")
        self.method: Method = method
        self.select = select
        self._given = tuple(float(w) for w in weights or ())
        if weights is not None:
            check_weights(self._given, len(self.members))
        start = self._given or (1.0,) * len(self.members)
        self.rule: CombinationRule | None = None if self.learns_on_dev else CombinationRule(start)
        self._without: list[CombinationRule] = []

    @property
    def learns_on_dev(self) -> bool:
        """Whether weights or members are learned on dev."""
        return self.method in LEARNED_METHODS or self.select is not None

    @property
    def _what(self) -> str:
        return f"an ensemble of the method {self.method}" + (
            " with selected members" if self.select else ""
        )

    @property
    def weights(self) -> tuple[float, ...]:
        """The members' weights in their order, learned on all of dev; they sum to 1.

        Those of *stacking* are factors of log-probabilities and sum to nothing in particular.
        """
        weights = self._ruled().weights
        total = 1.0 if self.method == "stacking" else sum(weights)
        return tuple(weight / total for weight in weights)

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; a member whose weight is 0 is not asked."""
        rows = as_examples(examples, self.fields)
        rules = [self._rule_of(row) for row in rows]
        asked: list[list[Prediction | None]] = [[None] * len(self.members) for _ in rows]
        for number, member in enumerate(self.members):
            places = [place for place, rule in enumerate(rules) if rule.weights[number] != 0]
            table = member.predict([rows[place] for place in places]) if places else ()
            for place, said in zip(places, table, strict=True):
                asked[place][number] = said
        return Predictions(map(self._combined, rows, rules, asked))

    def _combined(
        self, row: Example, rule: CombinationRule, asked: Sequence[Prediction | None]
    ) -> Prediction:
        found, trace = self._ballot(asked), Trace()
        for number, said in enumerate(asked):
            if said is not None:
                self._note(trace, number, said, found, weight=round(rule.weights[number], 6))
        scores = combine(self.method, rule, found, self.smoothing)
        return self._prediction(row, asked, trace, found, scores)

    def _rule_of(self, row: Example) -> CombinationRule:
        rule = self._ruled()
        fold = self.folds.of(row)
        return rule if fold is None else self._without[fold]

    def _ruled(self) -> CombinationRule:
        if self.rule is None:
            raise not_fitted_error(f"{self._what} learns on dev examples")
        return self.rule

    def _learn(self, dev: Sequence[Example], tables: Sequence[Predictions]) -> None:
        stack = self._stack(dev, tables)
        folds = np.array([-1 if (f := self.folds.of(e)) is None else f for e in dev])
        given = (self.method, self.select, self._given)
        self.rule = learn_rule(given[0], stack, given[1], given[2])
        self._without = [
            learn_rule(given[0], stack[folds != fold], given[1], given[2])
            for fold in range(self.folds.count)
        ]
        self._drop_unused()

    def _drop_unused(self) -> None:
        """Members that no rule asks are no members."""
        assert self.rule is not None
        rules = [self.rule, *self._without]
        used = [n for n in range(len(self.members)) if any(r.weights[n] != 0 for r in rules)]
        self.members = [self.members[n] for n in used]
        self.names = [self.names[n] for n in used]
        self._given = tuple(self._given[n] for n in used) if self._given else ()
        self.rule, *self._without = [
            CombinationRule(tuple(rule.weights[n] for n in used), rule.bias) for rule in rules
        ]

    def facts(self) -> dict[str, Any]:
        """Method, members and weights."""
        members = [
            {"name": name, "weight": weight}
            for name, weight in zip(self.names, self.weights, strict=True)
        ]
        return {"ensemble": {"method": self.method, "select": self.select, "members": members}}

    def settings(self) -> dict[str, Any]:
        """Plain JSON data, with the weights once they are learned."""
        return super().settings() | {
            "method": self.method,
            "given": list(self._given),
            "select": self.select,
            "rule": None if self.rule is None else self.rule.record(),
            "without": [rule.record() for rule in self._without],
        }

    @classmethod
    def _made(cls, members: Sequence[Predictor], settings: Mapping[str, Any]) -> Self:
        made = cls(
            members,
            settings["method"],
            weights=settings["given"] or None,
            select=settings["select"],
            **cls._options(settings),
        )
        if settings["rule"] is not None:
            made.rule = CombinationRule.from_record(settings["rule"])
        made._without = [CombinationRule.from_record(record) for record in settings["without"]]
        made.folds = type(made.folds)(settings["folds"])
        return made
