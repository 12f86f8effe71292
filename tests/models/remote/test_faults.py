"""Endpoints that fail: what is finished is kept, what failed is told for its own example."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import EndpointError
from promptlab.models.remote.model import RemoteModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt, Slot, Text
from tests.helpers.fake_endpoint import (
    Answer,
    Call,
    Endpoint,
    Script,
    refused,
    said,
    serving,
    stream,
)
from tests.helpers.remote_fixtures import own_replies  # noqa: F401 - a fixture

Started = Callable[[Script], Endpoint]


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts endpoints that are stopped after the test."""
    opened: list[Any] = []

    def begin(script: Script) -> Endpoint:
        opened.append(serving(script))
        return opened[-1].__enter__()

    yield begin
    for each in opened:
        each.__exit__(None, None, None)


class Waits(list[float]):
    """Seconds that would have been waited; as a clock it shows their sum."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> float:
        return math.fsum(self)


def model_at(endpoint: Endpoint, **options: Any) -> tuple[RemoteModel, Waits]:
    """A model that notes its waits instead of waiting."""
    waits = Waits()
    options = {"retries": 3, **options}
    model = RemoteModel(endpoint.name, pause=waits, clock=waits.clock, **options)
    return model, waits


def ask(model: RemoteModel, *words: str, **decoding: Any) -> list[Generation]:
    prompts = [Prompt((Text(word), Slot())) for word in words]
    return model.generate(prompts, Decoding(**decoding))


def test_replies_come_in_the_order_of_the_prompts(start: Started) -> None:
    endpoint = start(lambda call, n: said(f"re {call.words}"))
    model, waits = model_at(endpoint)
    assert [g.text for g in ask(model, *"abcdefghij")] == [f"re {c}" for c in "abcdefghij"]
    assert waits == []
    assert model.usage_cost() == {
        "requests": 10, "retries": 0, "failed": 0, "cached": 0, "estimated": 0,
        "unheard": 0, "tokens_in": 100, "tokens_out": 20, "dollars": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (refused(500, "out of memory"), "500 Internal Server Error: out of memory"),
        (refused(503, "loading"), "503 Service Unavailable: loading"),
        (refused(408, "slow"), "408 Request Timeout: slow"),
        (refused(409, "busy"), "409 Conflict: busy"),
        (refused(425, "early"), "425 Too Early: early"),
        (refused(429, "too many"), "429 Too Many Requests: too many"),
        (Answer(text='{"choices": [{"mess'), "its answer is no JSON"),
        (Answer(text="<!DOCTYPE html><html>Gateway"), "web page, not JSON"),
        (Answer(text="{}"), "has no choices"),
        (Answer(text='{"choices": []}'), "has no choices"),
        (Answer(text="[1, 2]"), "has no choices"),
        (Answer(text='{"error": {"message": "no worker"}}'), "it said: no worker"),
        (Answer(text='{"choices": [{"message": {"content": 7}}]}'), "its text is no text"),
        (Answer(text=""), "no JSON (empty)"),
        (Answer(text='{"choices"', cut=True), "the connection broke"),
        (Answer(reset=True), "the connection broke"),
    ],
)
def test_a_fault_that_passes_costs_one_more_try_and_one_that_stays_one_example(
    start: Started, fault: Answer, told: str
) -> None:
    def script(call: Call, number: int) -> Answer:
        stays = call.words == "bad" or (call.words == "once" and number == 0)
        return fault if stays else said(f"re {call.words}")

    model, waits = model_at(start(script))
    good, once, bad = ask(model, "good", "once", "bad")
    assert (good.text, good.error) == ("re good", None)
    assert (once.text, once.error) == ("re once", None)
    assert bad.text == ""
    assert bad.finish == "error"
    assert told in (bad.error or "")
    assert "(tried 4 times)" in (bad.error or "")
    assert model.usage_cost()["retries"] == 1 + 3
    assert model.usage_cost()["failed"] == 1
    assert len(waits) == 4


def test_waits_grow_and_are_drawn_at_random(start: Started) -> None:
    model, waits = model_at(start(lambda call, n: refused(500, "down")), retries=5)
    ask(model, "a")
    assert len(waits) == 5
    for number, seconds in enumerate(waits):
        assert 0.25 * 2**number <= seconds <= 0.5 * 2**number
    assert len(set(waits)) == 5


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(("asked", "least"), [("7", 7.0), ("1.5", 1.5), ("a date", 30.0)])
def test_retry_after_is_honoured(start: Started, asked: str, least: float) -> None:
    asked = date_in(60) if asked == "a date" else asked

    def script(call: Call, number: int) -> Answer:
        return said("fine") if number else refused(429, "slow down", retry_after=asked)

    model, waits = model_at(start(script))
    assert ask(model, "a")[0].text == "fine"
    assert max(waits) >= least
    assert max(waits) < least + 40


def test_an_endpoint_that_asks_for_hours_is_not_waited_for(start: Started) -> None:
    model, waits = model_at(start(lambda call, n: refused(429, "tomorrow", retry_after="86400")))
    (reply,) = ask(model, "a")
    assert waits == []
    assert "429 Too Many Requests: tomorrow (tried once)" in (reply.error or "")


def test_a_silent_endpoint_is_given_up_in_time(start: Started) -> None:
    given_up = threading.Event()

    def script(call: Call, number: int) -> Answer:
        if call.words == "slow":
            given_up.wait(120)
        return said(call.words)

    model, _waits = model_at(start(script), read_timeout=1.0, retries=1)
    try:
        quick, slow = ask(model, "quick", "slow")
    finally:
        given_up.set()
    assert quick.text == "quick"
    assert "sent nothing for 1 s (read_timeout) (tried 2 times)" in (slow.error or "")


def test_a_refused_request_is_not_repeated(start: Started) -> None:
    def script(call: Call, number: int) -> Answer:
        if call.words == "long":
            return refused(400, "maximum context length is 512 tokens, you asked for 900")
        return said("fine")

    endpoint = start(script)
    model, waits = model_at(endpoint)
    fine, long = ask(model, "short", "long")
    assert fine.text == "fine"
    assert "400 Bad Request: maximum context length is 512" in (long.error or "")
    assert "(tried once)" in (long.error or "")
    assert waits == []
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused(401, "bad key"), "PROMPTLAB_API_KEY"),
        (refused(403, "not yours"), "PROMPTLAB_API_KEY"),
        (refused(429, "quota", "insufficient_quota"), "no credit left"),
        (refused(404, "no such model"), "it has m, or its URL"),
        (refused(400, "this server has no 'm'"), "it has no model 'm'"),
        (Answer(301, headers={"Location": "https://elsewhere/v1"}), "it moved"),
    ],
)
def test_what_no_request_can_succeed_with_ends_all_at_once(
    start: Started, answer: Answer, told: str
) -> None:
    endpoint = start(lambda call, n: answer)
    model, waits = model_at(endpoint, concurrency=2)
    with pytest.raises(EndpointError, match=f"answered {answer.status}.*{told}"):
        ask(model, *map(str, range(50)))
    assert len(endpoint.calls) <= 2
    assert waits == []


def test_finished_replies_outlive_a_run_that_fails(start: Started, own_replies: Path) -> None:
    locked = [False]

    def script(call: Call, number: int) -> Answer:
        if call.words == "3" and not locked[0]:
            locked[0] = True
            return refused(401, "the key has run out")
        return said(f"re {call.words}")

    endpoint = start(script)
    words = list(map(str, range(6)))
    with pytest.raises(EndpointError):
        ask(model_at(endpoint, concurrency=1)[0], *words)
    calls = len(endpoint.calls)
    replies = ask(model_at(endpoint, concurrency=1)[0], *words)
    assert [g.text for g in replies] == [f"re {word}" for word in words]
    assert [g.cached for g in replies[:3]] == [True] * 3
    assert len(endpoint.calls) == calls + 6 - (calls - 1)


def test_an_empty_text_is_told_and_not_kept(start: Started) -> None:
    def script(call: Call, number: int) -> Answer:
        return said("now" if number else "", finish="length")

    model, _ = model_at(start(script))
    (first,) = ask(model, "a")
    assert first.error == f"{model.name} replied with an empty text (finish reason 'length'); " + (
        "give it more tokens (max_tokens)"
    )
    (second,) = ask(model, "a")
    assert (second.text, second.error, second.finish) == ("now", None, "length")


def test_hidden_reasoning_that_leaves_no_text(start: Started) -> None:
    message = {"content": None, "reasoning_content": "Let me think"}
    document = {"choices": [{"message": message, "finish_reason": "length"}]}
    model, _ = model_at(start(lambda call, n: Answer(text=json.dumps(document))))
    assert "went into its hidden reasoning" in (ask(model, "a")[0].error or "")


@pytest.mark.parametrize(
    "fault",
    [
        stream("a", "b", finish=None, done=False),
        stream(finish=None, done=False),
        Answer(text='data: {"choices": [{"de', kind="text/event-stream", cut=True),
        Answer(text='data: {"error": "worker died"}\n\n', kind="text/event-stream"),
        Answer(text="data: nonsense\n\n", kind="text/event-stream"),
    ],
)
def test_a_cut_stream_is_asked_for_again(start: Started, fault: Answer) -> None:
    def script(call: Call, number: int) -> Answer:
        assert call.body["stream"] is True
        if call.words == "cut":
            return fault
        return stream("wh", "ole") if number else fault

    model, _waits = model_at(start(script), stream=True, retries=2)
    whole, cut = ask(model, "whole", "cut")
    assert (whole.text, whole.finish) == ("whole", "stop")
    assert "sent a broken reply" in (cut.error or "")
    assert "(tried 3 times)" in (cut.error or "")


@pytest.mark.parametrize("end", [{"finish": None}, {"done": False}])
def test_a_stream_is_whole_with_a_reason_or_a_mark_at_its_end(
    start: Started, end: dict[str, Any]
) -> None:
    model, waits = model_at(start(lambda call, n: stream("a", "b", **end)), stream=True)
    (reply,) = ask(model, "x")
    assert (reply.text, reply.error) == ("ab", None)
    assert waits == []
    assert model.usage_cost()["estimated"] == 1  # no usage came with it


def test_an_endpoint_that_does_not_stream_is_understood(start: Started) -> None:
    model, _ = model_at(start(lambda call, n: said("whole")), stream=True)
    assert ask(model, "x")[0].text == "whole"


def test_an_endpoint_that_is_gone_costs_few_tries(start: Started) -> None:
    endpoint = start(lambda call, n: said(""))
    endpoint.close()
    model, waits = model_at(endpoint, retries=3, concurrency=2, max_tokens=99)
    replies = ask(model, *map(str, range(40)))
    assert all("cannot be reached" in (g.error or "") for g in replies)
    assert len(waits) < 20


def test_no_more_requests_at_a_time_than_allowed(start: Started) -> None:
    together = threading.Barrier(3, timeout=60)

    def script(call: Call, number: int) -> Answer:
        together.wait()  # each is answered when there are three
        return said("x")

    endpoint = start(script)
    ask(model_at(endpoint, concurrency=3)[0], *map(str, range(12)))
    assert endpoint.most == 3


@pytest.mark.parametrize(
    ("complaint", "gone", "instead"),
    [
        ("Unexpected fields in the request: {'seed'}", "seed", None),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
    ],
)
def test_a_field_that_an_endpoint_does_not_know_is_left_out(
    start: Started, complaint: str, gone: str, instead: str | None
) -> None:
    def script(call: Call, number: int) -> Answer:
        return refused(400, complaint) if gone in call.body else said("fine")

    endpoint = start(script)
    model, waits = model_at(endpoint, concurrency=1)
    assert [g.text for g in ask(model, "a", "b", temperature=1.0)] == ["fine", "fine"]
    assert len(endpoint.calls) == 3  # learned once
    assert instead is None or endpoint.calls[-1].body[instead] == 64
    assert waits == []
