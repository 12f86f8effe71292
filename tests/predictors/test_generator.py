"""Prompt generators: replies are parsed, and what fails is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, InputError, NotFittedError
from promptlab.models.local import LocalModel
from promptlab.predictors.base import load
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import ChoiceParser, JsonParser, NumberParser, TextParser
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel

CHOICES = ChoiceParser((("positive", ("positive", "good")), ("negative", ("negative", "bad"))))
Fresh = Callable[..., LocalModel]


@pytest.fixture
def scripted() -> ScriptedModel:
    """A model that says what the prompt's text asks it to."""
    return ScriptedModel(lambda prompt, _: " " + prompt.rpartition("Review: ")[2].split("\n")[0])


TEMPLATE = Template(parts={"input": "Review: {text}", "cue": "Sentiment: {mask}"}, separator="\n")


def test_replies_are_parsed_and_the_rest_is_counted(
    scripted: ScriptedModel,
) -> None:
    model = scripted
    texts = ["good", "Bad!", "what?", "positive or negative"]
    rows = [Example(str(n), {"text": text}, "positive") for n, text in enumerate(texts)]
    found = PromptGenerator(TEMPLATE, CHOICES, model).predict(rows)
    assert found.labels == ["positive", "negative", None, None]
    assert found.unparsed_rate == 0.5
    assert [row.unparsed for row in found] == [False, False, True, True]
    assert [row.text for row in found] == [" good", " Bad!", " what?", " positive or negative"]
    assert found.correct == [True, False, False, False]
    assert found[0].tokens_out == 1
    assert found.seconds == pytest.approx(0.04)
    assert PromptGenerator(TEMPLATE, CHOICES, model).score(rows) == 0.25


def test_demonstrations_bring_their_separator_as_a_stop(
    scripted: ScriptedModel, task: Task
) -> None:
    model, used = scripted, scripted.decodings
    generator = PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=2)
    with pytest.raises(NotFittedError, match="2 demonstrations"):
        generator.predict(["good"])
    generator.fit(task.train).predict(["good"])
    prompt = generator.example_prompt("good")
    assert prompt.count("Sentiment: positive") == prompt.count("Sentiment: negative") == 1
    assert prompt.endswith("Review: good\nSentiment: {mask}")
    PromptGenerator(TEMPLATE, CHOICES, model).predict(["good"])
    own = Decoding(stop=("#",))
    PromptGenerator(TEMPLATE, CHOICES, model, decoding=own, demonstrations=1).fit(
        task.train
    ).predict(["good"])
    joined = Template("{text} {mask}", demonstration_separator="")
    PromptGenerator(joined, CHOICES, model, demonstrations=1).fit(task.train).predict(["good"])
    assert [decoding.stop for decoding in used] == [("\n\n",), (), ("#",), ()]


def test_a_real_model_generates(fresh: Fresh) -> None:
    generator = PromptGenerator(
        "{text} It was {mask}", TextParser(), fresh("tiny_gpt2"), decoding=Decoding(max_tokens=4)
    )
    found = generator.predict(["a film", "the soup was cold"])
    assert all(row.text and row.tokens_out <= 4 for row in found)
    assert len(generator.predict([])) == 0


def test_long_inputs_leave_room_for_the_reply(fresh: Fresh) -> None:
    model = fresh("tiny_gpt2")
    generator = PromptGenerator(
        "{text} It was {mask}", TextParser(), model, decoding=Decoding(max_tokens=20)
    )
    (row,) = generator.predict(["the soup was cold " * 100])
    assert row.tokens_in <= 256 - 20
    assert row.trace["shortened"] == ["text"]
    assert len(row.trace["steps"]) == 1


def test_saved_generators_come_back(causal: LocalModel, task: Task, tmp_path: Path) -> None:
    decoding = Decoding(max_tokens=5, temperature=0.7, top_k=9, stop=("\n", "."), seed=3)
    fitted = PromptGenerator(
        TEMPLATE,
        CHOICES,
        causal,
        decoding=decoding,
        demonstrations=DemonstrationConfig(3, 21, "grouped"),
    ).fit(task.train)
    again = load(fitted.save(tmp_path), causal)
    assert isinstance(again, PromptGenerator)
    assert again.decoding == decoding
    assert again.settings() == fitted.settings()
    assert [r.text for r in again.predict(task.dev)] == [r.text for r in fitted.predict(task.dev)]


def test_a_masked_model_cannot_write(masked: LocalModel) -> None:
    with pytest.raises(CapabilityError, match="cannot generate; use a causal or seq2seq model"):
        PromptGenerator("{text} {mask}", NumberParser(), masked)


def test_a_reply_longer_than_the_window(gpt2: LocalModel) -> None:
    generator = PromptGenerator(
        "{text} {mask}", NumberParser(), gpt2, decoding=Decoding(max_tokens=500)
    )
    with pytest.raises(InputError, match=r"has room for -?[0-9]+ beside the answer"):
        generator.predict(["x"])


def test_an_answer_that_is_a_class_but_for_case_is_that_class() -> None:
    model = ScriptedModel(lambda prompt, _: ' {"label": "POSITIVE"}')
    rows = [Example(str(n), {"text": "x"}, label) for n, label in enumerate(["positive", "no"] * 2)]
    made = PromptGenerator(TEMPLATE, JsonParser("label"), model).fit(rows)
    assert made.predict(rows).labels == ["positive"] * 4
    again = PromptGenerator.from_settings(made.settings(), model)
    assert again.predict(rows[:1]).labels == ["positive"]
    open_answers = [Example(str(n), {"text": "x"}, f"Positive {n}") for n in range(4)]
    unsure = PromptGenerator(TEMPLATE, JsonParser("label"), model).fit(open_answers)
    assert unsure.predict(rows[:1]).labels == ["POSITIVE"]
    two = [
        Example(str(n), {"text": "x"}, label) for n, label in enumerate(["Positive", "positive"])
    ]
    assert PromptGenerator(TEMPLATE, JsonParser("label"), model).fit(two).classes == ()
