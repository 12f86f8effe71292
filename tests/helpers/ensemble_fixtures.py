"""Members of ensembles that say what they are told, and made-up examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.data.inputs import Inputs, as_examples
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor

LABELS = ("a", "b", "c")


class Told(Predictor, register=False):
    """Says what a table tells it, and keeps the ids that it was asked."""

    def __init__(
        self,
        model: LanguageModel,
        says: Mapping[str, Any],
        labels: Sequence[str] = (),
        tokens: int = 10,
    ) -> None:
        self.model = model
        self.says = dict(says)
        self.tokens = tokens
        self.asked: list[str] = []
        if labels:
            self.labels = tuple(labels)

    @property
    def fields(self) -> tuple[str, ...]:
        return ("text",)

    def fit(
        self,
        examples: Inputs,
        labels: Sequence[str] | None = None,
        *,
        dev: Inputs = (),
    ) -> Self:
        return self

    def predict(self, examples: Inputs) -> Predictions:
        rows = as_examples(examples, self.fields)
        self.asked += [row.id for row in rows]
        return Predictions(self._one(row) for row in rows)

    def _one(self, row: Example) -> Prediction:
        said = self.says[row.id]
        if said is None:
            return Prediction(row.id, None, row.label, unparsed=True, tokens_in=self.tokens)
        if isinstance(said, str):
            return Prediction(row.id, said, row.label, text=said, tokens_in=self.tokens)
        scores = {k: float(np.log(p)) for k, p in said.items()}
        label = max(scores, key=scores.__getitem__)
        return Prediction(row.id, label, row.label, scores, tokens_in=self.tokens, seconds=0.5)

    def settings(self) -> dict[str, Any]:
        return {"says": self.says}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        return cls(model, settings["says"])


def examples(labels: str) -> list[Example]:
    return [Example(str(n), {"text": f"text {n}"}, label) for n, label in enumerate(labels)]


def drawn(random: np.random.Generator, rows: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Probabilities that lean towards the truth."""
    table = {}
    for row in rows:
        p = random.dirichlet([1.0 + 2.0 * (name == row.label) for name in LABELS])
        table[row.id] = dict(zip(LABELS, p, strict=True))
    return table


@pytest.fixture
def rows() -> list[Example]:
    return examples("abcabcabcabcabcabcabcabcabcabc")


@pytest.fixture
def tables(rows: list[Example]) -> list[dict[str, dict[str, float]]]:
    random = np.random.default_rng(3)
    return [drawn(random, rows) for _ in range(4)]


def array(tables: Sequence[Mapping[str, Any]], rows: Sequence[Example]) -> np.ndarray:
    """``[example, member, label]``."""
    return np.array([[[t[row.id][name] for name in LABELS] for t in tables] for row in rows])


def probabilities(found: Predictions) -> np.ndarray:
    return np.exp([[(row.scores or {})[name] for name in LABELS] for row in found])
