"""Over HTTP: endpoints that ask to wait, refuse, withhold and break off, and what it all costs."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, EndpointError, InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.reply_counts import count_replies
from promptlab.events import EndpointBusy, Event, Events, Warned
from promptlab.models.remote.model import RemoteModel
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.parsers.parsers import parser_from_settings
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, Script, refused, said, serving
from tests.helpers.remote_fixtures import own_replies, plain  # noqa: F401 - a fixture
from tests.models.remote.test_faults import Waits

Started = Callable[[Script], Endpoint]
PRICE = {"input": 1e6, "output": 1e6}
HINT = (
    "Rate limit reached for m on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try "
    "again in 20s. Visit https://platform.example/account/rate-limits to learn more."
)
CHOICES = {"type": "choice", "choices": {"positive": ["positive"], "negative": ["negative"]}}


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts endpoints that are stopped after the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(serving(script))


def model_at(endpoint: Endpoint, **options: Any) -> tuple[RemoteModel, Waits]:
    """A model whose waits move its clock, and take no time."""
    waits = Waits()
    options = {"max_tokens": 512, "price": PRICE, **options}
    return RemoteModel(endpoint.name, pause=waits, clock=waits.clock, **options), waits


def ask(model: RemoteModel, *words: str, **decoding: Any) -> list[Generation]:
    return model.generate([plain(word) for word in words], Decoding(**decoding))


def predictor(model: RemoteModel) -> PromptGenerator:
    return PromptGenerator("{text} {mask}", parser_from_settings(CHOICES), model)


def test_nobody_is_lost_while_the_endpoint_asks_to_wait(start: Started) -> None:
    """For a while every request is refused, and only the text says for how long."""
    begun: list[float] = []
    hint = HINT.replace("20s", "350ms")

    def script(call: Call, number: int) -> Answer:
        begun.append(time.monotonic())
        if begun[-1] - begun[0] < 0.5:
            return refused(429, hint, "rate_limit_exceeded")
        return said(f"re {call.words}")

    endpoint = start(script)
    model = RemoteModel(endpoint.name, max_tokens=512, retries=0)
    heard: list[Event] = []
    with Events(heard.append).in_force():
        replies = ask(model, *map(str, range(12)))
    assert [reply.error for reply in replies] == [None] * 12
    # Eight are under way when it begins; at the next look one goes first.
    assert len(endpoint.calls) <= 8 + 3 + 12
    busy = [event for event in heard if isinstance(event, EndpointBusy)]
    assert 1 <= len(busy) <= 3
    assert f"{endpoint.url} asks to wait 0." in busy[0].message
    assert "Please try again in 350ms" in busy[0].message
    assert 0.35 <= busy[0].seconds <= 0.86
    assert model.usage_cost()["failed"] == 0


def test_without_events_in_force_the_log_tells(
    start: Started, caplog: pytest.LogCaptureFixture
) -> None:
    model, _ = model_at(start(lambda call, n: said("x") if n else refused(429, HINT)))
    with caplog.at_level(logging.WARNING, "promptlab"):
        ask(model, "a")
    assert "asks to wait 2" in caplog.text


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        (refused(429, "slow", retry_after="20"), 20.0),
        (refused(429, "slow", retry_after_ms="1500"), 1.5),
        (refused(429, "slow", x_ratelimit_reset_tokens="1m6s"), 66.0),
        (refused(529, "overloaded", "overloaded_error"), 1.0),
        (refused(503, "Model is loading, please retry after 30 seconds"), 30.0),
        (refused(429, "slow down"), 1.0),
        (Answer(text=json.dumps({"error": {"code": 429, "message": HINT}})), 20.0),
    ],
)
def test_every_way_of_asking_to_wait(start: Started, answer: Answer, least: float) -> None:
    model, waits = model_at(start(lambda call, n: said("x") if n else answer), retries=1)
    assert ask(model, "a")[0].text == "x"
    assert least <= waits.clock() <= 1.1 * least + 4.0


def test_an_endpoint_that_asks_again_and_again_is_waited_for_as_long_as_patience(
    start: Started,
) -> None:
    endpoint = start(lambda call, n: refused(429, HINT))
    model, waits = model_at(endpoint, patience=100, concurrency=1, retries=0)
    (reply,) = ask(model, "a")
    assert 80.0 <= waits.clock() <= 105.0
    assert "it asks to wait 20 s, and patience is 100 s" in (reply.error or "")
    assert "(tried 5 times)" in (reply.error or "")
    impatient, none = model_at(endpoint, patience=0)
    assert "(tried once)" in (ask(impatient, "a")[0].error or "")
    assert none == []


def test_when_one_waited_in_vain_and_nobody_was_answered_all_end(start: Started) -> None:
    endpoint = start(lambda call, n: refused(503, "busy", retry_after="20"))
    model, waits = model_at(endpoint, patience=100, concurrency=1)
    first, *rest = ask(model, *map(str, range(20)))
    assert "patience is 100 s" in (first.error or "")
    assert all("nobody was answered" in (reply.error or "") for reply in rest)
    assert len(endpoint.calls) == 5
    assert 80.0 <= waits.clock() <= 105.0


def test_when_nobody_is_answered_the_rest_is_not_asked(start: Started) -> None:
    endpoint = start(lambda call, n: refused(429, "tomorrow", retry_after="86400"))
    model, waits = model_at(endpoint, concurrency=2)
    replies = ask(model, *map(str, range(50)))
    assert all("tomorrow" in (reply.error or "") for reply in replies)
    assert "patience is 10 min" in (replies[0].error or "")
    assert len(endpoint.calls) < 10
    assert waits == []
    endpoint.script = lambda call, n: said("x")
    assert all(reply.text == "x" for reply in ask(model, *map(str, range(50))))


def test_waiting_ends_when_the_work_is_cancelled(start: Started) -> None:
    asked, cancellation = threading.Event(), Cancellation()

    def script(call: Call, number: int) -> Answer:
        asked.set()
        return refused(429, "wait", retry_after="500")

    model = RemoteModel(start(script).name, max_tokens=512)

    def stop() -> None:
        asked.wait()
        cancellation.request()

    threading.Thread(target=stop, daemon=True).start()
    with cancellation.in_force(), pytest.raises(Cancelled):
        ask(model, "a", "b", "c")


@pytest.mark.parametrize(
    "answer",
    [
        refused(429, "You exceeded your current quota", "insufficient_quota"),
        refused(429, "You exceeded your current quota, please check your plan and billing."),
        refused(429, "no more", "insufficient_quota", retry_after="5"),
        refused(402, "Insufficient Balance"),
        refused(400, "Your credit balance is too low to access the API"),
        Answer(text=json.dumps({"error": {"code": 402, "message": "requires more credits"}})),
    ],
)
def test_a_spent_quota_stops_everything(start: Started, answer: Answer) -> None:
    endpoint = start(lambda call, n: answer)
    model, waits = model_at(endpoint, concurrency=1)
    with pytest.raises(EndpointError, match="no credit left"):
        ask(model, "a", "b", "c")
    assert len(endpoint.calls) == 1
    assert waits == []


def test_a_quota_of_a_minute_is_waited_for(start: Started) -> None:
    told = "You exceeded your current quota, please check your plan. Please retry in 34.07s."
    model, waits = model_at(start(lambda call, n: said("x") if n else refused(429, told)))
    assert ask(model, "a")[0].text == "x"
    assert 34.0 <= waits.clock() <= 36.0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused(400, "maximum context length is 512 tokens", "context_length_exceeded"),
         "maximum context length"),
        (refused(413, "payload too large"), "413"),
        (refused(414, "URI too long"), "414"),
        (refused(429, "Request too large for m on tokens per min (TPM): Limit 10, Requested 20"),
         "Request too large"),
        (refused(500, "the request exceeds the available context size"), "available context"),
        (Answer(422, json.dumps({"detail": [{"loc": ["body", "messages"], "msg": "too few"}]})),
         "messages: too few"),
        (Answer(400, json.dumps({"error": {"code": "content_filter", "message": "filtered",
                 "innererror": {"content_filter_result": {"hate": {"filtered": True}}}}})),
         "a content filter refused the prompt (hate)"),
        (refused(403, "Your chosen model requires moderation and your input was flagged"),
         "a content filter refused the prompt"),
    ],
)  # fmt: skip
def test_what_is_one_examples_own_fault(start: Started, answer: Answer, told: str) -> None:
    endpoint = start(lambda call, n: answer if call.words == "bad" else said("fine"))
    model, waits = model_at(endpoint)
    good, bad = ask(model, "good", "bad")
    assert good.text == "fine"
    assert told in (bad.error or "")
    long = told in ("maximum context length", "413", "Request too large", "available context")
    assert bad.finish == ("too_long" if long else "error")
    assert waits == []
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused(407, "login"), "HTTPS_PROXY"),
        (refused(405, "method"), "its URL is another one"),
        (refused(410, "gone"), "it has no model"),
        (Answer(307, headers={"Location": "https://b/v1/chat?key=1"}), r"at \(https://b/v1/chat\)"),
        (Answer(404, "<html><title>Not here</title>"), r"a web page \(Not here\)"),
        (refused(400, "The model `m` does not exist", "model_not_found"), "it has no model 'm'"),
        (Answer(403, "<html><title>Access denied</title>"), "PROMPTLAB_API_KEY"),
        (Answer(text=json.dumps({"error": {"code": 401, "message": "no auth"}})), "API_KEY"),
    ],
)
def test_what_is_everybodys_fault_stops_at_once(start: Started, answer: Answer, told: str) -> None:
    endpoint = start(lambda call, n: answer)
    with pytest.raises(EndpointError, match=told):
        ask(model_at(endpoint, concurrency=1)[0], "a", "b", "c")
    assert len(endpoint.calls) == 1


def choice(message: dict[str, Any], finish: str = "stop") -> Answer:
    """A reply of ten and two tokens."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    choices = [{"message": message, "finish_reason": finish}]
    return Answer(text=json.dumps({"choices": choices, "usage": usage}))


PAID = {
    "parts": choice({"content": [{"type": "text", "text": "positive"}]}),
    "refusal": choice({"content": None, "refusal": "I cannot call this positive"}),
    "filter": choice({"content": "posit"}, "content_filter"),
    "thought": choice({"content": None, "reasoning_content": "positive?"}, "length"),
    "empty": choice({"content": ""}),
    "cut": choice({"content": "positive, bec"}, "length"),
    "tool": choice({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls"),
}
KINDS = {
    # label, unanswered, kept
    "parts": ("positive", False, True),
    "refusal": (None, False, True),
    "filter": (None, True, False),
    "thought": (None, False, False),
    "empty": (None, False, False),
    "cut": ("positive", False, True),
    "tool": (None, True, False),
}


@pytest.mark.parametrize("kind", sorted(PAID))
def test_what_came_with_usage_is_counted_whatever_came_of_it(start: Started, kind: str) -> None:
    label, unanswered, kept = KINDS[kind]
    endpoint = start(lambda call, n: PAID[kind])
    model, _ = model_at(endpoint)
    (row,) = predictor(model).predict(["a"])
    assert (row.label, row.error is not None) == (label, unanswered)
    assert row.unparsed is (label is None)
    assert (row.tokens_in, row.tokens_out) == (10, 2)
    assert model.usage_cost()["dollars"] == pytest.approx(12.0)
    assert len(endpoint.calls) == 1  # paid once, not again and again
    predictor(model_at(endpoint)[0]).predict(["a"])
    assert len(endpoint.calls) == (1 if kept else 2)


def test_tries_that_were_paid_for_are_counted_with_the_answer(start: Started) -> None:
    broken = choice({"content": "posi"}, "error")
    endpoint = start(lambda call, n: said("positive") if n == 2 else broken)
    model, _ = model_at(endpoint)
    (row,) = predictor(model).predict(["a"])
    assert (row.label, row.tokens_in, row.tokens_out) == ("positive", 30, 6)
    assert (model.usage_cost()["tokens_in"], model.usage_cost()["tokens_out"]) == (30, 6)
    (again,) = predictor(model_at(endpoint)[0]).predict(["a"])
    assert (again.tokens_in, again.tokens_out) == (30, 6)  # a kept reply tells the same
    assert len(endpoint.calls) == 3


def test_tokens_that_the_endpoint_knew_have_a_price_of_their_own(start: Started) -> None:
    usage = {
        "prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8},
    }  # fmt: skip
    answer = json.loads(said("x").text) | {"usage": usage}
    endpoint = start(lambda call, n: Answer(text=json.dumps(answer)))
    model, _ = model_at(endpoint, price=PRICE | {"cached": 0.1e6}, cache=False)
    ask(model, "a")
    assert model.usage_cost()["dollars"] == pytest.approx(2 + 0.8 + 2)
    assert model.usage_cost()["tokens_in"] == 10
    plain_price, _ = model_at(endpoint, cache=False)
    ask(plain_price, "a")
    assert plain_price.usage_cost()["dollars"] == pytest.approx(12)


def test_a_row_without_an_answer_has_only_what_was_paid(start: Started) -> None:
    model, _ = model_at(start(lambda call, n: refused(400, "no")))
    (row,) = predictor(model).predict(["a long prompt that costs nothing"])
    assert row.error is not None
    assert (row.tokens_in, row.tokens_out) == (0, 0)
    paid, _ = model_at(start(lambda call, n: choice({"content": "p"}, "error")), retries=2)
    (row,) = predictor(paid).predict(["a"])
    assert (row.error is not None, row.tokens_in, row.tokens_out) == (True, 30, 6)


def test_refusals_empty_and_cut_replies_are_told(start: Started) -> None:
    endpoint = start(lambda call, n: PAID[call.words.split()[0]])
    model, _ = model_at(endpoint)
    rows = predictor(model).predict(["refusal", "thought", "empty", "cut", "parts"])
    assert count_replies(rows) == {"refused": 1, "empty": 2, "cut": 1}
    assert rows[0].text == "I cannot call this positive"
    assert "hidden reasoning" in rows[1].trace["wordless"]


def test_eight_of_twenty_four_are_asked_again_and_nobody_else(start: Started) -> None:
    texts = [f"text {number}" for number in range(24)]
    bad = {f"text {number}" for number in range(0, 24, 3)}
    fails = [True]

    def script(call: Call, number: int) -> Answer:
        if fails[0] and call.words in bad:
            return refused(429, "no room")
        return said("positive")

    endpoint = start(script)
    first = predictor(model_at(endpoint, retries=1)[0]).predict(texts)
    assert {text for text, row in zip(texts, first, strict=True) if row.error} == bad
    assert all(row.tokens_in == row.tokens_out == 0 for row in first if row.error)
    assert all(row.label == "positive" for row in first if not row.error)
    fails[0] = False
    before = len(endpoint.calls)
    second = predictor(model_at(endpoint)[0]).predict(texts)
    assert second.labels == ["positive"] * 24
    assert {call.words for call in endpoint.calls[before:]} == bad
    assert len(endpoint.calls) == before + 8
    assert isinstance(second, Predictions)
    assert second.errors == []


def test_what_an_endpoint_does_not_know_is_asked_once_and_told(start: Started) -> None:
    unknown = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "extra"}]}

    def script(call: Call, number: int) -> Answer:
        return Answer(422, json.dumps(unknown)) if "seed" in call.body else said("x")

    endpoint = start(script)
    model, _ = model_at(endpoint, concurrency=1)
    heard: list[Event] = []
    with Events(heard.append).in_force():
        ask(model, "a", "b", temperature=1.0)
    other, _ = model_at(endpoint, concurrency=1)  # the same model, made once more
    ask(other, "c", temperature=1.0)
    assert len(endpoint.calls) == 1 + 3
    (told,) = [event.message for event in heard if isinstance(event, Warned)]
    assert "takes no seed" in told
    assert model.describe()["adapted"] == ["takes no seed: sampled replies do not repeat on it"]
    assert model.adjustments() == [
        f"{endpoint.name} takes no seed: sampled replies do not repeat on it."
    ]


def test_a_temperature_that_is_refused_stops_with_the_setting(start: Started) -> None:
    told = (
        "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default "
        "(1) value is supported."
    )

    def script(call: Call, number: int) -> Answer:
        bad = call.body.get("temperature", 1.0) != 1.0
        return refused(400, told, "unsupported_value") if bad else said("x")

    endpoint = start(script)
    with pytest.raises(EndpointError, match=r"extra: \{temperature: null\}"):
        ask(model_at(endpoint, concurrency=1)[0], "a", "b")
    assert len(endpoint.calls) == 1
    model, _ = model_at(endpoint, extra={"temperature": None})
    assert ask(model, "a")[0].text == "x"


def test_a_body_whose_compression_is_broken(start: Started) -> None:
    bad = Answer(text="no gzip", headers={"Content-Encoding": "gzip"})
    model, waits = model_at(start(lambda call, n: said("x") if n else bad))
    assert ask(model, "a")[0].text == "x"
    assert len(waits) == 1
    assert gzip.compress(b"") != b"no gzip"


def test_bytes_that_are_no_utf8_are_no_reply(start: Started) -> None:
    text = json.dumps({"choices": [{"message": {"content": "caf\xe9"}}]}, ensure_ascii=False)
    bad = Answer(text=text, encoding="latin-1", kind="application/json")
    model, _ = model_at(start(lambda call, n: bad), retries=0)
    assert "no UTF-8" in (ask(model, "a")[0].error or "")
    marked = Answer(text="\ufeff" + text)
    model, _ = model_at(start(lambda call, n: marked))
    assert ask(model, "a")[0].text == "café"


EVENTS = (
    'data: {"choices": [{"delta": {"content": "caf\u00e9\u2028"}}]}\r\r: keep-alive\r\r'
    'data: {"choices": [{"delta": {"content": "!"}, "finish_reason": "stop"}]}\r\r'
    'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\r\r'
    "data: [DONE]\r\r"
)


@pytest.mark.parametrize("kind", ["text/event-stream; charset=iso-8859-1", "text/plain"])
@pytest.mark.parametrize("wanted", [False, True])
def test_streams_wanted_or_not(start: Started, kind: str, wanted: bool) -> None:
    endpoint = start(lambda call, n: Answer(text=EVENTS, kind=kind))
    (reply,) = ask(model_at(endpoint, stream=wanted)[0], "a")
    assert (reply.text, reply.error) == ("caf\u00e9\u2028!", None)
    assert (reply.tokens_in, reply.tokens_out) == (7, 3)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_that_is_called_a_stream(start: Started, indent: int | None) -> None:
    reply = json.dumps(json.loads(said("whole").text), indent=indent)
    kind = "text/event-stream"
    endpoint = start(lambda call, n: Answer(text=reply, kind=kind))
    assert ask(model_at(endpoint, stream=True)[0], "a")[0].text == "whole"
    error = json.dumps({"error": {"message": "bad key", "code": 401}}, indent=indent)
    endpoint.script = lambda call, n: Answer(text=error, kind=kind)
    with pytest.raises(EndpointError, match="bad key"):
        ask(model_at(endpoint, stream=True, cache=False)[0], "a")


def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://user:secret@proxy:1")
    with pytest.raises(InputError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as raised:
        RemoteModel("remote:m@http://endpoint.example/v1")
    assert "secret" not in str(raised.value)


def test_an_endpoint_without_tls(start: Started) -> None:
    endpoint = start(lambda call, n: said("x"))
    model = RemoteModel(endpoint.name.replace("http:", "https:"), max_tokens=512)
    with pytest.raises(EndpointError, match="does not speak TLS"):
        ask(model, "a")


def test_a_proxy_that_wants_a_login(start: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = start(lambda call, n: refused(407, "Proxy Authentication Required"))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    model = RemoteModel("remote:m@http://endpoint.example/v1", max_tokens=512)
    with pytest.raises(EndpointError, match="HTTPS_PROXY or HTTP_PROXY"):
        ask(model, "a")


def test_a_stream_that_tells_of_a_limit_is_waited_for(start: Started) -> None:
    piece = 'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
    error = json.dumps({"error": {"message": HINT, "code": 429}})
    told = Answer(text=f"{piece}event: error\ndata: {error}\n\n", kind="text/event-stream")
    endpoint = start(lambda call, n: said("x") if n else told)
    model, waits = model_at(endpoint, stream=True)
    assert ask(model, "a")[0].text == "x"
    assert waits.clock() >= 20.0


def test_replies_that_earlier_versions_kept_and_that_are_none(
    start: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = start(lambda call, n: said("positive"))
    model, _ = model_at(endpoint)
    assert model._cache is not None
    keys: list[bytes] = []
    keep = model._cache.keep
    with monkeypatch.context() as patched:
        patched.setattr(
            model._cache, "keep", lambda key, reply: (keys.append(key), keep(key, reply))
        )
        ask(model, "a")
    record = {"text": "posi", "reason": "content_filter", "tokens_in": 1, "tokens_out": 1}
    keep(keys[0], record | {"seconds": 1.0, "estimated": False, "thought": False})
    assert ask(model, "a")[0].text == "positive"
    assert len(endpoint.calls) == 2


def test_several_choices_are_not_asked_for(start: Started) -> None:
    with pytest.raises(InputError, match="n pays for replies that nobody reads"):
        model_at(start(lambda call, n: said("x")), extra={"n": 3})
