"""Server-sent events, as the standard reads them, whatever pieces their bytes come in."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.models.remote.event_stream import EventDecoder, StreamEvent
from promptlab.models.remote.reply import EmbeddedError, MalformedResponseError, ReplyStream


def events(*pieces: bytes) -> list[StreamEvent]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\n\ndata: b\n\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),  # a byte order mark
        (b"data:a\n\n", ["a"]),  # no blank
        (b"data:  a\n\n", [" a"]),  # one blank goes, not two
        (b"data\n\n", [""]),
        (b"data: a\ndata: b\ndata:\n\n", ["a\nb\n"]),
        (b": a comment\n\n:\n\ndata: a\n\n", ["a"]),
        (b"id: 7\nretry: 10\nfield: x\ndata: a\n\n", ["a"]),
        (b"data: a\n", []),  # never ended
        (b"data: a\n\ndata: b", ["a"]),
        (b"DATA: a\n\n data: b\n\n", []),
        ("data: a\u2028b\x0bc\x85d\x1ee\n\n".encode(), ["a\u2028b\x0bc\x85d\x1ee"]),
        (b"data: a\xffb\n\n", ["a\ufffdb"]),
    ],
)
def test_the_format_to_the_letter(sent: bytes, data: list[str]) -> None:
    assert [event.data for event in events(sent)] == data
    assert [event.data for event in events(*(bytes([byte]) for byte in sent))] == data


def test_the_type_of_an_event_is_its_own() -> None:
    found = events(b"event: error\ndata: a\n\ndata: b\n\nevent: ping\n\ndata: c\n\n")
    assert found == [StreamEvent("a", "error"), StreamEvent("b"), StreamEvent("c")]


LINES = st.sampled_from(["data: é", "data: {}", "data", ": x", "event: e", "", "", "id: 1"])
ENDS = st.sampled_from(["\n", "\r", "\r\n"])


@given(st.lists(st.tuples(LINES, ENDS)), st.lists(st.integers(0, 200)))
def test_pieces_change_nothing(lines: list[tuple[str, str]], cuts: list[int]) -> None:
    text = "".join(line + end for line, end in lines)
    # A CR and an LF beside each other are one end, so that these must not meet by chance.
    sent = text.replace("\r\n", "\n").encode()
    places = sorted({0, len(sent), *(cut % (len(sent) + 1) for cut in cuts)})
    pieces = [sent[a:b] for a, b in pairwise(places)]
    assert events(*pieces) == events(sent)
    assert [e.data for e in events(sent.replace(b"\n", b"\r\n"))] == [
        e.data for e in events(sent.replace(b"\r", b"\n"))
    ]


def piece(**delta: object) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta}]})


def streamed(*data: str, name: str = "") -> ReplyStream:
    stream = ReplyStream()
    for each in data:
        stream.take(StreamEvent(each, name))
    return stream


END = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def test_text_reasoning_and_refusal_are_kept_apart() -> None:
    stream = streamed(
        piece(role="assistant", content=""),
        piece(reasoning_content="neg"),
        piece(reasoning="ative?"),
        piece(content="pos"),
        piece(content=[{"type": "text", "text": "itive"}]),
        END,
        json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}}),
        "[DONE]",
    )
    reply = stream.reply()
    assert (reply.text, reply.reasoning, reply.refusal) == ("positive", "negative?", "")
    assert (reply.usage.tokens_in, reply.usage.tokens_out) == (3, 9)
    declined = streamed(piece(refusal="I can"), piece(refusal="not"), END).reply()
    assert (declined.text, declined.refusal) == ("", "I cannot")


def test_other_choices_and_other_pieces_are_passed_over() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "no"}}]})
    usage = json.dumps({"choices": [], "usage": None})
    reply = streamed(other, piece(content="yes"), other, usage, "{}", END).reply()
    assert reply.text == "yes"
    stream = streamed(piece(content="a"))
    stream.take(StreamEvent("", "ping"))
    stream.take(StreamEvent("still here", "heartbeat"))
    stream.take(StreamEvent(END))
    assert stream.reply().text == "a"


def test_a_character_that_two_pieces_share_is_put_together() -> None:
    halves = [f'{{"choices": [{{"delta": {{"content": "{half}"}}}}]}}' for half in
              ("\\ud83d", "\\ude00")]  # fmt: skip
    assert streamed(*halves, END).reply().text == "😀"


def test_a_whole_message_at_the_end_is_not_said_twice() -> None:
    whole = json.dumps({"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}]})
    assert streamed(piece(content="a"), piece(content="b"), whole).reply().text == "ab"


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        ('{"error": {"message": "worker died"}}', "", "worker died"),
        ('{"message": "overloaded"}', "", "overloaded"),
        ('{"message": "overloaded"}', "error", "overloaded"),
        ("overloaded", "error", "no JSON"),
        ("7", "", "no choices"),
        ('{"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "gone"}}]}', "",
         "gone"),
    ],
)  # fmt: skip
def test_an_error_in_the_midst(data: str, name: str, told: str) -> None:
    stream = streamed(
        piece(content="par"), '{"usage": {"prompt_tokens": 5, "completion_tokens": 1}}'
    )
    with pytest.raises((EmbeddedError, MalformedResponseError), match=told) as raised:
        stream.take(StreamEvent(data, name))
    assert raised.value.usage.tokens_in == 5


@pytest.mark.parametrize(
    "data", [(), (piece(content="a"),), ('{"choices": []}', "[DONE]"), ("[DONE]",)]
)
def test_a_stream_without_its_end_or_without_a_choice_is_broken(data: tuple[str, ...]) -> None:
    with pytest.raises(MalformedResponseError):
        streamed(*data).reply()
