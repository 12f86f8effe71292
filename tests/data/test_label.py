"""Labels: equal ones are one text, whatever type they come in."""

from __future__ import annotations

import datetime
import enum
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import promptlab as pl
from promptlab.data.label import canonical_label, canonical_labels, is_missing
from promptlab.errors import InputError, VerbalizerError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.loading import from_transformers
from promptlab.prompts.parsers.parsers import ChoiceParser, parser_from_settings


class Mood(enum.Enum):
    BAD = 0
    GOOD = "good "


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("good", "good"), (" good\n", "good"), ("Good", "Good"), ("1.0", "1.0"),
        (0, "0"), (1.0, "1"), (-0.0, "0"), (1.5, "1.5"), (10**30, "1" + "0" * 30),
        (True, "true"), (False, "false"), (np.bool_(True), "true"), (np.str_("x "), "x"),
        (np.int64(3), "3"), (np.uint8(4), "4"), (np.float32(0.1), "0.1"), (np.array(2), "2"),
        (torch.tensor(1), "1"), (torch.tensor(True), "true"), (torch.tensor(2.0), "2"),
        (Mood.BAD, "0"), (Mood.GOOD, "good"), (Decimal("1.50"), "1.5"), (Decimal("2.0"), "2"),
        (Fraction(1, 2), "1/2"), (Fraction(4, 2), "2"), (b"yes", "yes"), ((1, "a"), '["1", "a"]'),
        (datetime.date(2026, 1, 2), "2026-01-02"), (np.datetime64("2026-01-02"), "2026-01-02"),
    ],
)  # fmt: skip
def test_one_text_for_equal_labels(value: Any, text: str) -> None:
    assert canonical_label(value) == text
    assert canonical_label(canonical_label(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        None, float("nan"), np.float32("nan"), Decimal("nan"), Decimal("sNaN"),
        np.datetime64("NaT"), object(), [1], {1}, {"a": 1}, np.array([1, 2]), 1j, b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="label"):
        canonical_label(value)


@given(st.integers() | st.booleans() | st.floats(allow_nan=False) | st.decimals(allow_nan=False))
def test_equal_numbers_are_equal_labels(value: Any) -> None:
    text = canonical_label(value)
    assert text == text.strip() and text
    if isinstance(value, float) and value.is_integer():
        assert text == canonical_label(int(value)) == canonical_label(np.float64(value))


def test_missing() -> None:
    assert (
        is_missing(None) and is_missing(float("nan")) and not is_missing("") and not is_missing(0)
    )


@pytest.mark.parametrize("labels", [(1, "1"), ("a", "a "), (True, "true"), ("a", "a"), ("", "a")])
def test_two_labels_that_become_one_are_refused(labels: Any) -> None:
    with pytest.raises(InputError):
        canonical_labels(labels)
    with pytest.raises(InputError):
        ChoiceParser(tuple((label, (f"word{i}",)) for i, label in enumerate(labels)))
    if len(set(labels)) == 2:
        answers = {label: f"word{i}" for i, label in enumerate(labels)}
        with pytest.raises(VerbalizerError):
            pl.Verbalizer(answers)
        with pytest.raises(InputError):
            parser_from_settings({"type": "choice", "choices": answers})


def test_verbalizer_parser_and_example_say_the_same(tmp_path: Any) -> None:
    verbalizer = pl.Verbalizer({0: "bad", np.int64(1): "good", "true": "so"})
    assert verbalizer.labels == ("0", "1", "true")
    again = pl.Verbalizer.from_settings(json.loads(json.dumps(verbalizer.settings())))
    assert again == verbalizer
    verbalizer.check_labels([1.0, 0, True])
    assert verbalizer.first_answer(1) == verbalizer.first_answer("1") == "good"
    parser = parser_from_settings({"type": "choice", "choices": {0: "bad", 1: ["good"]}})
    assert parser.parse("It is good.") == pl.Example("1", {}, 1.0).label == "1"  # type: ignore[arg-type]
    assert parser_from_settings(json.loads(json.dumps(parser.settings()))) == parser


def test_labels_of_a_task_are_text() -> None:
    def examples(split: str) -> tuple[pl.Example, ...]:
        return tuple(
            pl.Example(f"{split}{i}", {"text": f"{split} {i}"}, label)  # type: ignore[arg-type]
            for i, label in enumerate((0, 1.0, np.int64(1)))
        )

    labels: Any = (0, 1)
    task = pl.Task("t", examples("a"), examples("b"), examples("c"), labels)
    assert task.labels == ("0", "1") and {e.label for e in task.test} == {"0", "1"}


@pytest.mark.parametrize(
    ("answers", "given_labels"),
    [
        ({0: "terrible", 1: "great"}, [1, 0]),
        ({0: "terrible", 1: "great"}, np.array([1.0, 0.0])),
        ({False: "terrible", True: "great"}, [np.bool_(True), False]),
        ({Mood.BAD: "terrible", Mood.GOOD: "great"}, [Mood.GOOD, Mood.BAD]),
        ({"0": "terrible", "1": "great"}, torch.tensor([1, 0])),
        ({1: "terrible", 5: "great"}, ["5 ", "1"]),
    ],
)
def test_predicted_labels_equal_targets(
    answers: Any, given_labels: Any, tiny_masked: Any, tmp_path: Any
) -> None:
    model = from_transformers(*tiny_masked)
    texts = ["the film was great", "a terrible mess"]
    clf = pl.PromptClassifier("{text} It was {mask}.", pl.Verbalizer(answers), model)
    rows = [
        pl.Example(str(i), {"text": text}, label)
        for i, (text, label) in enumerate(zip(texts, given_labels, strict=True))
    ]
    clf.fit(rows)
    found = clf.predict(rows)
    assert {*found.targets} == {*clf.labels}
    accuracy = clf.evaluate(rows).accuracy
    assert accuracy == sum(p == t for p, t in zip(found.labels, found.targets, strict=True)) / 2
    clf.save(tmp_path / "saved")
    again = pl.load(tmp_path / "saved", model)
    assert again.predict(rows).labels == found.labels
    found.to_jsonl(tmp_path / "rows.jsonl")
    assert Predictions.from_jsonl(tmp_path / "rows.jsonl").correct == found.correct


def test_labels_of_a_study_file_may_be_numbers() -> None:
    from promptlab.candidates.template import TemplateSettings

    made = TemplateSettings(
        kind="template",
        templates=["{text} It was {mask}."],
        verbalizers=[{1: "bad", 5.0: "good"}, {True: ["yes"], False: {"no": 2.0}}],
    )
    assert [list(answers) for answers in made.verbalizers] == [["1", "5"], ["true", "false"]]
