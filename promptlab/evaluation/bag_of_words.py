"""A classifier that knows no language: word counts and logistic regression, as a control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions

_WORD = r"(?u)\b\w+\b"
LEAST = 2
"""Fewer labelled examples of the second most frequent class teach nothing about its words."""


class BagOfWords:
    """TF-IDF over words and pairs of words with logistic regression, by scikit-learn.

    What a prompt must beat to be worth a language model: it is fully supervised on the same
    training examples, and reads words without their order. Raises `InputError` when there is
    nothing to learn from.

    Example:
        >>> texts = {"good film": "yes", "good": "yes", "bad film": "no", "bad": "no"}
        >>> train = [Example(text, {"text": text}, label) for text, label in texts.items()]
        >>> BagOfWords(train).predict([Example("5", {"text": "a good one"})]).labels
        ['yes']
    """

    def __init__(self, train: Sequence[Example]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        known = [example for example in train if example.label is not None]
        counts = Counter(example.label for example in known)
        if len(counts) < 2:
            one = f"all have the label {next(iter(counts))!r}" if counts else "none has a label"
            raise InputError(
                f"the {len(known)} training examples have nothing to tell apart: {one}"
            )
        if counts.most_common(2)[1][1] < LEAST:
            raise InputError(
                f"the {len(known)} training examples are too few to learn words from: only one "
                f"class has {LEAST} or more"
            )
        self._model: Any = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD),
            LogisticRegression(C=10.0, max_iter=2000),
        )
        try:
            self._model.fit([_text(e) for e in known], [e.label for e in known])
        except ValueError as error:
            raise InputError(f"the training examples hold no words ({error})") from error

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """One label an example, in order."""
        if not examples:
            return Predictions()
        labels = self._model.predict([_text(example) for example in examples])
        return Predictions(
            Prediction(example.id, str(label), example.label)
            for example, label in zip(examples, labels, strict=True)
        )


def _text(example: Example) -> str:
    """All fields, one a line."""
    return "\n".join(example.fields.values())
