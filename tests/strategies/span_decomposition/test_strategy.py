"""Tagging by stretches: candidates, exact selection, tuning, and every family of model."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from promptlab.candidates.span_decomposition import DecompositionKind, DecompositionSettings
from promptlab.data.example import Example
from promptlab.data.load_task import load_task
from promptlab.data.task import Task
from promptlab.errors import InputError, NotFittedError, StudyError
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.trace import Trace
from promptlab.models.local import LocalModel
from promptlab.predictors.base import load
from promptlab.strategies.span_decomposition.spans import (
    TextSpan,
    candidate_spans,
    select_non_overlapping,
)
from promptlab.strategies.span_decomposition.strategy import SpanDecomposition
from promptlab.study.spec.load import find_study_file, load_spec
from promptlab.study.spec.space import SearchSpace
from tests.helpers.scripted_model import ScriptedModel

TEMPLATE = "{text} {span} is {mask} entity."
ANSWERS = {"PER": "a person", "LOC": "a location", "O": "not a named"}
NAMES = {"Marie Curie": "PER", "Warsaw": "LOC", "Paris": "LOC", "Rio de Janeiro": "LOC"}
TRAIN = [
    Example("1", {"text": "Marie Curie left Warsaw ."}, "Marie Curie -> PER\nWarsaw -> LOC"),
    Example("2", {"text": "She went to Paris ."}, "Paris -> LOC"),
    Example("3", {"text": "It rained ."}, "none"),
]


def knows(prompt: str, answer: str) -> float:
    """Sure of the names; everything else is a little more likely a person than nothing."""
    phrase = prompt.removesuffix(" is {mask} entity.").split(" . ")[-1]
    kind = NAMES.get(phrase, "")
    if kind:
        return 0.0 if answer == ANSWERS[kind] else -6.0
    return {"a person": -1.0, "a location": -3.0, "not a named": -2.0}[answer]


def made(model: Any, **options: Any) -> SpanDecomposition:
    return SpanDecomposition(TEMPLATE, ANSWERS, model, **options)


def test_stretches() -> None:
    words = ["In", "Rio", "de", "Janeiro", ",", "3", "cats"]
    every = candidate_spans(words, 3, "all")
    assert len(every) == 7 + 6 + 5
    some = [s.phrase for s in candidate_spans(words, 3, "words")]
    assert "Rio de Janeiro" in some and "Janeiro ," not in some and "Janeiro , 3" in some
    assert [s.phrase for s in candidate_spans(words, 3, "capitalised")] == [
        "In", "In Rio", "Rio", "Rio de Janeiro", "Janeiro",
    ]  # fmt: skip
    assert candidate_spans([], 3) == []


def test_optimal_selection_is_exact() -> None:
    source = random.Random(3)

    def overlap(one: TextSpan, other: TextSpan) -> bool:
        return one.start < other.end and other.start < one.end

    for _ in range(60):
        words = [str(n) for n in range(source.randint(1, 5))]
        margins = {s: source.uniform(-2, 3) for s in candidate_spans(words, 3, "all")}
        bias = source.choice([0.0, 0.7])
        best = 0.0
        for size in range(1, len(words) + 1):
            for group in combinations([s for s in margins if margins[s] > bias], size):
                if not any(overlap(a, b) for a, b in combinations(group, 2)):
                    best = max(best, sum(margins[s] - bias for s in group))
        chosen = select_non_overlapping(margins, "optimal", bias)
        assert sum(margins[s] - bias for s in chosen) == pytest.approx(best)
        greedy = select_non_overlapping(margins, "greedy", bias)
        for group in (chosen, greedy):
            assert not any(overlap(a, b) for a, b in combinations(group, 2))
            assert group == sorted(group, key=lambda s: s.start)
        assert sum(margins[s] - bias for s in greedy) <= best + 1e-9


def test_greedy_and_optimal_differ() -> None:
    left, right, both = TextSpan(0, 1, "a"), TextSpan(1, 2, "b"), TextSpan(0, 2, "a b")
    margins = {left: 2.0, right: 2.0, both: 3.0}
    assert select_non_overlapping(margins, "greedy") == [both]
    assert select_non_overlapping(margins, "optimal") == [left, right]
    assert select_non_overlapping(margins, "optimal", 2.5) == [both]


def test_names_are_found_and_the_bias_is_tuned() -> None:
    model = ScriptedModel(rate=knows)
    with pytest.raises(NotFittedError, match="tuned on labelled examples"):
        made(model).predict(["Paris"])
    raw = made(model, bias=0.0).predict([TRAIN[2]])[0]
    assert raw.label == "It -> PER\nrained -> PER"  # the model's own bias
    tuned = made(model).fit(TRAIN)
    assert 1.0 < tuned.threshold < 6.0
    test = [
        Example("4", {"text": "Marie Curie saw Rio de Janeiro ."},
                "Marie Curie -> PER\nRio de Janeiro -> LOC"),
        Example("5", {"text": "Paris is Paris ."}, "Paris -> LOC\nParis -> LOC"),
        Example("6", {"text": "None here"}, "none"),
        Example("7", {"text": ""}, "none"),
    ]  # fmt: skip
    rows = tuned.predict(test)
    assert rows.labels == rows.targets
    pytest.importorskip("seqeval")
    assert get_metric("span_f1").compute(rows) == 1.0


def test_tuning_counts_as_the_metric_does() -> None:
    pytest.importorskip("seqeval")
    source = random.Random(5)
    chances: dict[str, float] = {}

    def chance(prompt: str, answer: str) -> float:
        return chances.setdefault(f"{prompt}|{answer}", source.uniform(-3, 0))

    fitted = made(ScriptedModel(rate=chance)).fit(TRAIN)
    best = get_metric("span_f1").compute(fitted.predict(TRAIN))
    for bias in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0):
        other = made(ScriptedModel(rate=chance), bias=bias).predict(TRAIN)
        assert get_metric("span_f1").compute(other) <= best + 1e-9


def test_cost_and_trace() -> None:
    model = ScriptedModel(rate=knows)
    fitted = made(model, bias=2.0, keep="capitalised")
    (row,) = fitted.predict([TRAIN[0]])
    (step,) = Trace.from_record(row.trace).steps
    # Marie, Marie Curie, Curie, Curie left Warsaw, Warsaw
    assert step.notes["prompts"] == 5 == len(model.scored)
    assert row.tokens_in == sum(len(prompt.split()) for prompt in model.scored)
    assert row.tokens_out == 5 * (2 + 2 + 3)
    assert "Marie Curie -> PER" in step.reply
    assert fitted.example_prompt(TRAIN[0]).endswith("Marie is {mask} entity.")
    model.scored.clear()
    made(model, bias=2.0).predict(["Paris is Paris ."])
    assert len(model.scored) == len(set(model.scored))  # a phrase is asked about once


def test_contextual_calibration_takes_off_the_models_habit() -> None:
    def habit(prompt: str, answer: str) -> float:
        return {"a person": -0.1, "a location": -4.0, "not a named": -3.0}[answer] + (
            6.0 if NAMES.get(prompt.split(" . ")[-1].partition(" is ")[0]) == "LOC"
            and answer == "a location" else 0.0
        )  # fmt: skip

    plain = made(ScriptedModel(rate=habit), bias=0.0).predict([TRAIN[1]])[0]
    assert "She -> PER" in (plain.label or "")
    better = made(ScriptedModel(rate=habit), bias=0.1, calibration="contextual")
    assert better.predict([TRAIN[1]])[0].label == "Paris -> LOC"


def test_solved_phrases_stand_before_the_prompt(tmp_path: Path) -> None:
    model = ScriptedModel(rate=lambda text, answer: knows(text.split("\n\n")[-1], answer))
    with pytest.raises(NotFittedError, match="3 demonstrations are to be drawn"):
        made(model, bias=0.0, demonstrations=3).predict(["Paris"])
    fitted = made(model, demonstrations=3).fit(TRAIN)
    *shown, asked = fitted.example_prompt({"text": "Warsaw"}).split("\n\n")
    assert asked == "Warsaw Warsaw is {mask} entity."
    answers = sorted(line.partition(" is ")[2] for line in shown)
    assert answers == ["a location entity.", "a person entity.", "not a named entity."]
    # Sentences whose solutions are shown are not tuned on.
    tuned_on = {prompt.split("\n\n")[-1].split(" .")[0] for prompt in model.scored}
    sources = {line.split(" .")[0] for line in shown}
    assert not tuned_on & sources or len(sources) == len(TRAIN)
    fitted.save(tmp_path)
    again = load(tmp_path, model)
    assert again.settings() == fitted.settings()
    assert again.example_prompt({"text": "Warsaw"}) == fitted.example_prompt({"text": "Warsaw"})
    assert made(model, demonstrations=3).fit(TRAIN).settings() == fitted.settings()
    with pytest.raises(InputError, match="99 solved phrases are to be shown"):
        made(model, demonstrations=99).fit(TRAIN)


def test_a_long_text_fails_alone() -> None:
    rows = made(ScriptedModel(rate=knows, max_tokens=12), bias=2.0).predict(
        ["Paris .", "far " * 30]
    )
    assert rows[0].label == "Paris -> LOC"
    assert rows[1].label is None and rows[1].unparsed and rows[1].error is None
    assert "tokens and scripted takes 12" in str(rows[1].trace)


@pytest.mark.parametrize("family", ["masked", "causal", "seq2seq"])
def test_every_family_of_model(family: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model: LocalModel = request.getfixturevalue(family)
    answers = {"good": "good", "O": "bad"}
    template = "{text} the {span} was {mask} ."
    fitted = SpanDecomposition(template, answers, model, longest=2, calibration="contextual")
    rows = [
        Example("a", {"text": "the film was great ."}, "film -> good"),
        Example("b", {"text": "a dull plot"}, "none"),
    ]
    fitted.fit(rows)
    found = fitted.predict(rows)
    assert not found.errors
    fitted.save(tmp_path)
    again = load(tmp_path, model)
    assert isinstance(again, SpanDecomposition)
    assert again.settings() == fitted.settings()
    assert again.threshold == fitted.threshold
    assert again.predict(rows).labels == found.labels
    for row, example in zip(found, rows, strict=True):
        assert fitted.predict([example])[0].label == row.label


def test_what_cannot_work_is_refused() -> None:
    model = ScriptedModel(rate=knows)
    with pytest.raises(InputError, match=r"write \{span\} in it"):
        SpanDecomposition("{text} is {mask}", ANSWERS, model)
    with pytest.raises(InputError, match="name the one whose words are tagged"):
        SpanDecomposition("{a} {b} {span} is {mask}", ANSWERS, model)
    with pytest.raises(InputError, match="no label for 'no name'"):
        SpanDecomposition(TEMPLATE, {"PER": "a", "LOC": "b"}, model)
    with pytest.raises(InputError, match="batch calibration"):
        made(model, calibration="batch")
    with pytest.raises(InputError, match="there are none; give some, or a bias"):
        made(model).fit([])
    with pytest.raises(InputError, match="the label of example 'x' is no list"):
        made(model).fit([Example("x", {"text": "hm"}, "positive")])
    with pytest.raises(InputError, match="selection is one of optimal, greedy"):
        made(model, selection="best")


def task() -> Task:
    dev = [Example("d", {"text": "He left Paris ."}, "Paris -> LOC")]
    test = [Example("t", {"text": "Warsaw is old ."}, "Warsaw -> LOC")]
    return Task("names", tuple(TRAIN), tuple(dev), tuple(test), (), "span_f1", ("text",))


def group(**changes: Any) -> DecompositionSettings:
    inline = {"name": "is", "text": TEMPLATE, "answers": ANSWERS}
    document: dict[str, Any] = {"kind": "decomposition", "templates": [inline]}
    return DecompositionSettings(**document | changes)


def test_the_kind() -> None:
    space = SearchSpace(
        [group(longest=[1, 3], selection=["optimal", "greedy"], bias=["tuned", 1.5],
               calibration=["none", "contextual"])],
        task(),
    )  # fmt: skip
    assert len(space.enumerate(50) or []) == 16
    model = ScriptedModel(rate=knows)
    space = SearchSpace([group()], task())
    space.check(model)
    candidate = space.single()
    assert candidate.name == "is by spans"
    (kind,) = space.kinds.values()
    assert isinstance(kind, DecompositionKind)
    rows = kind.fit(candidate, model).predict(task().dev)
    assert rows.labels == rows.targets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": ["{text} {mask}"]}, r"write \{span\} in it"),
        ({"templates": ["{body} {span} {mask}"]}, "reads the field 'body', which the data lacks"),
        ({"templates": [TEMPLATE]}, "has no answers of its own"),
        ({"verbalizers": [{"PER": "a", "O": "b"}]}, "has no answer for the type 'LOC'"),
    ],
)
def test_faults_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        SearchSpace([group(**changes)], task())


@pytest.mark.default_model
def test_the_shipped_study_is_valid() -> None:
    spec = load_spec(find_study_file("ner-decomposition"))
    data = load_task("ner-conll", train=40, dev=30, test=60)
    space = SearchSpace(spec.candidates, data)  # type: ignore[union-attr]
    assert len(space.enumerate(50) or []) == 5
