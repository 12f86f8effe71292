"""Metrics of ordered labels against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from promptlab.errors import InputError
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Prediction, Predictions

STARS = st.integers(1, 5)


def table(pairs: list[tuple[object, object]]) -> Predictions:
    return Predictions(
        Prediction(str(n), None if label is None else str(label), target=str(target))
        for n, (target, label) in enumerate(pairs)
    )


@given(st.lists(st.tuples(STARS, STARS), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    found = get_metric("quadratic_kappa").compute(table(list(pairs)))
    targets, labels = zip(*pairs, strict=True)
    if len({*targets, *labels}) > 1:
        wanted = cohen_kappa_score(targets, labels, weights="quadratic", labels=range(1, 6))
        assert found == pytest.approx(wanted, abs=1e-9)
    else:
        assert found == 1.0
    assert -1 <= found <= 1


def test_kappa_of_resamples_is_the_kappa_of_their_rows() -> None:
    metric = get_metric("quadratic_kappa")
    pairs: list[tuple[object, object]] = [(1, 2), (5, 5), (3, 3), (4, 2), (2, 1)]
    counts = np.array(metric.counts(table(pairs)))
    draws = np.array([[0, 1, 2, 3, 4], [0, 0, 1, 3, 3]])
    values = metric.of_counts(counts[draws].sum(axis=1))
    for draw, value in zip(draws, values, strict=True):
        assert value == pytest.approx(metric.compute(table([pairs[i] for i in draw])))


def test_error_in_stars() -> None:
    metric = get_metric("mean_absolute_error")
    assert not metric.higher_is_better
    rows = table([(1, 2), (5, 5), (3, 1), ("4.5", "4")])
    assert metric.per_example(rows) == [1.0, 0.0, 2.0, 0.5]
    assert metric.compute(rows) == pytest.approx(0.875)


def test_unparsed_replies_are_as_far_off_as_can_be() -> None:
    rows = table([(1, None), (5, 5), (4, None)])
    assert get_metric("mean_absolute_error").per_example(rows) == [4.0, 0.0, 3.0]
    assert get_metric("quadratic_kappa").compute(rows) < 0


@pytest.mark.parametrize("name", ["quadratic_kappa", "mean_absolute_error"])
def test_labels_without_an_order_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="the label 'good' of example '0' is no number"):
        get_metric(name).compute(table([("good", "bad")]))
