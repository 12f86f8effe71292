"""Chains: named steps, what they read, lists, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError
from promptlab.evaluation.trace import Trace
from promptlab.predictors.base import load
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import NumberParser, RegexParser
from promptlab.strategies.chain import Chain, ChainStep, parse_list
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from tests.conftest import wrapped
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tiny_models import Pair


def example(text: str, label: str | None = None) -> Example:
    return Example(text, {"text": text}, label)


def write(prompt: str, sample: int) -> str:
    last = prompt.removesuffix("{mask}").strip()
    if last.startswith("List"):
        return "- 3 apples\n- 4 pears\n"
    if last.startswith("Count"):
        return f" {next(w for w in last.split() if w.isdigit())} of them"
    if last.startswith("Sum"):
        return f" {sum(int(w) for w in last.split() if w.isdigit())}"
    return " "


STEPS = (
    ChainStep.of("things", "List the things in {text}: {mask}"),
    ChainStep.of("counts", "Count {item} in {text}: {mask}", parser=NumberParser(), map="things"),
    ChainStep.of("total", "Sum of {counts} : {mask}", parser=NumberParser()),
)


def test_steps_read_the_example_and_each_other() -> None:
    model = ScriptedModel(write)
    chain = Chain(STEPS, model)
    assert chain.fields == ("text",)
    (found,) = chain.fit([]).predict([example("a bowl", "7")])
    assert (found.label, found.correct, found.text) == ("7", True, " 7")
    assert [len(call) for call in model.calls] == [1, 2, 1]
    assert [p for p, _ in model.calls[1]] == [
        "Count 3 apples in a bowl: {mask}", "Count 4 pears in a bowl: {mask}",
    ]  # fmt: skip
    assert model.calls[2][0][0] == "Sum of 3\n4 : {mask}"
    steps = Trace.from_record(found.trace).steps
    assert [(s.name, s.parent) for s in steps] == [
        ("things", None), ("counts", 0), ("counts", 1), ("counts", 1), ("total", 1),
    ]  # fmt: skip
    assert chain.example_prompt(example("x")) == "List the things in x: {mask}"


def test_the_last_step_may_choose_a_label() -> None:
    model = ScriptedModel(
        lambda prompt, n: " dull and long",
        lambda prompt, a: float((a == "bad") == ("dull" in prompt)),
    )
    chain = Chain(
        [
            ChainStep.of("view", "What is said of {text}? {mask}"),
            ChainStep.of("mood", "{view}: {mask}", verbalizer={"pos": "good", "neg": "bad"}),
        ],
        model,
    )
    (found,) = chain.predict([example("the film")])
    assert (found.label, list(found.scores or {})) == ("neg", ["pos", "neg"])
    assert chain.labels == ("pos", "neg")
    again = Chain.from_settings(chain.settings(), model)
    assert again.settings() == chain.settings()
    assert again.predict([example("the film")]).labels == ["neg"]


def test_a_mapped_last_step_answers_in_lines() -> None:
    chain = Chain(STEPS[:2], ScriptedModel(write))
    assert chain.predict([example("a bowl")]).labels == ["3\n4"]


def test_an_empty_reply_names_its_step_and_others_go_on() -> None:
    def some(prompt: str, sample: int) -> str:
        return " " if "silence" in prompt and prompt.startswith("Sum") else write(prompt, sample)

    steps = (
        STEPS[0],
        ChainStep.of("total", "Sum of {things} {text} : {mask}", parser=NumberParser()),
    )
    found = Chain(steps, ScriptedModel(some)).predict([example("silence"), example("bowl")])
    assert found[0].trace["wordless"].startswith("step 'total': scripted wrote nothing")
    assert found.labels == [None, "7"]


def test_an_unread_reply_on_the_way_leaves_the_example_unparsed() -> None:
    steps = [
        ChainStep.of("code", "Sum {text} : {mask}", parser=RegexParser("CODE (.+)")),
        ChainStep.of("end", "{code} {mask}"),
    ]
    (found,) = Chain(steps, ScriptedModel(write)).predict([example("1 2")])
    assert (found.label, found.unparsed, found.text) == (None, True, " 3")
    assert found.trace["unparsed_step"] == "code"
    empty = ScriptedModel(lambda prompt, n: "[]")
    (none,) = Chain(STEPS, empty).predict([example("nothing")])
    assert (none.label, none.error, none.trace["unparsed_step"]) == (None, None, "counts")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\nb\n", ["a", "b"]),
        (" - a\n* b\n1. c\n(2) d\n\n3: e", ["a", "b", "c", "d", "e"]),
        ('Here: ["x", " y ", 3, ""] done', ["x", "y", "3"]),
        ('[{"k": 1}]', ['{"k": 1}']),
        ("[not json]", ["[not json]"]),
        ("1.5 is a number", ["1.5 is a number"]),
        (" ", []),
    ],
)
def test_entries(text: str, found: list[str]) -> None:
    assert parse_list(text) == found


def test_what_is_refused() -> None:
    model = ScriptedModel()
    one = ChainStep.of("one", "{text} {mask}")
    for steps, told in [
        ([], "no steps"),
        (
            [ChainStep.of("a step", "{text} {mask}")],
            "'a step' needs a name that a template can read",
        ),
        ([one, one], "two steps are called 'one'"),
        (
            [ChainStep.of("x", "{one} {mask}"), one],
            r"step 'x' reads \{one\}, which is not said before",
        ),
        (
            [ChainStep.of("x", "{item} {mask}", map="one"), one],
            "maps over 'one', which is no step before",
        ),
        ([one, ChainStep.of("x", "{text} {mask}", map="one")], r"does not read \{item\}"),
    ]:
        with pytest.raises(InputError, match=told):
            Chain(steps, model)
    masked = ScriptedModel()
    masked.capabilities, masked.family = frozenset({"score"}), "masked"
    with pytest.raises(CapabilityError, match="masked model and cannot generate"):
        Chain([one], masked)


def test_a_real_chain_is_sampled_alike_in_any_batch(tiny_causal: Pair, tmp_path: Any) -> None:
    model = wrapped(tiny_causal, "tiny-causal")
    warm = Decoding(max_tokens=6, temperature=1.0)
    chain = Chain(
        [
            ChainStep.of("first", "{text} It was {mask}", decoding=warm),
            ChainStep.of("second", "{first} A {mask}", decoding=warm),
        ],
        model,
    )
    strategy = SelfConsistency(chain, samples=3)
    rows = [example("the film"), example("a soup"), example("an hour of joke")]
    whole = strategy.predict(rows)
    alone = [strategy.predict([row])[0] for row in rows]
    assert [row.trace["votes"] for row in whole] == [row.trace["votes"] for row in alone]
    strategy.save(tmp_path)
    again = load(tmp_path, model)
    assert again.settings() == strategy.settings()
    assert again.predict(rows).labels == whole.labels
