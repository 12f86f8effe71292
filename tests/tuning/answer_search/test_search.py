"""The search over tiny real models: its scores are the classifier's, and it reads slots once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.config import AnswerSearchConfig
from promptlab.tuning.answer_search.search import AnswerSearch, FoundAnswers
from promptlab.tuning.answer_search.slots import AnswerSlots
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

Fresh = Callable[..., LocalModel]
PREFIX, CLOZE = "{text} It was {mask}", "{text} It was {mask} ."
FAMILIES = [
    ("tiny_masked", CLOZE),
    ("tiny_roberta", CLOZE),
    ("tiny_causal", PREFIX),
    ("tiny_causal", CLOZE),
    ("tiny_gpt2", PREFIX),
    ("tiny_seq2seq", CLOZE),
    ("tiny_bart", PREFIX),
    ("tiny_capped", PREFIX),
]


def accuracy(rows: Predictions) -> float:
    return sum(rows.correct) / len(rows)


def slots_of(model: LocalModel, task: Task, text: str = CLOZE, **given: Any) -> AnswerSlots:
    tokens = TokenFilter(model.encoding, model.engine.network.virtual_tokens.first_id)
    return AnswerSlots(model, Template(text), task.labels, task.train, task.dev, tokens, **given)


def found_by(slots: AnswerSlots, **given: Any) -> FoundAnswers:
    return AnswerSearch(slots, AnswerSearchConfig(**given), accuracy).run()


def value_of(found: FoundAnswers, slots: AnswerSlots, rows: list[Example], **given: Any) -> float:
    """What the classifier with the found answers is worth on these rows."""
    made = PromptClassifier(slots.template, found.verbalizer, slots.model, **given)
    return accuracy(made.fit(slots.train).predict(rows))


@pytest.mark.parametrize(("name", "text"), FAMILIES)
@pytest.mark.parametrize("method", ["ratio", "assignment", "many_to_one"])
def test_the_found_value_is_the_classifiers(
    fresh: Fresh, task: Task, name: str, text: str, method: Any
) -> None:
    slots = slots_of(fresh(name), task, text)
    found = found_by(slots, method=method, words=2, candidates=6, kept=20)
    assert found.verbalizer.labels == task.labels
    assert found.value == value_of(found, slots, slots.dev)
    assert found.train_accuracy == pytest.approx(value_of(found, slots, slots.train))
    assert found.chosen_on == "dev"
    counts = [len(words) for words in found.verbalizer.mapping().values()]
    assert counts == [2, 2] if method == "ratio" else max(counts) <= 2
    assert found.corrected is not None and 0 <= found.corrected <= 1
    if method == "ratio":
        assert (found.tried, found.kept) == (1, 1)
        assert found.corrected == found.value
    else:
        assert found.tried >= found.kept > 1


@pytest.mark.parametrize("calibration", ["contextual", "pmi", "batch"])
@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
def test_calibrated_and_joined_as_the_classifier_does(
    fresh: Fresh, task: Task, calibration: Any, aggregation: Any
) -> None:
    slots = slots_of(fresh("tiny_gpt2"), task, PREFIX, calibration=calibration)
    options = {"calibration": calibration, "aggregation": aggregation}
    found = found_by(slots, method="many_to_one", words=3, candidates=5, **options)
    assert found.verbalizer.aggregation == aggregation
    assert found.value == value_of(found, slots, slots.dev, calibration=calibration)


@pytest.mark.parametrize(
    ("name", "text"), [row for row in FAMILIES if row != ("tiny_causal", CLOZE)][:6]
)
def test_no_forward_pass_after_the_slots_were_read(
    fresh: Fresh, task: Task, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    model = fresh(name)
    forwards = count_forwards(model, monkeypatch)
    slots = slots_of(model, task, text, calibration="contextual")
    first = len(forwards)
    assert first > 0
    for method in ("ratio", "assignment", "many_to_one"):
        for choose_on in ("dev", "train"):
            found_by(slots, method=method, choose_on=choose_on, calibration="contextual", words=2)
    slots_of(model, task, text)
    assert len(forwards) == first


def count_forwards(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with every forward of the network's module."""
    forwards: list[int] = []
    module = model.engine.network.model
    plain = type(module).forward

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        forwards.append(1)
        return plain(self, *args, **options)

    monkeypatch.setattr(type(module), "forward", counted)
    return forwards


def test_words_after_the_slot_of_a_causal_model_are_read_once(
    fresh: Fresh, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_causal")
    slots = slots_of(model, task, CLOZE)
    forwards = count_forwards(model, monkeypatch)
    found_by(slots, candidates=6)
    assert forwards
    seen = len(forwards)
    found_by(slots, candidates=6, method="many_to_one", words=2)
    assert len(forwards) == seen


def test_train_chooses_where_it_is_to_and_dev_is_not_looked_at(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    slots = slots_of(model, task)
    asked: list[set[str]] = []

    def measure(rows: Predictions) -> float:
        asked.append({row.example_id for row in rows})
        return accuracy(rows)

    found = AnswerSearch(slots, AnswerSearchConfig(choose_on="train", folds=4), measure).run()
    assert found.chosen_on == "train" and found.kept == 0 and found.folds == 4
    assert set().union(*asked) == {example.id for example in task.train}
    assert found.value == found.train_accuracy
    # Every prediction of the corrected score was made by a search that had not seen its example.
    assert asked[-1] == {example.id for example in task.train}


def test_the_correction_on_train_is_the_search_repeated_without_each_fold(
    fresh: Fresh, task: Task
) -> None:
    from promptlab.data.folds import text_folds

    model = fresh("tiny_gpt2")
    slots = slots_of(model, task, PREFIX)
    config = {"choose_on": "train", "folds": 2, "method": "many_to_one", "words": 2}
    found = found_by(slots, **config)
    folds = text_folds(slots.train, slots.targets, 2, AnswerSearchConfig.seed)
    assert folds is not None
    right = 0.0
    for fold in (0, 1):
        rest = [e for e, of in zip(slots.train, folds, strict=True) if of != fold]
        held = [e for e, of in zip(slots.train, folds, strict=True) if of == fold]
        part = Task("part", tuple(rest), tuple(task.dev), (), labels=task.labels)
        apart = slots_of(model, part, PREFIX)
        chosen = found_by(apart, **config)
        right += value_of(chosen, slots, held) * len(held)
    assert found.corrected == pytest.approx(right / len(slots.train))


def test_without_dev_train_chooses(fresh: Fresh, task: Task) -> None:
    bare = Task("bare", task.train, (), (), labels=task.labels)
    found = found_by(slots_of(fresh("tiny_masked"), bare))
    assert found.chosen_on == "train"


def test_a_planted_word_is_found(fresh: Fresh, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots at which one word follows the label exactly: every method finds it."""
    model = fresh("tiny_masked")
    slots = slots_of(model, task)
    good, bad = (slots.vocabulary.words.index(word) for word in ("good", "bad"))

    def planted(targets: np.ndarray) -> np.ndarray:
        chance = np.random.default_rng(0)
        found = chance.normal(-8, 0.3, (len(targets), len(slots.vocabulary)))
        found[targets == 1, good] = -1.0
        found[targets == 0, bad] = -1.0
        return found

    train, dev = planted(slots.targets), planted(slots.dev_targets)
    monkeypatch.setattr(slots, "train_scores", lambda words: train[:, words])
    monkeypatch.setattr(slots, "dev_scores", lambda words: dev[:, words])
    monkeypatch.setattr(
        "promptlab.tuning.answer_search.slots.vocabulary_blocks", lambda *_: iter([train])
    )
    for method in ("ratio", "assignment", "many_to_one"):
        found = found_by(slots, method=method, words=1, ranking="ratio")
        assert found.verbalizer.mapping() == {
            "negative": {"bad": 1.0}, "positive": {"good": 1.0}
        }  # fmt: skip
        assert found.value == found.corrected == 1.0


def test_labels_without_examples_are_told(fresh: Fresh, task: Task) -> None:
    one_sided = Task(
        "one", tuple(e for e in task.train if e.label == "positive"), task.dev, (),
        labels=task.labels,
    )  # fmt: skip
    with pytest.raises(InputError, match="no example of train has the label 'negative'"):
        slots_of(fresh("tiny_masked"), one_sided)


def test_too_many_words_are_told(fresh: Fresh, task: Task) -> None:
    slots = slots_of(fresh("tiny_masked"), task)
    with pytest.raises(InputError, match="words stand out for the label"):
        found_by(slots, method="ratio", words=2000)


def test_a_search_stops_when_it_is_asked_to(fresh: Fresh, task: Task) -> None:
    stopping = Cancellation()
    stopping.request()
    model = fresh("tiny_masked")
    with pytest.raises(Cancelled):
        slots_of(model, task, stop=stopping.check)
    slots = slots_of(model, task)
    search = AnswerSearch(slots, AnswerSearchConfig(), accuracy, stop=stopping.check)
    with pytest.raises(Cancelled):
        search.run()


def test_of_much_train_a_part_is_read(fresh: Fresh, task: Task) -> None:
    slots = slots_of(fresh("tiny_masked"), task, train_examples=8)
    assert [example.label for example in slots.train].count("negative") == 4
    assert len(slots.train) == 8
    assert found_by(slots).tried > 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"words": 0}, "words of an answer search is 0; it is 1"),
        ({"folds": 1}, "folds of an answer search is 1; it is 2"),
        ({"method": "guess"}, "method of an answer search is 'guess'; it is one of ratio"),
        ({"calibration": "guess"}, "unknown calibration"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_no_search_can_have(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AnswerSearchConfig(**given)
