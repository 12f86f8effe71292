"""Dev chooses among answers, and the choice is repeated on folds to tell what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.tuning.fit_context import Measure


@dataclass(frozen=True)
class DevChoice:
    """Which answer dev chose, and its value there: as it is, and corrected for the choice.

    Args:
        place: The chosen answer's place among those that were judged.
        value: Its value on dev, which flatters it: it is the best of several there.
        corrected: The cross-fitted value: for every fold the choice is repeated on the other
            folds, and what it chooses predicts this fold; one value over all these predictions.
            ``None`` where there are too few texts for two folds.
        folds: In how many folds.
    """

    place: int
    value: float
    corrected: float | None
    folds: int


def choose_on_dev(
    scores: Float[np.ndarray, "answer example label"],
    examples: Sequence[Example],
    labels: Sequence[str],
    targets: Int[np.ndarray, " example"],
    folds: Int[np.ndarray, " example"] | None,
    measure: Measure,
) -> DevChoice:
    """The best answer on dev by ``measure``; of equals the likelier, then the earlier.

    Args:
        scores: Log-probabilities of the labels under every answer, in nats.
        examples: The examples of dev.
        labels: The labels.
        targets: The numbers of the examples' labels.
        folds: The folds of the examples; ``None`` for no correction.
        measure: A number over predictions of which larger is better.
    """
    tables = [label_predictions(rows, examples, labels) for rows in scores]
    likely = scores[:, np.arange(len(targets)), targets]
    every = np.arange(len(examples))
    place = _best(tables, likely, every, measure)
    value = measure(Predictions(tables[place]))
    if folds is None:
        return DevChoice(place, value, None, 0)
    held: dict[int, Prediction] = {}
    for fold in range(int(folds.max()) + 1):
        chosen = _best(tables, likely, np.flatnonzero(folds != fold), measure)
        held |= {int(i): tables[chosen][i] for i in np.flatnonzero(folds == fold)}
    corrected = measure(Predictions(held[int(i)] for i in every))
    return DevChoice(place, value, corrected, int(folds.max()) + 1)


def _best(
    tables: Sequence[Sequence[Prediction]],
    likely: Float[np.ndarray, "answer example"],
    rows: Int[np.ndarray, " row"],
    measure: Measure,
) -> int:
    """The place of the best table by these rows."""
    values = [
        (measure(Predictions(table[i] for i in rows)), float(one[rows].sum()), -place)
        for place, (table, one) in enumerate(zip(tables, likely, strict=True))
    ]
    return -max(values)[2]


def label_predictions(
    scores: Float[np.ndarray, "example label"], examples: Sequence[Example], labels: Sequence[str]
) -> list[Prediction]:
    """The predictions that labels' log-probabilities make."""
    return [
        Prediction(
            example_id=example.id,
            label=labels[int(np.argmax(row))],
            target=example.label,
            scores=dict(zip(labels, row.tolist(), strict=True)),
        )
        for example, row in zip(examples, scores, strict=True)
    ]
