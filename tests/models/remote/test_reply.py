"""Every shape in which a server answers: text, refusal, reasoning, failure and cost, told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptlab.models.remote.error_message import ErrorMessage
from promptlab.models.remote.reply import (
    EmbeddedError,
    MalformedResponseError,
    Reply,
    ReplyError,
    WithheldError,
    read_reply,
)
from promptlab.models.remote.usage import TokenUsage, find_usage, read_usage

USAGE = {"prompt_tokens": 10, "completion_tokens": 2}
FOUND = {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}}


def document(message: Any, finish: str | None = "stop", **more: Any) -> str:
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return json.dumps({"choices": [choice], "usage": USAGE})


def read(content: Any, finish: str = "stop", **beside: Any) -> Reply:
    return read_reply(document({"role": "assistant", "content": content, **beside}, finish))


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("yes", "yes", ""),
        ("", "", ""),
        (None, "", ""),
        ([], "", ""),
        ([{"type": "text", "text": "y"}, {"type": "output_text", "text": "es"}], "yes", ""),
        (["y", "es"], "yes", ""),
        ({"type": "text", "text": "yes"}, "yes", ""),
        ([{"text": "yes"}], "yes", ""),
        ([{"type": "text", "text": {"value": "yes"}}], "yes", ""),
        ([{"type": "reasoning", "text": "no?"}, {"type": "text", "text": "yes"}], "yes", "no?"),
        ([{"type": "thinking", "thinking": "no?"}, {"type": "text", "text": "yes"}], "yes", "no?"),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "no?"}]},
                {"type": "text", "text": "yes"},
            ],
            "yes", "no?",
        ),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "a"}], "a", ""),
        ("a\ud83d", "a\ufffd", ""),
    ],
)  # fmt: skip
def test_contents(content: Any, text: str, reasoning: str) -> None:
    reply = read(content)
    assert (reply.text, reply.reasoning, reply.refusal) == (text, reasoning, "")
    assert reply.usage == TokenUsage(10, 2)


@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_content": "no?"},
        {"reasoning": "no?"},
        {"thinking": "no?"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "no?"}]},
        {"reasoning": "no?", "reasoning_details": [{"type": "reasoning.text", "text": "no?"}]},
        {"reasoning": {"summary": [{"type": "summary_text", "text": "no?"}]}},
    ],
)
def test_reasoning_beside_the_text_is_never_in_it(beside: dict[str, Any]) -> None:
    reply = read("yes", **beside)
    assert (reply.text, reply.reasoning) == ("yes", "no?")
    alone = read(None, "length", **beside)
    assert (alone.text, alone.reasoning, alone.reason) == ("", "no?", "length")


@pytest.mark.parametrize(
    ("content", "beside"),
    [
        (None, {"refusal": "I cannot: negative"}),
        ("", {"refusal": "I cannot: negative"}),
        ([{"type": "refusal", "refusal": "I cannot: negative"}], {}),
    ],
)
def test_a_refusal_is_no_text(content: Any, beside: dict[str, Any]) -> None:
    reply = read(content, **beside)
    assert (reply.text, reply.refusal) == ("", "I cannot: negative")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (document({"content": "par"}, "content_filter"), "content filter withheld"),
        (document({"content": None}, "SAFETY"), "content filter withheld"),
        (document({"content": "p"}, "content_filter", content_filter_results=FOUND), "violence"),
        (document({"content": ""}, "stop", content_filter_results=FOUND), "violence"),
        (json.dumps({"choices": [], "usage": USAGE,
                     "prompt_filter_results": [{"content_filter_results": FOUND}]}), "violence"),
        (document({"content": None, "tool_calls": [{"id": "1"}]}, "tool_calls"), "a tool"),
        (document({"content": "Let me", "function_call": {"name": "f"}}, "function_call"), "tool"),
        (document({"content": None}, "function_call"), "tool"),
    ],
)  # fmt: skip
def test_what_was_withheld_is_no_reply(answer: str, told: str) -> None:
    with pytest.raises(WithheldError, match=told) as raised:
        read_reply(answer)
    assert raised.value.usage == TokenUsage(10, 2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (document({"content": "par"}, "error"), "broken off"),
        (document({"content": "par"}, "abort"), "broken off"),
        (document({"content": "par"}, "insufficient_system_resource"), "broken off"),
        (document({"content": 7}), "no text"),
        (document({"content": [7]}), "no text"),
        (document(None), "no message"),
        (document("yes"), "no message"),
        (json.dumps({"choices": [], "usage": USAGE}), "no choices"),
        (json.dumps({"usage": USAGE, "object": "response", "output": []}), "no choices"),
        (document({"content": "yes"})[:-3], "no JSON"),
    ],
)
def test_what_makes_no_sense_may_be_asked_again(answer: str, told: str) -> None:
    with pytest.raises(MalformedResponseError, match=told):
        read_reply(answer)


@pytest.mark.parametrize("answer", ["", "null", "[]", "7", "NaN", "[" * 50_000, "\ufeff<html>"])
def test_any_other_answer_is_broken(answer: str) -> None:
    with pytest.raises(MalformedResponseError):
        read_reply(answer)


@pytest.mark.parametrize(
    ("answer", "told", "status"),
    [
        ({"error": {"message": "slow", "code": 429}}, "slow", 429),
        ({"error": {"message": "slow", "code": "502"}}, "slow", 502),
        ({"error": "model runner crashed"}, "model runner crashed", None),
        ({"object": "error", "message": "bad", "code": 400}, "bad", 400),
        ({"detail": "no such route"}, "no such route", None),
        ({"message": "no quota", "code": 40303}, "no quota", None),
        ({"choices": [{"message": {"content": "par"}, "finish_reason": "error",
                       "error": {"code": 503, "message": "provider is gone"}}]}, "provider", 503),
        ({"choices": [{"message": {"content": "yes"}}], "error": {"message": "late"}}, "late",
         None),
    ],
)  # fmt: skip
def test_an_error_inside_of_an_answer(answer: dict[str, Any], told: str, status: int) -> None:
    with pytest.raises(EmbeddedError, match=told) as raised:
        read_reply(json.dumps(answer | {"usage": USAGE}))
    assert raised.value.complaint.status == status
    assert raised.value.usage == TokenUsage(10, 2)


def test_choices_need_not_be_in_order() -> None:
    choices = [{"index": n, "message": {"content": f"{n}"}} for n in (2, 0, 1)]
    assert read_reply(json.dumps({"choices": choices})).text == "0"
    assert read_reply(json.dumps({"choices": [None, {"message": {"content": "x"}}]})).text == "x"


def test_plain_completions() -> None:
    legacy = {"object": "text_completion", "choices": [{"text": " yes", "finish_reason": None}]}
    assert read_reply(json.dumps(legacy)).text == " yes"


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (USAGE, (10, 2)),
        ({"prompt_tokens": 10.0, "completion_tokens": 2.0}, (10, 2)),
        ({"prompt_tokens": float("nan"), "completion_tokens": 2}, (None, 2)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": "10", "completion_tokens": None}, (None, None)),
        ({"input_tokens": 10, "output_tokens": 2}, (10, 2)),
        (None, (None, None)),
        ([], (None, None)),
        # reasoning is among the completion's tokens, and cached ones among the prompt's
        ({**USAGE, "total_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 2},
          "prompt_tokens_details": {"cached_tokens": 8}}, (10, 2)),
        # … or in the total alone
        ({**USAGE, "total_tokens": 112}, (10, 102)),
        ({**USAGE, "total_tokens": 0}, (10, 2)),
        ({"prompt_tokens": 10, "total_tokens": 12}, (10, 2)),
    ],
)  # fmt: skip
def test_usage(usage: Any, found: tuple[int | None, int | None]) -> None:
    answer = json.loads(document({"content": "x"})) | {"usage": usage}
    assert read_reply(json.dumps(answer)).usage == read_usage({"usage": usage})
    read = read_usage({"usage": usage})
    assert (read.tokens_in, read.tokens_out) == found


@pytest.mark.parametrize(
    ("usage", "known"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 8}}, 8),
        ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": 8}, 8),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, 10),  # no more than there are
        ({}, 0),
    ],
)
def test_tokens_that_the_endpoint_knew(usage: dict[str, Any], known: int) -> None:
    assert read_usage({"usage": USAGE | usage}).tokens_known == known


def test_the_cost_of_a_document_that_was_cut() -> None:
    cut = f'{{"usage": {json.dumps(USAGE)}, "choices": [{{"message": {{"content": "ab'
    with pytest.raises(ReplyError) as raised:
        read_reply(cut)
    assert raised.value.usage == find_usage(cut) == TokenUsage(10, 2)
    assert find_usage('{"usage": {"prompt_tok') == TokenUsage()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "no  worker"}}', "no worker"),
        ('{"error": "no worker"}', "no worker"),
        ('{"error": {"code": 7}}', "7"),
        ('{"detail": "no worker"}', "no worker"),
        ('{"detail": [{"loc": ["body", "seed"], "msg": "not permitted"}, {"msg": "b"}]}',
         "body.seed: not permitted; b"),
        ('{"detail": [{"loc": true, "msg": "no"}]}', "no"),
        ('{"message": {"detail": [{"loc": ["body", "seed"], "msg": "no"}]}}', "body.seed: no"),
        ('[{"error": {"message": "no worker"}}]', "no worker"),
        ('{"error": {"message": "Provider returned error", "metadata": {"raw": "too long"}}}',
         "Provider returned error (too long)"),
        ("<html><head><title>502 Bad Gateway</title>", "a web page (502 Bad Gateway)"),
        ("gone", "'gone'"),
        ("", "empty"),
        ("{}", "'{}'"),
    ],
)  # fmt: skip
def test_what_an_error_says(body: str, message: str) -> None:
    assert ErrorMessage.parse(body).message == message
