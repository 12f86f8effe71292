"""Metrics of generated text and numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import regex

from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import MeanMetric, Metric, answered_rows, import_optional
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.prompts.parsers.number import read_number
from promptlab.prompts.parsers.open_answer import NORMALIZATION, is_same_answer


class ExactMatch(MeanMetric):
    """Share of rows whose answer is the target: as a number, or as text (`normalize_answer`).

    Of SQuAD's normalisation (Rajpurkar et al. 2016) what keeps the meaning is taken over: case,
    articles, blanks and sentence punctuation go; signs and symbols stay.
    """

    name = "exact_match"
    normalization = NORMALIZATION

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when they are the same answer, else 0."""
        return float(row.label is not None and is_same_answer(row.label, target))


class NumericMatch(MeanMetric):
    """Share of rows whose number equals the target's, within ``tolerance``.

    The tolerance is absolute, and relative for targets between -1 and 1.
    """

    name = "numeric_match"

    def __init__(self, tolerance: float = 1e-6) -> None:
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise InputError(f"numeric_match: the tolerance is {tolerance}; use 0 or more")
        self.tolerance = Fraction(repr(tolerance))
        self.normalization = (
            "the number that each text gives for its answer is compared by value, within "
            f"{tolerance:g} (relative for targets below 1); a comma groups thousands; units, "
            "currencies and percent signs are left off"
        )

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when the numbers agree, 0 when they do not or the label holds none."""
        expected = read_number(target)
        if expected is None:
            raise InputError(
                f"numeric_match: the target of example {row.example_id!r} holds no number: "
                f"{target!r}; write it with a decimal point (1,234.5), or use exact_match"
            )
        actual = read_number(row.label or "")
        if actual is None:
            return 0.0
        right = Fraction(expected)
        return float(abs(Fraction(actual) - right) <= self.tolerance * min(Fraction(1), abs(right)))


class Rouge(Metric):
    """Mean ROUGE F-measure with stemming (Lin 2004), by rouge-score (extra package)."""

    packages = ("rouge-score",)
    normalization = (
        "words in lower case, stemmed (Porter) where they are English, without punctuation; every "
        "Chinese or Japanese character is a word"
    )

    def __init__(self, variant: Literal["1", "2", "L"] = "L") -> None:
        self.variant = f"rouge{variant}"
        self.name = "rouge" if variant == "L" else f"rouge_{variant}"

    def compute(self, predictions: Predictions) -> float:
        """The mean over the rows."""
        values = self.per_example(predictions)
        return math.fsum(values) / len(values)

    def per_example(self, predictions: Predictions) -> list[float]:
        """One F-measure a row; 0 where the reply is unparsed."""
        package = import_optional("rouge_score.rouge_scorer", "rouge-score")
        scorer = package.RougeScorer([self.variant], tokenizer=_Words())
        found, truth = _texts(predictions)
        scores = [scorer.score(*pair)[self.variant] for pair in zip(truth, found, strict=True)]
        return [float(score.fmeasure) for score in scores]


class Bleu(Metric):
    """Corpus BLEU (Papineni et al. 2002) by sacrebleu (extra package), divided by 100."""

    packages = ("sacrebleu",)
    name = "bleu"
    normalization = (
        "case and punctuation count; words are sacrebleu's (13a), which are no words in scripts "
        "without blanks: use chrf for those"
    )

    def compute(self, predictions: Predictions) -> float:
        """One reference a row, sacrebleu's standard tokenizer."""
        sacrebleu = import_optional("sacrebleu", "sacrebleu")
        found, truth = _texts(predictions)
        return float(sacrebleu.corpus_bleu(found, [truth]).score) / 100


class ChrF(Metric):
    """Corpus chrF (Popović 2015) by sacrebleu (extra package), divided by 100."""

    packages = ("sacrebleu",)
    name = "chrf"
    normalization = "case and punctuation count; blanks do not"

    def compute(self, predictions: Predictions) -> float:
        """One reference a row, character 6-grams, beta 2."""
        sacrebleu = import_optional("sacrebleu", "sacrebleu")
        found, truth = _texts(predictions)
        return float(sacrebleu.corpus_chrf(found, [truth]).score) / 100


def _texts(predictions: Predictions) -> tuple[list[str], list[str]]:
    """Predicted and reference texts, an unparsed reply as the empty text."""
    rows = list(answered_rows(predictions))
    return [row.label or "" for row, _ in rows], [target for _, target in rows]


class _Words:
    """The words of a text as rouge-score takes them, which by itself knows ASCII alone."""

    def __init__(self) -> None:
        package = import_optional("rouge_score.tokenizers", "rouge-score")
        self._english = package.DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        """Words in lower case, the English ones stemmed."""
        found: list[str] = []
        for word in _WORD.findall(text.lower()):
            found.extend(self._stems(word))
        return found

    def _stems(self, word: str) -> Any:
        return self._english.tokenize(word) if word.isascii() else [word]


_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|"
    r"[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]]+",
    regex.V1,
)
