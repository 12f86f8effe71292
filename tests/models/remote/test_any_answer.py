"""Whatever an endpoint answers: a reply, or an error that is told; never anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.errors import EndpointError
from promptlab.models.remote.compatibility import EndpointCompatibility
from promptlab.models.remote.error_message import ErrorMessage
from promptlab.models.remote.event_stream import StreamEvent
from promptlab.models.remote.reply import ReplyError, ReplyStream, read_reply
from promptlab.models.remote.retry import ErrorResponse, PermanentError, RetryableError
from promptlab.models.remote.retry_after import requested_wait

NAMES = st.sampled_from(
    ["choices", "message", "delta", "content", "text", "type", "refusal", "reasoning", "usage",
     "error", "code", "status", "finish_reason", "index", "detail", "loc", "msg", "param",
     "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details",
     "retry_after", "retryDelay", "metadata", "raw", "filtered", "tool_calls", "object"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["text", "stop", "length", "content_filter", "error", "429", "20s", "seed"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=4)
CHOICES = st.fixed_dictionaries(
    {}, optional={"message": MESSAGES, "delta": MESSAGES, "text": VALUES, "error": VALUES,
                  "finish_reason": VALUES, "index": VALUES}
)  # fmt: skip
ANSWERS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"choices": st.lists(CHOICES, max_size=3)}, optional={"usage": VALUES, "error": VALUES}
    ),
)


@settings(max_examples=300)
@given(ANSWERS)
def test_documents(answer: Any) -> None:
    try:
        reply = read_reply(json.dumps(answer))
    except ReplyError as error:
        assert str(error)
        return
    reply.text.encode()
    assert not (reply.text and reply.refusal)


@settings(max_examples=300)
@given(st.lists(ANSWERS, max_size=4), st.sampled_from(["", "message", "error", "ping"]))
def test_streams(answers: list[Any], name: str) -> None:
    stream = ReplyStream()
    try:
        for answer in answers:
            stream.take(StreamEvent(json.dumps(answer), name))
        reply = stream.reply()
    except ReplyError as error:
        assert str(error)
        return
    reply.text.encode()


@settings(max_examples=300)
@given(st.one_of(ANSWERS.map(json.dumps), st.text()), st.integers(300, 599),
       st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset", "date", "location"]),
                       st.text(max_size=30)))  # fmt: skip
def test_failures(text: str, status: int, headers: dict[str, str]) -> None:
    complaint = ErrorMessage.parse(text)
    wait = requested_wait(headers, text)
    assert wait is None or wait >= 0
    found = ErrorResponse(status, headers, text, "told", complaint).classify("m", "KEY")
    assert isinstance(found, EndpointError | RetryableError | PermanentError)
    sent = {"model": "m", "messages": [], "seed": 1, "temperature": 0.0, "stop": ["a"]}
    try:
        EndpointCompatibility().learn_from_error(complaint, sent, "m")
    except EndpointError as error:
        assert "write" in str(error)
