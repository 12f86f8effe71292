"""The driver: strategies side by side, their asks in batches, failures alone."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.errors import AskError, Cancelled, InputError
from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.predictors.model_calls import (
    Gather,
    GenerateCall,
    ScoreCall,
    StrategyRun,
    traced_generate,
    traced_score,
)
from promptlab.predictors.scheduler import run_concurrently
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

    def solving(name: str) -> StrategyRun[str]:
        first = yield GenerateCall(model, prompt(name), GREEDY)
        second = yield GenerateCall(model, prompt(first.text + "|"), GREEDY, 1)
        return str(second.text)

    assert run_concurrently([solving("a"), solving("b")]) == [
        "a{mask}0|{mask}1",
        "b{mask}0|{mask}1",
    ]
    assert [len(call) for call in model.calls] == [2, 2]


def test_a_failed_request_fails_its_example_alone() -> None:
    model = ScriptedModel(lambda text, _: "!the endpoint is gone" if "bad" in text else "fine")

    def solving(name: str) -> StrategyRun[str]:
        return str((yield GenerateCall(model, prompt(name), GREEDY)).text)

    good, bad = run_concurrently([solving("good"), solving("bad")])
    assert good == "fine"
    assert isinstance(bad, AskError)
    assert str(bad) == "the endpoint is gone"


def test_parts_are_solved_together_and_may_tolerate_failures() -> None:
    model = ScriptedModel(lambda text, n: "!no" if n == 1 else f"s{n}")

    def part(number: int) -> StrategyRun[str]:
        return str((yield GenerateCall(model, prompt("q"), GREEDY, number)).text)

    def whole(tolerant: bool) -> StrategyRun[Any]:
        none = yield Gather([])
        found = yield Gather([part(n) for n in range(3)], tolerant)
        return none, found

    strict, tolerant = run_concurrently([whole(False), whole(True)])
    assert isinstance(strict, AskError)
    none, found = tolerant
    assert none == []
    assert (found[0], str(found[1]), found[2]) == ("s0", "no", "s2")
    assert len(model.calls) == 1


def test_a_strategy_may_catch_a_failure_and_go_on() -> None:
    model = ScriptedModel(lambda text, n: "!busy" if n == 0 else "second try")

    def solving() -> StrategyRun[str]:
        try:
            reply = yield GenerateCall(model, prompt("q"), GREEDY)
        except AskError:
            reply = yield GenerateCall(model, prompt("q"), GREEDY, 1)
        return str(reply.text)

    assert run_concurrently([solving()]) == ["second try"]


def test_scores_come_by_prompt_and_too_long_ones_fail_alone() -> None:
    model = ScriptedModel(rate=lambda text, answer: -1.0 if answer in text else -2.0, max_tokens=9)

    def solving(text: str) -> StrategyRun[tuple[float, ...]]:
        return (yield ScoreCall(model, prompt(text), ("yes", "no"))).logprobs  # type: ignore[no-any-return]

    first, second, long = run_concurrently([solving("yes"), solving("no"), solving("far " * 20)])
    assert first == (-1.0, -2.0)
    assert second == (-2.0, -1.0)
    assert isinstance(long, AskError)
    assert "21 tokens and scripted takes 9" in str(long)
    assert run_concurrently([solving("far " * 20)])[0].args == long.args  # type: ignore[union-attr]


def test_what_is_no_failed_request_ends_everything() -> None:
    def solving() -> StrategyRun[None]:
        raise InputError("no such field")
        yield

    with pytest.raises(InputError, match="no such field"):
        run_concurrently([solving()])


def test_steps_have_the_same_order_in_any_batch() -> None:
    model = ScriptedModel(lambda text, n: text[:1])
    warm = Decoding(temperature=1.0)

    def part(branch: TraceCursor, decoding: Decoding) -> StrategyRun[None]:
        yield from traced_generate(branch, "text", GenerateCall(model, prompt("q"), decoding))

    def rated(branch: TraceCursor) -> StrategyRun[None]:
        yield from traced_score(branch, "rate", ScoreCall(model, prompt("r"), ("a",)))

    def whole(branch: TraceCursor, first: Decoding, second: Decoding) -> StrategyRun[None]:
        yield Gather([part(branch, first), rated(branch), part(branch, second)])

    traces = [Trace(), Trace(), Trace()]
    run_concurrently([whole(traces[0].root, GREEDY, warm), whole(traces[1].root, warm, GREEDY)])
    run_concurrently([whole(traces[2].root, warm, GREEDY)])
    assert [s.name for s in traces[0]] == ["text", "rate", "text"]
    order = [[(s.number, s.name, s.prompt) for s in trace] for trace in traces]
    assert order[1] == order[2]
    assert traces[1].tokens_out == 3


def test_rounds_are_told() -> None:
    model = ScriptedModel(lambda text, n: "x")
    told: list[tuple[int, int]] = []

    def solving(rounds: int) -> StrategyRun[None]:
        for number in range(rounds):
            yield GenerateCall(model, prompt("q"), GREEDY, number)

    run_concurrently(
        [solving(1), solving(2)], on_round=lambda done, all_: told.append((done, all_))
    )
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
