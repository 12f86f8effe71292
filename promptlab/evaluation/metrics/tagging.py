"""The metric of tagging."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from jaxtyping import Float

from promptlab.data.spans import NO_SPANS, LabelledSpan, read_spans
from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import Metric, answered_rows, import_optional
from promptlab.evaluation.predictions import Prediction, Predictions

_TAG = re.compile(r"O|[BIES]-\S+")


class SpanF1(Metric):
    """Micro F1 over labelled spans, counted by seqeval (extra package).

    Targets and labels are either ``phrase -> TYPE`` lines (see `promptlab.data.spans`) or
    blank-separated BIO tags; a span counts when both its words and its type are right. 1 when
    there is no span on either side.
    """

    packages = ("seqeval",)
    name = "span_f1"
    normalization = (
        "a span is right when its words and its type are, to the letter; quotation marks around a "
        "phrase and a full stop after a type are left off"
    )

    def compute(self, predictions: Predictions) -> float:
        """seqeval's ``f1_score`` over the tag sequences of all rows."""
        seqeval = import_optional("seqeval.metrics", "seqeval")
        rows = [_tag_sequences(row, target) for row, target in answered_rows(predictions)]
        truth = [tags for tags, _ in rows]
        found = [tags for _, tags in rows]
        if all(tag == "O" for tags in (*truth, *found) for tag in tags):
            return 1.0
        return float(seqeval.f1_score(truth, found, zero_division=0))

    def counts(self, predictions: Predictions) -> list[tuple[float, ...]]:
        """Spans that are right, found, and true in every row, as seqeval reads them."""
        labeling = import_optional("seqeval.metrics.sequence_labeling", "seqeval")
        found: list[tuple[float, ...]] = []
        for row, target in answered_rows(predictions):
            truth, guess = (
                set(labeling.get_entities(tags)) for tags in _tag_sequences(row, target)
            )
            found.append((float(len(truth & guess)), float(len(guess)), float(len(truth))))
        return found

    def of_counts(
        self, sums: Float[np.ndarray, "*resample count"]
    ) -> Float[np.ndarray, "*resample"]:
        """2 right / (found + true), 1 where there is no span on either side."""
        right, found, true = sums[..., 0], sums[..., 1], sums[..., 2]
        spans = found + true
        return np.where(spans > 0, 2 * right / np.maximum(spans, 1), 1.0)


def _tag_sequences(row: Prediction, target: str) -> tuple[list[str], list[str]]:
    """The row's true and predicted tags, of one length."""
    label = (row.label or "").strip()
    if target.split() and all(map(_TAG.fullmatch, target.split())):
        return _padded(target.split(), label.split())
    truth = read_spans(target or NO_SPANS)
    if truth is None:
        raise InputError(
            f"span_f1: the target of example {row.example_id!r} is neither 'phrase -> TYPE' lines "
            f"nor BIO tags: {target!r}"
        )
    return _aligned(truth, read_spans(label) or [])


def _padded(truth: list[str], found: list[str]) -> tuple[list[str], list[str]]:
    """Two tag sequences filled up with O; what is no tag counts as O."""
    found = [tag if _TAG.fullmatch(tag) else "O" for tag in found]
    length = max(len(truth), len(found))
    return truth + ["O"] * (length - len(truth)), found + ["O"] * (length - len(found))


def _aligned(truth: list[LabelledSpan], found: list[LabelledSpan]) -> tuple[list[str], list[str]]:
    """Tags for two bags of spans: each distinct span has places of its own, one a repetition.

    Equal spans then meet at the same place and no others do, which is what seqeval counts.
    """
    true_count, found_count = Counter(truth), Counter(found)
    true_tags: list[str] = []
    found_tags: list[str] = []
    for span in sorted(true_count | found_count):
        for repetition in range(max(true_count[span], found_count[span])):
            tag = f"B-{span.type}"
            true_tags.append(tag if repetition < true_count[span] else "O")
            found_tags.append(tag if repetition < found_count[span] else "O")
    return true_tags, found_tags
