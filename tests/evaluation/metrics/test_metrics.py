"""Metrics against their packages and against cases worked by hand."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.evaluation.metrics import (
    Accuracy,
    CalibrationError,
    ExactMatch,
    MacroF1,
    Matthews,
    MeanMetric,
    MeanReciprocalRank,
    Metric,
    NumericMatch,
    PrecisionAtK,
    Rouge,
    SpanF1,
    get_metric,
    metric_names,
)
from promptlab.evaluation.predictions import Prediction, Predictions

ALLOWED_CODE = (
    __name__,
    "no_such_module",
    "math",
)


def table(*pairs: tuple[str | None, str | None]) -> Predictions:
    """Predictions from (label, target) pairs; a label of None is unparsed."""
    return Predictions(
        Prediction(str(number), label, target, unparsed=label is None)
        for number, (label, target) in enumerate(pairs)
    )


def ranked(*pairs: tuple[list[str], str]) -> Predictions:
    return Predictions(
        Prediction(str(number), ranking[0], target, trace={"ranking": ranking})
        for number, (ranking, target) in enumerate(pairs)
    )


class Length(MeanMetric):
    """A metric from outside: the share of labels longer than one character."""

    name = "length"

    def row_value(self, row: Prediction, target: str) -> float:
        return float(len(row.label or "") > 1)


def test_accuracy_counts_unparsed_as_wrong() -> None:
    rows = table(("a", "a"), ("b", "a"), (None, "a"), ("b", "b"))
    assert Accuracy().compute(rows) == 0.5
    assert Accuracy().per_example(rows) == [1.0, 0.0, 0.0, 1.0]


def test_macro_f1_by_hand() -> None:
    rows = table(("a", "a"), ("a", "b"), ("b", "b"), (None, "a"))
    # a: precision 1/2, recall 1/2, F1 1/2.  b: precision 1, recall 1/2, F1 2/3.
    assert MacroF1().compute(rows) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert MacroF1().per_example(rows) is None


def test_matthews_by_hand_and_when_one_class_is_predicted() -> None:
    # true positives 2, true negatives 1, false positives 1, false negatives 1
    rows = table(("p", "p"), ("p", "p"), ("n", "n"), ("p", "n"), ("n", "p"))
    expected = (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2)
    assert Matthews().compute(rows) == pytest.approx(expected)
    assert Matthews().compute(table(("p", "p"), ("p", "n"))) == 0.0


def test_exact_match_by_hand() -> None:
    rows = table(("The Eiffel Tower!", "eiffel tower"), ("a", "the"), (None, "x"), ("x ", "X"))
    assert ExactMatch().per_example(rows) == [1.0, 0.0, 0.0, 1.0]
    rows = table(("-5", "5"), ("3.5", "35"), ("1/2", "12"), ("C++", "C"), ("1,000", "1000.0"))
    assert ExactMatch().per_example(rows) == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_every_metric_says_what_it_takes_to_be_equal() -> None:
    for name in metric_names():
        assert get_metric(name).normalization, name


def test_numeric_match() -> None:
    rows = table(
        ("so it is $1,234.00", "#### 1234"),
        ("0.3333333", "0.33333333"),
        ("6", "7"),
        ("six", "6"),
        ("5", "-5"),
    )
    assert NumericMatch().per_example(rows) == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert NumericMatch(tolerance=1.0).per_example(rows) == [1.0, 1.0, 1.0, 1.0, 0.0]
    with pytest.raises(InputError, match="holds no number"):
        NumericMatch().compute(table(("6", "many")))


def test_precision_at_k_and_reciprocal_rank() -> None:
    rows = ranked((["Warsaw", "Cracow"], "Warsaw"), ([" Rome", "Paris "], "Paris"), (["x"], "y"))
    assert PrecisionAtK(1).compute(rows) == pytest.approx(1 / 3)
    assert PrecisionAtK(2).compute(rows) == pytest.approx(2 / 3)
    assert MeanReciprocalRank().per_example(rows) == [1.0, 0.5, 0.0]
    assert get_metric("precision_at_10").compute(rows) == pytest.approx(2 / 3)


def test_ranks_fall_back_on_scores() -> None:
    scores = {"a": math.log(0.2), "b": math.log(0.7), "c": math.log(0.1)}
    rows = Predictions([Prediction("1", "b", "a", scores=scores)])
    assert MeanReciprocalRank().compute(rows) == 0.5
    with pytest.raises(InputError, match="no ranking"):
        PrecisionAtK().compute(table(("a", "a")))


def test_calibration_error_by_hand() -> None:
    def row(number: int, confidence: float, right: bool) -> Prediction:
        scores = {"a": math.log(confidence), "b": math.log(1 - confidence)}
        return Prediction(str(number), "a", "a" if right else "b", scores=scores)

    rows = Predictions([row(1, 0.9, True), row(2, 0.95, False), row(3, 0.6, True)])
    # Two bins' worth at ten bins: (0.8, 0.9] .1 off, (0.9, 1] .95 off, (0.5, 0.6] .4 off.
    assert CalibrationError(bins=10).compute(rows) == pytest.approx((0.1 + 0.95 + 0.4) / 3)
    # One bin: accuracy 2/3 against mean confidence 0.81667.
    assert CalibrationError(bins=1).compute(rows) == pytest.approx(0.15)
    assert not CalibrationError().higher_is_better
    with pytest.raises(InputError, match="no score"):
        CalibrationError().compute(table(("a", "a")))


def test_calibration_error_of_certainty() -> None:
    rows = Predictions([Prediction("1", "a", "a", scores={"a": 0.0, "b": -math.inf})])
    assert CalibrationError().compute(rows) == 0.0


def test_span_f1_on_lines() -> None:
    pytest.importorskip("seqeval")
    rows = table(
        ("Rome -> LOC\nAnna -> PER", "Anna -> PER\nRome -> LOC"),  # order does not matter
        ("Rome -> PER", "Rome -> LOC"),  # right words, wrong type
        (None, "none"),
        ("x -> PER\nx -> PER", "x -> PER"),  # a repetition too many
    )
    # 3 right of 5 found and 4 true.
    assert SpanF1().compute(rows) == pytest.approx(2 * (3 / 5) * (3 / 4) / (3 / 5 + 3 / 4))


def test_span_f1_on_tags() -> None:
    pytest.importorskip("seqeval")
    rows = table(("B-PER I-PER O", "B-PER I-PER O"), ("B-LOC O", "B-LOC I-LOC"), ("what", "O O"))
    assert SpanF1().compute(rows) == pytest.approx(0.5)
    assert SpanF1().compute(table(("none", "none"), (None, ""))) == 1.0
    with pytest.raises(InputError, match="neither"):
        SpanF1().compute(table(("a", "Rome is a place")))


def test_span_f1_of_counts_is_seqeval_s() -> None:
    pytest.importorskip("seqeval")
    rows = table(
        ("Rome -> LOC\nAnna -> PER", "Anna -> PER\nRome -> LOC"),
        ("B-PER I-PER O B-LOC", "B-PER I-PER O O"),
        ("Rome -> PER", "Rome -> LOC"),
        (None, "none"),
        ("x -> PER\nx -> PER", "x -> PER"),
    )
    metric = SpanF1()
    for part in (rows, rows[:1], rows[2:3], rows[3:4], rows[1:]):
        sums = np.array(metric.counts(part)).sum(axis=0)
        assert metric.of_counts(sums) == pytest.approx(metric.compute(part))


def test_rouge_equals_its_package() -> None:
    pytest.importorskip("rouge_score")
    same = table(("не так плохо", "не так плохо"), ("很好的电影", "很好的电影"), ("好", "坏"))
    assert Rouge("1").per_example(same) == [1.0, 1.0, 0.0]
    rows = table(("the cat sat", "the cat sat down"), (None, "x"))
    # Longest common subsequence 3 words: precision 1, recall 3/4.
    assert Rouge().per_example(rows) == pytest.approx([6 / 7, 0.0])
    assert Rouge("2").compute(rows) == pytest.approx((0.8 + 0) / 2)


def test_bleu_and_chrf_of_equal_texts() -> None:
    pytest.importorskip("sacrebleu")
    rows = table(("a longer sentence to be compared", "a longer sentence to be compared"))
    assert get_metric("bleu").compute(rows) == pytest.approx(1.0)
    assert get_metric("chrf").compute(rows) == pytest.approx(1.0)
    assert get_metric("bleu").compute(table((None, "some words here now"))) == 0.0


@pytest.mark.parametrize(
    ("name", "package"), [("span_f1", "seqeval"), ("rouge", "rouge_score"), ("bleu", "sacrebleu")]
)
def test_a_missing_package_is_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [package, *(m for m in sys.modules if m.startswith(package + "."))]:
        monkeypatch.setitem(sys.modules, module, None)
    command = f"pip install {package.replace('_', '-')}"
    with pytest.raises(InputError, match=command):
        get_metric(name).compute(table(("a -> B", "a -> B")))


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_knows_its_name_and_refuses_an_empty_table(name: str) -> None:
    metric = get_metric(name)
    assert metric.name == name
    assert name in repr(metric)
    with pytest.raises(InputError):
        metric.compute(Predictions())


def test_a_row_without_target_is_named() -> None:
    with pytest.raises(InputError, match="'0' has no label"):
        Accuracy().compute(table(("a", None)))


def test_unknown_metric_lists_the_names() -> None:
    with pytest.raises(InputError, match="accuracy, bleu, calibration_error"):
        get_metric("acuracy")
    with pytest.raises(InputError, match="at least 1"):
        get_metric("precision_at_0")


def test_a_metric_from_outside() -> None:
    metric = get_metric(f"{__name__}:Length")
    assert isinstance(metric, Metric)
    assert metric.compute(table(("aa", "a"), ("a", "a"))) == 0.5
    with pytest.raises(InputError, match="cannot be imported"):
        get_metric("no_such_module:Length")
    with pytest.raises(InputError, match="no subclass"):
        get_metric("math:pi")
