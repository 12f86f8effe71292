"""Chain of thought: zero-shot, manual and automatic, parsed and scored answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError, NotFittedError, WorkError
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import NumberParser, TextParser
from promptlab.prompts.template import Template
from promptlab.strategies.chain_of_thought.automatic import (
    AutoCoTConfig,
    cluster_questions,
    question_vectors,
)
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from promptlab.strategies.chain_of_thought.worked_examples import (
    WorkedExample,
    parse_conclusion,
    split_reasoning,
    split_steps,
    worked_examples,
)
from tests.helpers.scripted_model import ScriptedModel

QUESTION = "Q: {question}\nA: {mask}"


def example(question: str, label: str | None = None, number: int = 0, **more: str) -> Example:
    return Example(str(number), {"question": question, **more}, label)


def adder(prompt: str, sample: int) -> str:
    """Adds the numbers of the last question; the answer comes after "the answer ... is" alone."""
    last = prompt.rpartition("Q: ")[2]
    numbers = list(map(int, re.findall(r"\d+", last.partition("\n")[0])))
    if re.search(r"answer[^\n]* is$", last.removesuffix("{mask}")):
        return f" {sum(numbers)}. And 7 more."
    steps = ". ".join(f"Add {number}" for number in numbers)
    return f" {steps}. It is done."


def test_zero_shot_asks_twice_and_goes_on_from_the_reasoning() -> None:
    model = ScriptedModel(adder)
    strategy = ChainOfThought(QUESTION, model, parser=NumberParser())
    (found,) = strategy.predict([example("What is 3 and 4?", "7")])
    assert (found.label, found.error, found.unparsed) == ("7", None, False)
    first, second = (call[0][0] for call in model.calls)
    assert first == "Q: What is 3 and 4?\nA: Let's think step by step.{mask}"
    assert second == (
        "Q: What is 3 and 4?\nA: Let's think step by step. Add 3. Add 4. It is done. "
        "Therefore, the answer is{mask}"
    )
    assert [step["name"] for step in found.trace["steps"]] == ["reasoning", "answer"]
    assert found.trace["steps"][1]["parent"] == 0
    assert [d.max_tokens for d in model.decodings] == [96, 16]


def test_words_of_ones_own_and_sampled_reasoning() -> None:
    model = ScriptedModel(adder)
    strategy = ChainOfThought(
        QUESTION,
        model,
        parser=NumberParser(),
        trigger="Now,",
        extraction="So the answer (arabic numerals) is",
        decoding=Decoding(max_tokens=30, temperature=0.7, seed=3),
    )
    assert strategy.predict([example("1 and 1")]).labels == ["2"]
    assert "A: Now,{mask}" in model.calls[0][0][0]
    assert model.calls[1][0][0].endswith("So the answer (arabic numerals) is{mask}")
    assert [d.temperature for d in model.decodings] == [0.7, 0.0]
    again = ChainOfThought.from_settings(strategy.settings(), model)
    assert again.settings() == strategy.settings()


def test_scored_labels_are_never_unparsed() -> None:
    def rate(prompt: str, answer: str) -> float:
        return 0.0 if ("warm" in prompt) == (answer == "yes") else -3.0

    model = ScriptedModel(
        lambda prompt, n: " It is " + ("warm" if "sun" in prompt else "cold"), rate
    )
    strategy = ChainOfThought(QUESTION, model, verbalizer={"no": "no", "yes": "yes"})
    found = strategy.predict([example("sun?", "yes"), example("snow?", "no", 1)])
    assert (found.labels, found.unparsed_rate) == (["yes", "no"], 0.0)
    assert found[0].scores is not None
    assert set(found[0].scores) == {"no", "yes"}
    assert model.scored[0].endswith("It is warm Therefore, the answer is {mask}")
    assert strategy.predict_proba([example("sun?")]).shape == (1, 2)


def test_with_chat_the_assistant_goes_on() -> None:
    model = ScriptedModel(lambda prompt, n: "so 5" if "answer" not in prompt else " 5")
    template = Template(parts={"input": "{question}", "cue": "{mask}"}, chat=True)
    strategy = ChainOfThought(template, model, parser=NumberParser())
    assert strategy.predict([example("2 and 3")]).labels == ["5"]
    first, second = (call[0][0] for call in model.calls)
    assert first.endswith("[assistant] Let's think step by step.{mask}")
    assert second.endswith("Let's think step by step. so 5 Therefore, the answer is{mask}")


def test_the_reply_may_state_the_answer_itself() -> None:
    replies = {
        "one": " It is 4. The answer is 5.\nThen 6.",
        "two": " 8, and so 9",
        "three": " none",
    }
    model = ScriptedModel(lambda prompt, n: replies[prompt.split()[1]])
    strategy = ChainOfThought(QUESTION, model, parser=NumberParser(), extract="reply")
    found = strategy.predict([example(name) for name in replies])
    assert found.labels == ["5", "9", None]
    assert found[2].unparsed
    assert len(model.calls) == 1
    assert found[0].trace["steps"][0]["notes"] == {"label": "5", "stated": True}


def test_a_stated_answer_is_asked_for_once_more_in_its_place() -> None:
    model = ScriptedModel(
        lambda prompt, n: " 9" if "step. It" in prompt else " It is 4. So the answer is 5."
    )
    strategy = ChainOfThought(QUESTION, model, parser=NumberParser())
    assert strategy.predict([example("one")]).labels == ["9"]
    assert model.calls[1][0][0].endswith(
        "A: Let's think step by step. It is 4. Therefore, the answer is{mask}"
    )


@pytest.mark.parametrize(
    ("reply", "extraction", "parts"),
    [
        (" a. The answer is 4.", "The answer is", (" a. ", " 4.")),
        (" a. Therefore, THE  answer is: b", "Therefore, the answer is", (" a. ", " b")),
        (" the answer is 1. the answer is 2", "the answer is", (" the answer is 1. ", " 2")),
        (" So the answer is 4", "Therefore, the answer (arabic numerals) is", (" ", " 4")),
        (" nothing", "The answer is", (" nothing", None)),
        (" the answer is", "The answer is", (" the answer is", None)),
        (" the answer is 4", "", (" the answer is 4", None)),
    ],
)  # fmt: skip
def test_parted(reply: str, extraction: str, parts: tuple[str, str | None]) -> None:
    assert split_reasoning(reply, extraction) == parts


def test_concluded() -> None:
    assert parse_conclusion(" 12. Then 5 more.", NumberParser()) == "12"
    assert parse_conclusion(" $1,200.50.", NumberParser()) == "1200.5"
    assert parse_conclusion("\n\nso\n7", NumberParser()) == "7"
    assert parse_conclusion(" none", NumberParser()) is None
    assert parse_conclusion("\n Paris\nIt is big.", TextParser()) == "Paris"


def test_manual_demonstrations_are_shown_with_their_reasoning() -> None:
    model = ScriptedModel(adder)
    strategy = ChainOfThought(
        QUESTION,
        model,
        parser=NumberParser(),
        mode="manual",
        demonstrations=[
            {"fields": {"question": "1 and 2"}, "reasoning": "One and two make 3.", "answer": "3"}
        ],
    )
    assert strategy.fit([]).predict([example("5 and 6")]).labels == ["11"]
    assert model.calls[0][0][0] == (
        "Q: 1 and 2\nA: One and two make 3. The answer is 3.\n\nQ: 5 and 6\nA: {mask}"
    )
    assert model.decodings[0].stop == ("\n\n",)
    again = ChainOfThought.from_settings(strategy.settings(), model)
    assert again.settings() == strategy.settings()


def test_manual_demonstrations_come_from_training_examples_with_reasoning() -> None:
    train = [
        example(
            f"{n} and 1", str(n + 1), n, solution=f"{n}+1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"
        )
        for n in range(6)
    ]
    model = ScriptedModel(adder)
    strategy = ChainOfThought(
        QUESTION, model, parser=NumberParser(), mode="manual", reasoning_field="solution", count=2
    )
    with pytest.raises(NotFittedError, match="2 worked examples are to be found"):
        strategy.predict([example("1")])
    strategy.fit(train)
    assert strategy.demonstrations is not None
    assert len(strategy.demonstrations) == 2
    one = strategy.demonstrations[0]
    number = int(one.fields["question"].split()[0])
    assert one.reasoning == f"{number}+1 = {number + 1}"
    assert set(one.fields) == {"question"}
    unfitted = ChainOfThought(
        QUESTION, model, parser=NumberParser(), mode="manual", reasoning_field="solution", count=2
    )
    for each in (strategy, unfitted):
        assert ChainOfThought.from_settings(each.settings(), model).settings() == each.settings()
    with pytest.raises(InputError, match="no field 'solution'"):
        unfitted.fit([example("1", "1")])
    with pytest.raises(InputError, match="2 worked examples are asked for and 1"):
        unfitted.fit(train[:1])
    assert worked_examples([example("q", None, solution="s")], "solution") == []


def families() -> list[Example]:
    """Two kinds of questions; every second one is long, and one kind is worked out wrongly."""
    apples = [example(f"apples {n} apples and {n} apples", str(2 * n), n) for n in range(2, 6)]
    trains = [example(f"trains {n} trains and {n} trains", "1", 10 + n) for n in range(2, 5)]
    right = [example("trains 7 trains and 7 trains trains", "14", 20)]
    return [*apples, *trains, *right]


def auto(model: ScriptedModel, **options: Any) -> ChainOfThought:
    return ChainOfThought(
        QUESTION,
        model,
        parser=NumberParser(),
        mode="auto",
        count=2,
        automatic=AutoCoTConfig(**options),
    )


def test_automatic_demonstrations_are_right_short_and_of_different_kinds() -> None:
    model = ScriptedModel(adder)
    strategy = auto(model).fit(families())
    assert strategy.demonstrations is not None
    questions = [one.fields["question"].split()[0] for one in strategy.demonstrations]
    assert sorted(questions) == ["apples", "trains"]
    trains = next(d for d in strategy.demonstrations if d.fields["question"].startswith("trains"))
    assert trains.answer == "14"
    assert trains.reasoning == "Add 7. Add 7. It is done."
    shown = strategy.example_prompt(example("1 and 2"))
    assert shown.count("A: Let's think step by step. Add") == 2
    assert shown.endswith("Q: 1 and 2\nA: Let's think step by step.{mask}")
    assert strategy.predict([example("1 and 2")]).labels == ["3"]
    assert (
        ChainOfThought.from_settings(strategy.settings(), model).settings() == strategy.settings()
    )


def test_automatic_filters() -> None:
    model = ScriptedModel(adder)
    any_label = auto(model, right_only=False).fit(families())
    assert any_label.demonstrations is not None
    assert len(any_label.demonstrations) == 2
    with pytest.raises(WorkError, match=r"at most 60 tokens, 2 steps, the right answer"):
        auto(model, steps=2).fit(families())
    with pytest.raises(WorkError, match=r"at most 3 tokens"):
        auto(model, question_tokens=3).fit(families())
    with pytest.raises(InputError, match="there are 1 training examples"):
        auto(model).fit(families()[:1])
    one = auto(model, tries=1, question_tokens=6).fit(families())
    assert one.demonstrations is not None
    assert len(one.demonstrations) == 1


def test_clusters_are_ordered_and_repeat() -> None:
    texts = ["a b c", "a b d", "x y z", "x y w", "a b e"]
    vectors = question_vectors(texts, ScriptedModel(), "tfidf")
    clusters = cluster_questions(vectors, 2, 13)
    assert [sorted(rows) for rows in clusters] == [[0, 1, 4], [2, 3]]
    assert clusters == cluster_questions(vectors, 2, 13)


def test_steps_are_lines_or_sentences() -> None:
    assert split_steps("one\n\ntwo\n") == ["one", "two"]
    assert split_steps("It costs 1.50 now. Then 2! So?") == ["It costs 1.50 now.", "Then 2!", "So?"]
    assert split_steps("  ") == []
    assert WorkedExample({}, " r ", "5").completion("", "The answer is") == "r The answer is 5."


def test_what_is_refused() -> None:
    model = ScriptedModel()
    for options, told in [
        ({"mode": "maunal"}, "unknown mode 'maunal'"),
        ({"extract": "third"}, "unknown extract 'third'"),
        ({"mode": "manual"}, "needs worked demonstrations"),
        ({"demonstrations": [WorkedExample({}, "r", "a")]}, "mode zero_shot takes no worked"),
        ({"verbalizer": {"a": "a", "b": "b"}, "extract": "reply"}, "use extract second"),
        ({"verbalizer": {"a": "a", "b": "b"}, "parser": TextParser()}, "a parser or a verbalizer"),
    ]:
        with pytest.raises(InputError, match=told):
            ChainOfThought(QUESTION, model, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown by 'luck'"):
        AutoCoTConfig(by="luck")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tries is 0"):
        AutoCoTConfig(tries=0)
    masked = ScriptedModel()
    masked.capabilities, masked.family = frozenset({"score"}), "masked"
    with pytest.raises(CapabilityError, match="is a masked model and cannot generate"):
        ChainOfThought(QUESTION, masked)


def test_an_empty_reply_and_a_failed_request_stay_with_their_example() -> None:
    def write(prompt: str, sample: int) -> str:
        if "fail" in prompt:
            return "!no connection"
        return " " if "empty" in prompt else " 3"

    found = ChainOfThought(QUESTION, ScriptedModel(write), parser=NumberParser()).predict(
        [example("empty"), example("fail"), example("fine")]
    )
    assert found.labels == [None, None, "3"]
    assert "step 'reasoning': scripted wrote nothing" in found[0].trace["wordless"]
    assert found[0].error is None  # the model has answered, so that it counts
    assert found[0].unparsed
    assert found[1].error == "no connection"
