"""Metrics of generated text and numbers."""

from __future__ import annotations

import math
import string
from decimal import Decimal
from typing import Literal

from promptlab.errors import InputError
from promptlab.metric.metric import MeanMetric, Metric, judged, optional
from promptlab.number import read_number
from promptlab.predictions import Prediction, Predictions


class ExactMatch(MeanMetric):
    """Share of rows whose text equals the target but for case, punctuation, articles and blanks.

    The normalisation is that of SQuAD's evaluation (Rajpurkar et al. 2016).
    """

    name = "exact_match"

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when equal after normalisation, else 0."""
        return float(row.label is not None and _normalised(row.label) == _normalised(target))


class NumericMatch(MeanMetric):
    """Share of rows whose number equals the target's, within ``tolerance`` (absolute)."""

    name = "numeric_match"

    def __init__(self, tolerance: float = 1e-6) -> None:
        self.tolerance = Decimal(repr(tolerance))

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when the numbers agree, 0 when they do not or the label holds none."""
        expected = read_number(target)
        if expected is None:
            raise InputError(
                f"numeric_match: the target of example {row.example_id!r} holds no number: "
                f"{target!r}"
            )
        actual = read_number(row.label or "")
        return float(
            actual is not None and abs(Decimal(actual) - Decimal(expected)) <= self.tolerance
        )


class Rouge(Metric):
    """Mean ROUGE F-measure with stemming (Lin 2004), by rouge-score (extra package)."""

    def __init__(self, variant: Literal["1", "2", "L"] = "L") -> None:
        self.variant = f"rouge{variant}"
        self.name = "rouge" if variant == "L" else f"rouge_{variant}"

    def compute(self, predictions: Predictions) -> float:
        """The mean over the rows."""
        values = self.per_example(predictions)
        return math.fsum(values) / len(values)

    def per_example(self, predictions: Predictions) -> list[float]:
        """One F-measure a row; 0 where the reply is unparsed."""
        package = optional("rouge_score.rouge_scorer", "rouge-score")
        scorer = package.RougeScorer([self.variant], use_stemmer=True)
        found, truth = _texts(predictions)
        scores = [scorer.score(*pair)[self.variant] for pair in zip(truth, found, strict=True)]
        return [float(score.fmeasure) for score in scores]


class Bleu(Metric):
    """Corpus BLEU (Papineni et al. 2002) by sacrebleu (extra package), divided by 100."""

    name = "bleu"

    def compute(self, predictions: Predictions) -> float:
        """One reference a row, sacrebleu's standard tokenizer."""
        sacrebleu = optional("sacrebleu", "sacrebleu")
        found, truth = _texts(predictions)
        return float(sacrebleu.corpus_bleu(found, [truth]).score) / 100


class ChrF(Metric):
    """Corpus chrF (Popović 2015) by sacrebleu (extra package), divided by 100."""

    name = "chrf"

    def compute(self, predictions: Predictions) -> float:
        """One reference a row, character 6-grams, beta 2."""
        sacrebleu = optional("sacrebleu", "sacrebleu")
        found, truth = _texts(predictions)
        return float(sacrebleu.corpus_chrf(found, [truth]).score) / 100


def _texts(predictions: Predictions) -> tuple[list[str], list[str]]:
    """Predicted and reference texts, an unparsed reply as the empty text."""
    rows = list(judged(predictions))
    return [row.label or "" for row, _ in rows], [target for _, target in rows]


def _normalised(text: str) -> str:
    """Lower case, without punctuation, English articles and double blanks."""
    plain = text.casefold().translate(str.maketrans("", "", string.punctuation))
    words = [word for word in plain.split() if word not in ("a", "an", "the")]
    # "the" or "?" must not all turn into the same empty text.
    return " ".join(words) or text.casefold().strip()
