"""Paraphrases of answers: near ones by hand, written ones counted, and a search among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from promptlab.cancellation import Cancellation
from promptlab.data.task import Task
from promptlab.errors import Cancelled, CapabilityError, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.config import AnswerSearchConfig
from promptlab.tuning.answer_search.paraphrases import (
    GIVEN_UNKNOWN,
    NOT_IN_VOCABULARY,
    OF_TWO_LABELS,
    REPEATED,
    SEVERAL_WORDS,
    AnswerWriter,
    add_nearest,
    given_words,
    read_words,
    vocabulary_rows,
)
from promptlab.tuning.answer_search.search import AnswerSearch
from promptlab.tuning.answer_search.slots import AnswerSlots
from promptlab.tuning.answer_search.vocabulary import SlotVocabulary
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter
from tests.helpers.scripted_model import ScriptedModel

Fresh = Callable[..., LocalModel]
WORDS = ("good", "fine", "great", "bad", "awful", "poor", "so")
VOCABULARY = SlotVocabulary(WORDS, tuple(range(10, 17)))
GIVEN = {"yes": ["good"], "no": ["bad"]}
LABELS = ("no", "yes")
SAMPLED = Decoding(max_tokens=20, temperature=1.0)


def names(found: list[list[int]]) -> list[list[str]]:
    return [[WORDS[place] for place in own] for own in found]


def test_near_words_by_hand() -> None:
    """Two axes of meaning; *so* lies between both labels, a little nearer to *bad*."""
    rows = np.array(
        [[4.0, 0], [4.0, 1], [4.0, 2], [0.0, 4], [1.0, 4], [0.5, 4], [1.0, 1.1]]
    ) + np.array([9.0, 9.0])  # fmt: skip
    given = given_words(GIVEN, LABELS, VOCABULARY)
    assert names(given.words) == [["bad"], ["good"]]
    found = add_nearest(given, rows, 3)
    assert names(found.words) == [["bad", "poor", "awful"], ["good", "fine", "great"]]
    assert found.record()["proposed"] == 4 and found.given == [1, 1]
    wide = names(add_nearest(given, rows, 99).words)
    assert sorted(wide[0] + wide[1]) == sorted(WORDS)  # each word is one label's
    assert names(add_nearest(given, rows, 1).words) == [["bad"], ["good"]]


def test_given_answers_that_are_no_words_there_are_told() -> None:
    found = given_words({"no": ["Bad", "not good", "bad"], "yes": ["good"]}, LABELS, VOCABULARY)
    assert names(found.words) == [["bad"], ["good"]]
    assert found.dropped == {GIVEN_UNKNOWN: 1}
    with pytest.raises(InputError, match="none of the given answers of the label 'no'"):
        given_words({"no": ["not good"], "yes": ["good"]}, LABELS, VOCABULARY)


def test_a_list_is_read_as_models_write_it() -> None:
    assert read_words("Good, fine and great") == ["Good", "fine", "great"]
    assert read_words("1. good\n2. fine.\n") == ["good", "fine"]
    assert read_words("- good\n• **fine**\n") == ["good", "fine"]
    assert read_words("") == []


def test_what_a_writer_writes_is_filtered_and_counted() -> None:
    replies = {
        "bad": ["Awful, very poor, awful, terrible", "!down", "so, bad, poor"],
        "good": ["fine, great", "so", ""],
    }
    model = ScriptedModel(
        lambda prompt, sample: replies["bad" if '"bad"' in prompt else "good"][sample % 3]
    )
    writer = AnswerWriter(model, SAMPLED, tries=3)
    found = writer.add_written(given_words(GIVEN, LABELS, VOCABULARY), GIVEN, LABELS, VOCABULARY, 5)
    # "so" was written for both labels, so that it is nobody's.
    assert names(found.words) == [["bad", "awful", "poor"], ["good", "fine", "great"]]
    assert found.dropped == Counter({
        SEVERAL_WORDS: 1, REPEATED: 2, NOT_IN_VOCABULARY: 1, "no reply (down)": 1, OF_TWO_LABELS: 2,
    })  # fmt: skip
    assert found.tokens > 0 and "2 dropped: " in found.dropped_text
    assert [sample for call in model.calls for _, sample in call] == [0, 1, 2, 3, 4, 5]
    assert "List 5 single words" in model.calls[0][0][0]


def test_a_writer_stops_when_there_are_enough_and_when_it_would_repeat_itself() -> None:
    model = ScriptedModel(lambda prompt, sample: "fine, great, awful, poor")
    given = given_words(GIVEN, LABELS, VOCABULARY)
    found = AnswerWriter(model, SAMPLED).add_written(given, GIVEN, LABELS, VOCABULARY, 2)
    assert len(model.calls) == 2  # one a label
    assert names(found.words) == [["bad"], ["good"]]  # both got the same word
    greedy = ScriptedModel(lambda prompt, sample: "")
    AnswerWriter(greedy, Decoding(max_tokens=20)).add_written(given, GIVEN, LABELS, VOCABULARY, 5)
    assert len(greedy.calls) == 2
    assert names(given.words) == [["bad"], ["good"]]  # what was given is left as it was


def test_writing_stops_when_it_is_asked_to() -> None:
    stopping = Cancellation()
    stopping.request()
    model = ScriptedModel(lambda prompt, sample: "fine")
    given = given_words(GIVEN, LABELS, VOCABULARY)
    writer = AnswerWriter(model, SAMPLED, stop=stopping.check)
    with pytest.raises(Cancelled):
        writer.add_written(given, GIVEN, LABELS, VOCABULARY, 5)
    assert not model.calls


def test_a_model_that_does_not_write(masked: LocalModel) -> None:
    with pytest.raises(CapabilityError):
        AnswerWriter(masked, SAMPLED)


def accuracy(rows: Predictions) -> float:
    return sum(rows.correct) / len(rows)


@pytest.mark.parametrize("choose_on", ["dev", "train"])
@pytest.mark.parametrize("ranking", ["ratio", "likelihood"])
def test_only_the_pool_is_searched(fresh: Fresh, task: Task, choose_on: str, ranking: str) -> None:
    model = fresh("tiny_masked")
    tokens = TokenFilter(model.encoding, model.engine.network.virtual_tokens.first_id)
    template = Template("{text} It was {mask} .")
    slots = AnswerSlots(model, template, task.labels, task.train, task.dev, tokens)
    given = given_words({"negative": ["bad"], "positive": ["good"]}, task.labels, slots.vocabulary)
    pool = add_nearest(given, vocabulary_rows(model, slots.vocabulary), 4).words
    computed = model.usage.computed_tokens
    config = AnswerSearchConfig(
        method="paraphrase", words=1, choose_on=choose_on, ranking=ranking, max_assignments=9
    )  # type: ignore[arg-type]
    found = AnswerSearch(slots, config, accuracy, pool=pool).run()
    assert model.usage.computed_tokens == computed
    assert found.tried == 9  # of sixteen, the best ranked
    mapping = found.verbalizer.mapping()
    for label, own in zip(task.labels, pool, strict=True):
        assert set(mapping[label]) <= {slots.vocabulary.words[word] for word in own}
    every = AnswerSearchConfig(method="paraphrase", words=1)
    assert AnswerSearch(slots, every, accuracy, pool=pool).run().tried == 16
    with pytest.raises(InputError, match="give their pool"):
        AnswerSearch(slots, config, accuracy)
