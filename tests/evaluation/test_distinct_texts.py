"""Repeated texts count once in tests and intervals."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.evaluation.distinct_texts import (
    clustered_interval,
    mean_interval,
    proportion_interval,
    sum_counts,
    text_means,
)
from promptlab.evaluation.evaluation import Evaluation, sample_size_text
from promptlab.evaluation.predictions import Prediction, Predictions, answered_by_both
from promptlab.evaluation.statistics import mcnemar_exact, wilson_interval, wilson_interval_of_share
from promptlab.study.spec.objective import compare_paired, make_objective, summarize_predictions


def table(right: Sequence[bool], ids: Sequence[str] | None = None) -> Predictions:
    return Predictions(
        Prediction(str(n) if ids is None else ids[n], "a" if is_right else "b", "a")
        for n, is_right in enumerate(right)
    )


def test_without_repeats_the_interval_is_wilsons() -> None:
    right = [True] * 14 + [False] * 6
    assert proportion_interval(right, range(20)) == wilson_interval(14, 20)
    assert wilson_interval_of_share(0.7, 20) == wilson_interval(14, 20)
    low, high = wilson_interval_of_share(0.7, 20.0001)
    assert (low, high) == pytest.approx(wilson_interval(14, 20), abs=1e-5)


def test_a_table_written_twice_knows_no_more() -> None:
    right = [True] * 14 + [False] * 6
    twice = proportion_interval(right * 2, [*range(20)] * 2)
    low, high = wilson_interval(14, 20)
    assert twice == pytest.approx((low, high), abs=0.02)
    narrow = wilson_interval(28, 40)
    assert twice[1] - twice[0] > narrow[1] - narrow[0] + 0.05
    assert clustered_interval([[2, 2]] * 14 + [[0, 2]] * 6) == twice
    assert proportion_interval([True] * 40, [*range(20)] * 2) == wilson_interval(20, 20)
    assert proportion_interval([True, False], ["same", "same"]) == wilson_interval_of_share(0.5, 1)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """500 draws of 60 texts that stand one to five times; the share of rows is estimated."""
    draw = random.Random(5)
    held = held_by_rows = 0
    for _ in range(500):
        right: list[bool] = []
        texts: list[int] = []
        for text in range(60):
            times = draw.choice((1, 1, 2, 5))
            right += [draw.random() < 0.75] * times
            texts += [text] * times
        low, high = proportion_interval(right, texts)
        held += low <= 0.75 <= high
        low, high = wilson_interval(sum(right), len(right))
        held_by_rows += low <= 0.75 <= high
    assert held >= 460
    assert held_by_rows < 440


def test_means_and_sums_of_texts() -> None:
    assert text_means([0.1, 0.1, 0.1, 1.0, 0.0], ["a", "a", "a", "b", "b"]) == [0.1, 0.5]
    assert sum_counts([(1, 0), (1, 2), (0, 1)], ["a", "b", "a"]) == [(1, 1), (1, 2)]
    low, high = mean_interval([0.2, 0.4, 0.9, 0.9], ["a", "b", "c", "c"], seed=1)
    assert low < 0.6 < high
    with pytest.raises(InputError, match="a value and a text"):
        text_means([1.0], [])


def test_mcnemar_counts_a_text_once() -> None:
    """Eight texts, of which one stands ten times: a alone is right about that one."""
    texts = {str(n): 0 if n < 10 else n for n in range(17)}
    a = table([True] * 17)
    b = table([False] * 10 + [True] * 7)
    whole = compare_paired(make_objective("accuracy"), a, b, seed=1)
    assert whole.n == 17
    assert whole.p_value == pytest.approx(0.5**9)
    once = compare_paired(make_objective("accuracy"), a, b, seed=1, texts=texts)
    assert (once.test, once.n, once.n_discordant, once.p_value) == ("mcnemar_exact", 8, 1, 1.0)


def test_texts_whose_copies_disagree_are_resampled() -> None:
    texts = {str(n): n // 2 for n in range(40)}
    a = table([True, False] * 10 + [True] * 20)
    b = table([False] * 20 + [True] * 20)
    found = compare_paired(make_objective("accuracy"), a, b, seed=1, texts=texts)
    assert (found.test, found.n, found.n_discordant) == ("paired_bootstrap", 20, 10)
    assert found.difference == pytest.approx(0.25)


def test_the_summary_tells_rows_and_texts() -> None:
    rows = table([True] * 15 + [False] * 5)
    texts = {str(n): n // 2 for n in range(20)}
    found = summarize_predictions(rows, [make_objective("accuracy")], texts)
    assert (found["n"], found["n_distinct"], found["n_missing"]) == (20, 10, 0)
    own, plain = found["ci95"], summarize_predictions(rows, [make_objective("accuracy")])["ci95"]
    assert own[1] - own[0] > plain[1] - plain[0]


def test_only_what_both_answered_is_paired() -> None:
    a = table([True] * 24)
    b = Predictions(
        Prediction(row.example_id, None, "a", unparsed=True, error="429") if n < 8 else row
        for n, row in enumerate(table([True] * 24))
    )
    found = compare_paired(make_objective("accuracy"), a, b, seed=1)
    assert (found.p_value, found.n, found.n_discordant, found.difference) == (1.0, 16, 0, 0.0)
    nothing = compare_paired(make_objective("accuracy"), a, b[:8], seed=1)
    assert (nothing.test, nothing.p_value, nothing.n) == ("not_compared", 1.0, 0)
    evaluated = Evaluation.from_predictions(b, ("macro_f1",))
    assert (evaluated.accuracy, evaluated.n, evaluated.n_missing) == (1.0, 16, 8)
    assert evaluated.metrics == {"macro_f1": 1.0}
    assert evaluated.unparsed_rate == 0.0
    assert "n = 16 of 24 answered" in str(evaluated)
    assert not b.failures()
    assert b.with_answers(a[:8]).n_missing == 0
    assert [len(rows) for rows in answered_by_both(a, b)] == [16, 16]
    with pytest.raises(InputError, match="none of the 8 examples was answered"):
        Evaluation.from_predictions(b[:8])
    assert sample_size_text(1000, 0, 730) == "n = 1,000, 730 distinct texts"


@pytest.mark.parametrize("name", ["macro_f1", "matthews"])
def test_corpus_metrics_are_their_counts(name: str) -> None:
    metric = make_objective(name).metric
    assert metric is not None
    draw = random.Random(3)
    for classes in ("ab", "abcd"):
        rows = Predictions(
            Prediction(str(n), draw.choice([*classes, None]), draw.choice(classes))
            for n in range(60)
        )
        rows = Predictions(
            Prediction(r.example_id, r.label, r.target, unparsed=r.label is None) for r in rows
        )
        sums = np.array(metric.counts(rows)).sum(axis=0)
        assert float(metric.of_counts(sums)) == pytest.approx(metric.compute(rows))
    one = Predictions([Prediction("1", "a", "a"), Prediction("2", "a", "a")])
    sums = np.array(metric.counts(one)).sum(axis=0)
    assert float(metric.of_counts(sums)) == pytest.approx(metric.compute(one))


def test_macro_f1_is_tested_by_macro_f1() -> None:
    """As many are right, but one of the two never finds the rare class."""
    targets = ["a"] * 90 + ["b"] * 30
    always = Predictions(Prediction(str(n), "a", t) for n, t in enumerate(targets))
    labels = ["b"] * 30 + ["a"] * 60 + ["b"] * 30
    finds = Predictions(
        Prediction(str(n), label, t)
        for n, (label, t) in enumerate(zip(labels, targets, strict=True))
    )
    assert mcnemar_exact(finds.correct, always.correct).p_value == 1.0
    found = compare_paired(make_objective("macro_f1"), finds, always, seed=1)
    assert (found.test, found.measure) == ("paired_bootstrap", "macro_f1")
    assert found.difference > 0.2
    assert found.p_value < 0.001


def test_costs_are_compared_by_costs() -> None:
    few = Predictions(Prediction(str(n), "a", "a", tokens_in=10) for n in range(20))
    many = Predictions(Prediction(str(n), "a", "a", tokens_in=12 + n % 2) for n in range(20))
    found = compare_paired(make_objective("tokens"), few, many, seed=1)
    assert found.measure == "tokens"
    assert found.difference == pytest.approx(-2.5)
    assert found.p_value < 0.001
