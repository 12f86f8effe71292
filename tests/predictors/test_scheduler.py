"""The driver: strategies side by side, their asks in batches, failures alone."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.errors import AskError, Cancelled, InputError
from promptlab.evaluation.trace import Branch, Trace
from promptlab.predictors.model_calls import Generate, Score, Solving, Together, generated, scored
from promptlab.predictors.scheduler import drive
from promptlab.predictors.strategy import solve
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from tests.helpers.scripted_model import ScriptedModel

GREEDY = Decoding()


def prompt(text: str) -> Prompt:
    return Prompt((Text(text), Slot()))


def test_what_is_asked_at_the_same_time_is_one_call() -> None:
    model = ScriptedModel(lambda text, sample: f"{text}{sample}")

    def solving(name: str) -> Solving[str]:
        first = yield Generate(model, prompt(name), GREEDY)
        second = yield Generate(model, prompt(first.text + "|"), GREEDY, 1)
        return str(second.text)

    assert drive([solving("a"), solving("b")]) == ["a{mask}0|{mask}1", "b{mask}0|{mask}1"]
    assert [len(call) for call in model.calls] == [2, 2]


def test_a_failed_request_fails_its_example_alone() -> None:
    model = ScriptedModel(lambda text, _: "!the endpoint is gone" if "bad" in text else "fine")

    def solving(name: str) -> Solving[str]:
        return str((yield Generate(model, prompt(name), GREEDY)).text)

    good, bad = drive([solving("good"), solving("bad")])
    assert good == "fine"
    assert isinstance(bad, AskError)
    assert str(bad) == "the endpoint is gone"


def test_parts_are_solved_together_and_may_tolerate_failures() -> None:
    model = ScriptedModel(lambda text, n: "!no" if n == 1 else f"s{n}")

    def part(number: int) -> Solving[str]:
        return str((yield Generate(model, prompt("q"), GREEDY, number)).text)

    def whole(tolerant: bool) -> Solving[Any]:
        none = yield Together([])
        found = yield Together([part(n) for n in range(3)], tolerant)
        return none, found

    strict, tolerant = drive([whole(False), whole(True)])
    assert isinstance(strict, AskError)
    none, found = tolerant
    assert none == []
    assert (found[0], str(found[1]), found[2]) == ("s0", "no", "s2")
    assert len(model.calls) == 1


def test_a_strategy_may_catch_a_failure_and_go_on() -> None:
    model = ScriptedModel(lambda text, n: "!busy" if n == 0 else "second try")

    def solving() -> Solving[str]:
        try:
            reply = yield Generate(model, prompt("q"), GREEDY)
        except AskError:
            reply = yield Generate(model, prompt("q"), GREEDY, 1)
        return str(reply.text)

    assert drive([solving()]) == ["second try"]


def test_scores_come_by_prompt_and_too_long_ones_fail_alone() -> None:
    model = ScriptedModel(rate=lambda text, answer: -1.0 if answer in text else -2.0, max_tokens=9)

    def solving(text: str) -> Solving[tuple[float, ...]]:
        return (yield Score(model, prompt(text), ("yes", "no"))).logprobs  # type: ignore[no-any-return]

    first, second, long = drive([solving("yes"), solving("no"), solving("far " * 20)])
    assert first == (-1.0, -2.0)
    assert second == (-2.0, -1.0)
    assert isinstance(long, AskError)
    assert "21 tokens and scripted takes 9" in str(long)
    assert drive([solving("far " * 20)])[0].args == long.args  # type: ignore[union-attr]


def test_what_is_no_failed_request_ends_everything() -> None:
    def solving() -> Solving[None]:
        raise InputError("no such field")
        yield

    with pytest.raises(InputError, match="no such field"):
        drive([solving()])


def test_steps_have_the_same_order_in_any_batch() -> None:
    model = ScriptedModel(lambda text, n: text[:1])
    warm = Decoding(temperature=1.0)

    def part(branch: Branch, decoding: Decoding) -> Solving[None]:
        yield from generated(branch, "text", Generate(model, prompt("q"), decoding))

    def rated(branch: Branch) -> Solving[None]:
        yield from scored(branch, "rate", Score(model, prompt("r"), ("a",)))

    def whole(branch: Branch, first: Decoding, second: Decoding) -> Solving[None]:
        yield Together([part(branch, first), rated(branch), part(branch, second)])

    traces = [Trace(), Trace(), Trace()]
    drive([whole(traces[0].root, GREEDY, warm), whole(traces[1].root, warm, GREEDY)])
    drive([whole(traces[2].root, warm, GREEDY)])
    assert [s.name for s in traces[0]] == ["text", "rate", "text"]
    order = [[(s.number, s.name, s.prompt) for s in trace] for trace in traces]
    assert order[1] == order[2]
    assert traces[1].tokens_out == 3


def test_rounds_are_told() -> None:
    model = ScriptedModel(lambda text, n: "x")
    told: list[tuple[int, int]] = []

    def solving(rounds: int) -> Solving[None]:
        for number in range(rounds):
            yield Generate(model, prompt("q"), GREEDY, number)

    drive([solving(1), solving(2)], advanced=lambda done, all_: told.append((done, all_)))
    assert told == [(1, 2), (2, 2)]


def test_one_example_is_watched_and_stopped() -> None:
    """`solve` tells of steps and texts as they come, and ends with what its watch raises."""
    model = ScriptedModel(lambda prompt, n: "so 4" if "therefore" not in prompt.lower() else "4")
    thinking = ChainOfThought("Q: {question}\nA: {mask}", model)
    seen: list[tuple[int, str]] = []
    asked = {"question": "2+2?"}
    found = solve(thinking, asked, lambda trace, text: seen.append((len(trace), text)))
    assert found == thinking.predict([{"question": "2+2?"}])[0]
    assert seen == [(0, ""), (0, "so 4"), (1, ""), (1, "4"), (2, "")]

    def stop(trace: Trace, text: str) -> None:
        if len(trace):
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        solve(thinking, {"question": "2+2?"}, stop)
    assert solve(thinking, {"question": "2+2?"}).label == "4"
