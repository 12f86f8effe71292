"""Hidden reasoning is told apart in every form, and no parser and no strategy reads in it."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.evaluation.trace import Trace
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts import parser_from_settings
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.parsers.hidden_reasoning import (
    find_stop,
    is_reasoning_mark,
    opens_reasoning,
    split_reasoning,
)
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.strategies.chain import Chain, ChainStep
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from tests.helpers.scripted_model import ScriptedModel

FORMS = [
    "<think>{0}</think>\n\n{1}",
    "<think>\n<think>\n{0}</think>{1}",
    '<THINK reason="why">{0}</THINK >{1}',
    "<thinking>{0}</thinking>{1}",
    "<think>{0}</thinking>{1}",
    "<reasoning>{0}</reasoning>{1}",
    "<thinking>{0}<reflection>{0}</reflection>{0}</thinking>{1}",
    "<scratchpad>{0}</scratchpad>{1}",
    "<thought>\n{0}\n</thought>\n{1}",
    "<seed:think>{0}</seed:think>{1}",
    "<mm:think>{0}</mm:think>{1}",
    "<longcat_think>{0}</longcat_think>{1}",
    "{0}</think>{1}",
    "{0}</think>{0}</think>{1}",
    "<think>{0}</think>{1}<think>{0}</think>",
    "<think>close it with `</think>`, {0}</think>{1}",
    "<think>a stray ` and {0}</think>{1}",
    "<think>\n```python\n{0}\n</think>\n{1}",
    "[THINK]{0}[/THINK]{1}",
    "◁think▷{0}◁/think▷{1}",
    "[unused16]{0}[unused17]{1}",
    "<|begin_of_thought|>{0}<|end_of_thought|>\n<|begin_of_solution|>{1}<|end_of_solution|>",
    "<|START_THINKING|>{0}<|END_THINKING|><|START_RESPONSE|>{1}<|END_RESPONSE|>",
    "<|inner_prefix|>{0}<|inner_suffix|>{1}",
    "<|think:start|>{0}<|think:end|>{1}",
    "<|plamo:begin_think:plamo|>{0}<|plamo:end_think:plamo|>{1}",
    "<|open|>think<|sep|>{0}<|close|>think<|sep|><|open|>response<|sep|>{1}<|close|>response<|sep|>",
    "<|content_thinking|>{0}<|end_message|><|message_model|><|content_text|>{1}<|end_message|>",
    "<|channel>thought\n{0}<channel|>{1}",
    "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>final<|message|>{1}"
    "<|return|>",
    "{0}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>{1}",
    "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>commentary<|message|>{0}"
    "<|end|><|start|>assistant<|channel|>final<|message|>{1}",
    "analysisThe user wants {0}.assistantfinal{1}",
    "Here is my thought process: {0}\n\nHere is my response: {1}",
    "Here's my thought process:\n{0}\nHere's my response:\n{1}",
    "Thinking...\n{0}\n...done thinking.\n\n{1}",
    '<details type="reasoning" done="true">\n<summary>Thought</summary>\n{0}\n</details>\n{1}',
    "&lt;think&gt;{0}&lt;/think&gt;{1}",
]
CUT = [
    "<think>{0}",
    "<think>",
    "{1} <think>{0}",
    "<think>{0}</think>{1}<think>{0}",
    "<thinking>{0}<reflection>{0}</reflection>{0}",
    "[THINK]{0}",
    "◁think▷{0}",
    "<|channel|>analysis<|message|>{0}",
    "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant",
    "<|channel|>",
    "analysisThe user wants {0}.",
    "<|channel>thought\n{0}",
    "<|START_THINKING|>{0}",
    "Here is my thought process: {0}",
    "<think>{0}</thi",
]
PARSERS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "choice", "choices": {"n": ["negative"], "p": ["positive"]}}, "negative", "positive"),
    ({"type": "number"}, "the answer is 7", "42"),
    ({"type": "text"}, "negative", "positive"),
    ({"type": "regex", "pattern": "(neg|pos)"}, "neg", "pos"),
    ({"type": "json", "key": "label"}, '{"label": "neg"}', '{"label": "pos"}'),
    ({"type": "spans"}, "Anna -> PER", "Rome -> LOC"),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_told_apart(form: str) -> None:
    found = split_reasoning(form.format("negative", "positive"))
    assert found.answer == "positive"
    assert found.finished and "negative" in found.reasoning
    assert split_reasoning("positive").answer == "positive"


@pytest.mark.parametrize("form", CUT)
def test_what_is_cut_within_its_reasoning_has_no_answer(form: str) -> None:
    found = split_reasoning(form.format("negative", "positive"))
    assert (found.answer, found.finished) == (None, False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("settings", "thought", "said"), PARSERS)
def test_no_parser_reads_in_hidden_reasoning(
    form: str, settings: dict[str, Any], thought: str, said: str
) -> None:
    parser = parser_from_settings(settings)
    assert parser.parse(form.format(thought, said)) == parser.parse(said) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Write `<think>` first: positive",
        'The tag "<think>" opens it.',
        "```\n<think>x</think>\n```\npositive",
        "`a <think>x</think> b` is code",
        "<think/>positive",
        "analysis of the text: positive",
        "Here is my response: positive",
        "<details>more</details> positive",
        "5 < 7 and 8 > 6",
        "I think positive",
        "  positive\n",
        "<|im_start|> is a token",
        "assistantfinally",
    ],
)
def test_what_only_speaks_of_marks_is_unchanged(text: str) -> None:
    assert split_reasoning(text) == split_reasoning(text, opened=False)
    assert split_reasoning(text).answer == text


def test_a_reply_that_its_prompt_opened() -> None:
    assert split_reasoning("negative", opened=True).answer is None
    assert split_reasoning("negative</think>positive", opened=True).answer == "positive"
    assert split_reasoning("<think>a</think>b", opened=True).answer == "b"
    assert opens_reasoning("<|Assistant|><think>\n")
    assert opens_reasoning("<|start|>assistant<|channel|>analysis<|message|>")
    assert not opens_reasoning("<|Assistant|><think>\n\n</think>\n\n")
    assert not opens_reasoning("Do you <think> so?")


def test_marks_of_a_vocabulary() -> None:
    kept = ["<think>", "</think>", "[THINK]", "<|channel|>", "<|END_THINKING|>", "<channel|>"]
    assert all(map(is_reasoning_mark, kept))
    assert not any(map(is_reasoning_mark, ["<s>", "<|im_end|>", "think", "[MASK]", "<extra_id_0>"]))


def test_long_texts_take_no_time() -> None:
    for text in ("<" * 50_000, "\n" * 50_000, "`" * 20_000, "<think " * 10_000, "a_" * 50_000):
        split_reasoning(text)


def test_an_empty_reply_and_one_of_reasoning_alone() -> None:
    assert split_reasoning("").answer is None
    assert split_reasoning("<think>a</think>\n").answer is None
    assert split_reasoning("<think></think>b").answer == "b"
    assert Generation("<think>a", 1, 1, 0.0, "length").unreadable_reason.startswith(
        "max_tokens ended"
    )
    assert "stop string" in Generation("<think>a", 1, 1, 0.0, "stop").unreadable_reason
    assert "alone" in Generation("<think>a</think>", 1, 1, 0.0).unreadable_reason
    assert Generation("", 1, 0, 0.0, reasoning="hm").unreadable_reason
    assert not Generation("", 1, 0, 0.0).unreadable_reason
    assert not Generation("b", 1, 0, 0.0, reasoning="hm").unreadable_reason


def test_stop_strings_end_the_answer_and_not_the_reasoning() -> None:
    assert find_stop("<think>\na\n</think>\n\nb\nc", ["\n"]) == 21
    assert find_stop("<think>\na\n", ["\n"]) is None
    assert find_stop("a\n</think>b\nc", ["\n"], opened=True) == 11
    assert find_stop("a\n", ["\n"], opened=True) is None
    assert find_stop("\na", ["\n"]) == 0
    assert find_stop("a.b\nc", ["\n", "."]) == 1
    assert find_stop("a", ["\n"]) is None


def test_a_generator_reads_the_answer_and_keeps_the_reply() -> None:
    said = {"a": "<think>negative? No.</think>positive", "b": "<think>negative"}
    model = ScriptedModel(lambda prompt, _: said[prompt.split()[0]])
    made = PromptGenerator("{text} is {mask}", parser_from_settings(PARSERS[0][0]), model)
    found = made.fit([]).predict([{"text": "a"}, {"text": "b"}])
    assert found.labels == ["p", None]
    assert [row.text for row in found] == list(said.values())
    assert found[1].unparsed and found[1].error is None
    assert "hidden reasoning" in found[1].trace["unread"]
    (step,) = Trace.from_record(found[0].trace)
    assert step.reply == said["a"]


def test_a_chain_and_votes_never_hear_the_reasoning() -> None:
    def write(prompt: str, sample: int) -> str:
        assert "secret" not in prompt
        return "<think>secret</think>\nhome" if "Where" in prompt else f"ok {prompt}"

    model = ScriptedModel(write)
    steps = [
        ChainStep.of("place", "Where? {text} {mask}"),
        ChainStep.of("said", "Say {place}: {mask}"),
    ]
    found = Chain(steps, model).predict([{"text": "x"}])
    assert found.labels == ["ok Say home: {mask}"]
    sampled = PromptGenerator(
        "{text} Where {mask}",
        TextParser(),
        ScriptedModel(lambda _, n: f"<think>{n}</think>" + ("home" if n else "away")),
        decoding=Decoding(temperature=0.7),
    )
    votes = SelfConsistency(sampled, samples=3).fit([]).predict([{"text": "x"}])
    assert votes.labels == ["home"]


def test_votes_count_the_same_answer_once_however_it_is_written() -> None:
    said = ["Rome", "The answer: 1,000", "1000", "1,000.0"]
    sampled = PromptGenerator(
        "{text} {mask}",
        parser_from_settings({"type": "regex", "pattern": r"(?:.*: )?(.*)"}),
        ScriptedModel(lambda _, n: said[n]),
        decoding=Decoding(temperature=0.7),
    )
    (row,) = SelfConsistency(sampled, samples=4).fit([]).predict([{"text": "x"}])
    assert row.label == "1,000"
    assert row.trace["votes"] == {"Rome": 1, "1,000": 3}


def test_reasoning_in_the_open_is_used_and_hidden_reasoning_is_not() -> None:
    asked: list[str] = []

    def write(prompt: str, sample: int) -> str:
        asked.append(prompt)
        if "Therefore" in prompt:
            return "<think>7?</think> 5"
        return "<think>secret 9</think>Two and three. The answer is 5."

    parser = parser_from_settings({"type": "number"})
    thought = ChainOfThought("{text} {mask}", ScriptedModel(write), parser=parser)
    (row,) = thought.predict([{"text": "2+3?"}])
    assert row.label == "5"
    assert "secret" not in asked[-1] and "Two and three." in asked[-1]
    cut = ChainOfThought("{text} {mask}", ScriptedModel(lambda *_: "<think>9"), parser=parser)
    (row,) = cut.predict([{"text": "2+3?"}])
    assert row.unparsed and row.error is None and row.trace["unread"]
