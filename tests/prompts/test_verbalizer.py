"""Verbalizers: aggregation against hand computation, weights, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from promptlab.errors import VerbalizerError
from promptlab.prompts.verbalizer import Aggregation, Verbalizer

MANY: dict[str, Any] = {
    "bad": ["terrible", "awful"],
    "good": {"great": 2.0, "fine": 0.5},
    "so": "so-so",
}
PROBABILITIES = np.array([[0.1, 0.2, 0.05, 0.4, 0.01], [0.3, 0.1, 0.2, 0.1, 0.1]])


def by_hand(row: np.ndarray, aggregation: str) -> np.ndarray:
    """Label probabilities of one row, without logarithms where that is possible."""
    terrible, awful, great, fine, so = row
    if aggregation == "sum":
        scores = [terrible + awful, 2 * great + 0.5 * fine, so]
    elif aggregation == "max":
        scores = [max(terrible, awful), max(2 * great, 0.5 * fine), so]
    else:
        scores = [(terrible * awful) ** 0.5, (great**2.0 * fine**0.5) ** (1 / 2.5), so]
    return np.asarray(np.array(scores) / sum(scores))


@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
def test_aggregation_by_hand(aggregation: Aggregation) -> None:
    verbalizer = Verbalizer(MANY, aggregation=aggregation)
    assert verbalizer.labels == ("bad", "good", "so")
    assert verbalizer.answers == ("terrible", "awful", "great", "fine", "so-so")
    assert verbalizer.label_of == (0, 0, 1, 1, 2)
    scores = np.exp(verbalizer.label_scores(np.log(PROBABILITIES)))
    for found, row in zip(scores, PROBABILITIES, strict=True):
        np.testing.assert_allclose(found, by_hand(row, aggregation), rtol=1e-12)


def test_one_answer_a_label_is_a_softmax() -> None:
    logprobs = np.array([[-3.0, -1.0], [-200.0, -205.0], [-1e4, -1e4]])
    for aggregation in ("sum", "mean", "max"):
        scores = Verbalizer({"a": "x", "b": ["y"]}, aggregation=aggregation).label_scores(logprobs)
        expected = 1 / (1 + np.exp(np.array([2.0, -5.0, 0.0])))
        np.testing.assert_allclose(np.exp(scores[:, 0]), expected, rtol=1e-9)


ROWS = arrays(np.float64, (3, 5), elements=st.floats(-300, 0))


@given(ROWS, st.sampled_from(["sum", "mean", "max"]), st.floats(-50, 50))
def test_scores_are_normalised_and_know_no_offset(
    logprobs: np.ndarray, aggregation: Aggregation, offset: float
) -> None:
    verbalizer = Verbalizer(MANY, aggregation=aggregation)
    scores = verbalizer.label_scores(logprobs)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1)
    np.testing.assert_allclose(verbalizer.label_scores(logprobs + offset), scores, atol=1e-9)


def test_an_impossible_answer_harms_nobody() -> None:
    scores = Verbalizer({"a": ["x", "y"], "b": "z"}).label_scores(np.array([[-np.inf, -1.0, -1.0]]))
    np.testing.assert_allclose(np.exp(scores), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"a": "x"}, "two labels or more, found 1"),
        ({}, "two labels or more, found 0"),
        (["x", "y"], "answers map each label to its words, found"),
        ({"a": True, "b": "y"}, r"'a' has the answer True; .*in YAML, quote"),
        ({"a": None, "b": "y"}, "'a' has the answer None"),
        ({"a": [], "b": "y"}, "'a' has no answer"),
        ({"a": "  ", "b": "y"}, "'a' has the answer '  ', which has no tokens"),
        ({"a": [True], "b": "y"}, r"answer True, .*quote words such as yes, no"),
        ({"a": "x", "b": ["y", "x"]}, "'x' stands for both 'a' and 'b'"),
        ({"a": {"x": 0.0}, "b": "y"}, "'x' of label 'a' has weight 0.0; use > 0"),
        ({"a": {"x": float("nan")}, "b": "y"}, "weight nan"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_faults(answers: Any, message: str) -> None:
    with pytest.raises(VerbalizerError, match=message):
        Verbalizer(answers)


@pytest.mark.usefixtures("unchecked")
def test_unknown_aggregation() -> None:
    with pytest.raises(VerbalizerError, match=r"unknown aggregation 'avg'.*sum, mean, max"):
        Verbalizer({"a": "x", "b": "y"}, aggregation="avg")  # type: ignore[arg-type]


def test_labels_of_the_task_must_fit() -> None:
    verbalizer = Verbalizer({"a": "x", "b": "y"})
    verbalizer.check_labels(["b", "a"])
    with pytest.raises(VerbalizerError, match=r"no answer for the label 'c'; the task's.*'c'"):
        verbalizer.check_labels(["a", "b", "c"])
    with pytest.raises(VerbalizerError, match=r"'c' and answers for 'b', which the task does not"):
        verbalizer.check_labels(["a", "c"])


def test_settings_come_back() -> None:
    verbalizer = Verbalizer(MANY, aggregation="max", length_normalise=True)
    settings = json.loads(json.dumps(verbalizer.settings()))
    assert Verbalizer.from_settings(settings) == verbalizer
    assert len({verbalizer, Verbalizer.from_settings(settings)}) == 1


def test_what_people_see() -> None:
    verbalizer = Verbalizer(MANY)
    assert str(verbalizer) == "bad=terrible/awful, good=great/fine, so=so-so"
    assert [verbalizer.first_answer(label) for label in verbalizer.labels] == [
        "terrible",
        "great",
        "so-so",
    ]
