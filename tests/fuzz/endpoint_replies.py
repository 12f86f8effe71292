"""What an endpoint may answer that means harm, or means nothing."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz._wire import Wire, WireServer, http

KEY = "sk-canary-0123456789abcdef"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\u200b\x9b"
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, "", "x", "0", [], {}, [[]], [None], {"a": None},
    "\ud800", HOSTILE, KEY, f"Bearer {KEY}", "null", "NaN", [1, 2, 3], {"error": {}}, "a" * 3000,
    -(2**63), 2**63, [{"type": "text", "text": "x"}], [{"type": {"a": 1}}], {"text": ["x"]},
    "\u0000", "<html>", "[DONE]", "=1+1", "\ufffe",
)  # fmt: skip
_RAW: tuple[bytes, ...] = (
    b"", b" ", b"null", b"[]", b"{}", b"{", b"\xff\xfe", b"NaN", b"1e999", b"\xef\xbb\xbf",
    b"<!doctype html><title>\x1b[2Jno</title>", b"<title>" * 50_000, b"data: ", b"data: [DONE]\n\n",
    b"[" * 900, b"[" * 200_000, b'{"a":' * 900 + b"1" + b"}" * 900, b'{"a":' * 100_000,
    b'{"choices":' + b"[" * 500 + b"]" * 500 + b"}", b"9" * 5000, b'"' + b"\\ud800" * 100 + b'"',
    b'{"usage":{' * 50_000, b"\x00" * 1000, b"a" * 2_000_000, b"[{},{}," * 300_000,
    b'{"choices":[' + b"[]," * 1_000_000 + b"1]}", b'{"error":"' + b"E" * 3_000_000 + b'"}',
    b'{"error":{"message":"try again in ' + b"9" * 4000 + b's"}}',
    b'{"choices":[{"message":{"content":"a","content":"b"}}]}',
    b'{"choices":[{"message":{"content":"a"}}],"choices":[{"message":{"content":"b"}}]}',
    b'{"choices":[{"message":{"content":NaN}}]}', b'{"choices":[{"message":{"content":"a"}}]}}',
)  # fmt: skip
_STATUSES = (
    "200 OK", "200 \x1b[31mred", f"200 {KEY}", "201 Created", "204 No Content", "206 Partial",
    "299 Odd", "300 Many", "301 Moved", "302 Found", "304 Same", "307 Other", "400 Bad",
    "401 Unauthorized", "402 Pay", "403 No", "404 No", "405 No", "407 Proxy", "408 Late", "409 No",
    "410 Gone", "413 Large", "418 Tea", "422 No", "425 Early", "429 Many", "451 Law", "500 No",
    "502 Bad", "503 Busy", "504 Late", "529 Over", "599 Odd", "600 Odd", "999 Odd", "200", "0 Zero",
    "-1 Less", "99999 More", "abc No",
)  # fmt: skip
_WAITS = (
    "0", "-1", "1e9", "99999999999999999999", "nan", "inf", "x", "Mon, 99 Foo 2026", "1h1h1h",
    "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 0000 00:00:00 GMT", "1.2.3", "::", "99:99:99",
    "Fri, 31 Dec 99999999999 23:59:59 GMT", "9" * 4000, "1, 2, 3", "\u0661", "2026-13-45T99:99:99Z",
    "Fri, 31 Dec 1999 23:59:59 +99999999", "1" + "0" * 400 + "ms",
)  # fmt: skip
_KINDS = (
    "application/json", "text/event-stream", "text/html; charset=hex", "text/plain; charset=idna",
    "application/json; charset=utf-7", "", "x" * 3000, "application/octet-stream", "\x1b[2J",
)  # fmt: skip
_FINISHES = ("stop", "length", "content_filter", "tool_calls", "error", "x" * 5000, KEY, HOSTILE, 5)
_USAGES = (-1, 1e308, 10**400, "7", None, [], {}, True, 1.5, 2**70, 0, 3)


def attempts(rng: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Asks a model at an endpoint that answers with the next hostile thing."""
    os.environ.update(PROMPTLAB_API_KEY=KEY, PROMPTLAB_CACHE=str(folder / "cache"))
    server = WireServer(lambda path, key: [])
    from promptlab.models.remote import model  # noqa: F401 - is ready before the first attempt

    while True:
        name, answer = _answer(rng)
        about = _answer(rng)[1] if rng.random() < 0.2 else _about
        options = _options(rng)
        label = f"{name} {options}"

        def attempt(
            answer: Any = answer, about: Any = about, options: dict[str, Any] = options
        ) -> object:
            server.answer = lambda path, key: (
                about(key) if path.endswith("/models") else answer(key)
            )
            return _ask(server, answer, options, folder)

        yield label, attempt


def _options(rng: random.Random) -> dict[str, Any]:
    return {
        "api": rng.choice(["chat", "chat", "completions"]),
        "stream": rng.random() < 0.3,
        "retries": rng.choice([0, 0, 1]),
        "cache": rng.random() < 0.2,
    }


def _about(key: str) -> Wire:
    return http(b'{"data": [{"id": "m", "max_model_len": 512}]}')


def _ask(server: WireServer, answer: Any, options: dict[str, Any], folder: Path) -> object:
    """What must be so whatever comes: an answer that was sent, or an error, and sound accounts."""
    from promptlab.errors import PromptlabError
    from promptlab.models.remote.model import RemoteModel
    from promptlab.models.remote.retry import RetryBackoff
    from promptlab.prompts.decoding import Decoding
    from promptlab.prompts.prompt import Prompt, Slot, Text

    heard: list[str] = []
    model = RemoteModel(
        f"remote:m@{server.url}",
        backoff=RetryBackoff(first=0.001, most=0.002),
        clock=lambda: time.monotonic(),  # a gate of its own
        connect_timeout=1.0,
        read_timeout=0.5,
        reply_timeout=0.7,
        patience=0.0,
        price={"input": 1.0, "output": 2.0},
        **options,
    )
    prompts = [Prompt((Text(f"ask {n} {random.random()}"), Slot())) for n in range(2)]
    try:
        found = model.generate(
            prompts, Decoding(max_tokens=8), on_text=lambda number, text: heard.append(text)
        )
    except PromptlabError as error:
        _sound(str(error), model)
        raise
    finally:
        model.close()
    for one in found:
        assert one.tokens_in >= 0 and one.tokens_out >= 0, one
        assert math.isfinite(one.seconds) and one.seconds >= 0, one
        assert one.is_answered or one.error, one
        assert len(one.error or "") < 20_000, len(one.error or "")
        _sound(one.error or "", model)
        _keyless(repr(one))
        if one.text and isinstance(answer, _Said):
            answer.check(one.text)
        (one.text + one.reasoning).encode()  # no halves of characters
    _keyless(repr(heard))
    for path in (folder / "cache").rglob("*.db*"):
        assert KEY.encode() not in path.read_bytes(), path
    return found


def _sound(error: str, model: Any) -> None:
    """An error and an account that can be shown."""
    _keyless(error)
    seen = error.replace("\n", "")
    assert all(each.isprintable() or each in "\u200d\u3000\u00a0" for each in seen), repr(seen)[
        :300
    ]
    spent = model.usage_cost()
    for name, value in spent.items():
        assert value is not None and math.isfinite(value) and value >= 0, (name, value)
    _keyless(json.dumps([spent, model.describe(), model.adjustments()]))


def _keyless(text: str) -> None:
    for piece in (KEY, KEY[:14], KEY[-14:]):
        assert piece not in text, text[max(0, text.find(piece) - 100) :][:300]


def _answer(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    """A label, and the bytes for a request with a key."""
    made = rng.choice(
        [_shaped, _shaped, _shaped, _raw, _headed, _streamed, _streamed, _packed, _wired]
    )
    return made(rng)


def _document(rng: random.Random) -> Any:
    """A reply in which one or more things are not what they should be."""
    message = {"role": "assistant", "content": rng.choice(["good", "\u00e9\u20ac", HOSTILE])}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    usage: dict[str, Any] = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    document: dict[str, Any] = {"id": "x", "model": "m", "choices": [choice], "usage": usage}
    for _ in range(rng.randint(1, 3)):
        match rng.randint(0, 11):
            case 0:
                usage[rng.choice(list(usage))] = rng.choice(_USAGES)
            case 1:
                choice["finish_reason"] = rng.choice(_FINISHES)
            case 2:
                message["content"] = rng.choice(_VALUES)
            case 3:
                holder = rng.choice([document, choice, message, usage])
                holder[rng.choice([*holder, "text", "error", "refusal"])] = rng.choice(_VALUES)
            case 4:
                document["choices"] = [dict(choice) for _ in range(rng.choice([0, 2, 10_000]))]
            case 5:
                document["error"] = {
                    "message": rng.choice([f"no: Bearer {KEY}", HOSTILE, "E" * 100_000, 7, None]),
                    "code": rng.choice(_VALUES),
                    "param": rng.choice(_VALUES),
                }
            case 6:
                message["reasoning_content"] = rng.choice(_VALUES)
            case 7:
                message["tool_calls"] = rng.choice(_VALUES)
            case 8:
                choice["logprobs"] = rng.choice(_VALUES)
            case 9:
                document = {"detail": rng.choice([document, *_VALUES])}
            case 10:
                choice["content_filter_results"] = {KEY: {"filtered": rng.choice(_VALUES)}}
            case _:
                document["usage"] = rng.choice(_VALUES)
    return document


def _bytes(rng: random.Random, document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=rng.random() < 0.7)
    if rng.random() < 0.1:
        text = text.replace("2", rng.choice(["NaN", "Infinity", "1e999", "-0"]), 1)
    data = text.encode(
        rng.choice(["utf-8"] * 8 + ["utf-16", "utf-32", "utf-8-sig"]), "surrogatepass"
    )
    if rng.random() < 0.1:
        place = rng.randrange(len(data))
        data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    return data[: rng.randrange(len(data))] if rng.random() < 0.05 else data


def _shaped(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    data, status = _bytes(rng, _document(rng)), rng.choice(["200 OK"] * 4 + list(_STATUSES))
    return f"shaped {status} {data[:300]!r}", _Said(data, status)


class _Said:
    """An answer of which it is known what may be read in it."""

    def __init__(self, data: bytes, status: str) -> None:
        self._data, self._status = data, status

    def __call__(self, key: str) -> Wire:
        return http(self._data, self._status)

    def check(self, text: str) -> None:
        """A text that was read stands in the document."""
        if KEY.encode() in self._data or "\ufffd" in text:
            return
        document = json.loads(self._data)
        assert text in set(_strings(document)), (text, document)


def _strings(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for inner in document.values() if isinstance(document, dict) else document:
            yield from _strings(inner)


def _raw(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    data, status, kind = rng.choice(_RAW), rng.choice(["200 OK", *_STATUSES]), rng.choice(_KINDS)
    return f"raw {status} {kind[:30]} {data[:80]!r}", lambda key: http(data, status, kind)


def _headed(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    data, status = _bytes(rng, _document(rng)), rng.choice(_STATUSES)
    names = ["Retry-After", "retry-after-ms", "Date", "x-ratelimit-reset-requests", "ratelimit"]
    more = [f"{name}: {rng.choice(_WAITS)}" for name in rng.sample(names, rng.randint(0, 3))]
    more += [f"Location: {rng.choice(['', 'http://evil/' + KEY, '/v1', 'x' * 5000, '//'])}"]
    more += [f"X-{n}: {'h' * 50}" for n in range(rng.choice([0, 0, 3000]))]
    more += [f"Echo: {KEY}{HOSTILE}"]
    kind = rng.choice(_KINDS)
    return f"headed {status} {more[:4]}", lambda key: http(data, status, kind, *more)


def _streamed(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    events: list[bytes] = []
    for _ in range(rng.choice([0, 1, 3, 3, 2000])):
        delta = rng.choice(
            [{"content": "a"}, {"content": KEY[:9]}, {"content": KEY[9:]}, {}, *_VALUES]
        )
        piece = {"choices": [{"index": rng.choice([0, 0, 1, "x"]), "delta": delta}]}
        if rng.random() < 0.05:
            piece = rng.choice([_document(rng), *_VALUES])
        if rng.random() < 0.1:
            piece = {"choices": [{"delta": {}, "finish_reason": rng.choice(_FINISHES)}]}
        data = json.dumps(piece).encode()
        events.append(
            rng.choice([b"data: ", b"data:", b"data: "])
            + data
            + rng.choice([b"\n\n"] * 9 + [b"\r", b""])
        )
    if rng.random() < 0.3:
        events.append(b"data: " + rng.choice(_RAW) + b"\n\n")
    events.append(
        rng.choice([b"data: [DONE]\n\n", b"", b"data: [DO", b"event: error\ndata: {}\n\n"])
    )
    body = b"".join(events)
    kind = rng.choice(["text/event-stream"] * 5 + list(_KINDS))
    return f"streamed {kind[:30]} {body[:300]!r}", lambda key: http(body, "200 OK", kind)


def _packed(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    data = rng.choice(
        [_bytes(rng, _document(rng)), b"x" * 300_000_000 if rng.random() < 0.1 else b"{}"]
    )
    encoding = rng.choice(
        ["gzip", "deflate", "gzip, gzip", "br", "zstd", "identity", "x\x1b", "GZIP"]
    )
    packed = rng.choice(
        [lambda d: gzip.compress(d, 1), zlib.compress, _raw_deflate, lambda d: d[: 10**6]]
    )(data)
    packed = packed[: rng.randrange(len(packed) + 1)] if rng.random() < 0.2 else packed
    kind = rng.choice(["application/json", "text/event-stream"])
    return (
        f"packed {encoding} {len(data)} as {packed[:40]!r}",
        lambda key: http(packed, "200 OK", kind, f"Content-Encoding: {encoding}"),
    )


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _wired(rng: random.Random) -> tuple[str, Callable[[str], Wire]]:
    """Bytes that no server would send, and pauses."""
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
    kind = rng.choice([b"application/json", b"text/event-stream"])
    ok, noise = b"HTTP/1.1 200 OK\r\n", rng.randbytes(300)
    event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'

    def drip(piece: bytes, pause: float) -> Callable[[str], Wire]:
        def made(key: str) -> Wire:
            yield chunked % kind
            while True:
                yield b"%x\r\n%s\r\n" % (len(piece), piece)
                yield pause

        return made

    def informed(key: str) -> Wire:
        while True:
            yield b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 50

    found: list[tuple[str, Callable[[str], Wire]]] = [
        ("drip", drip(b"x", 0.05)),
        ("drip of events", drip(event, 0.02)),
        ("flood", drip(b"x" * 65_000, 0.0)),
        ("flood of events", drip(event * 1000, 0.0)),
        ("flood without a line", drip(b"data: " + b"x" * 60_000, 0.0)),
        ("flood of lines", drip(b"data: x\n" * 8000, 0.0)),
        ("silence", lambda key: [1.0]),
        ("silence after the head", lambda key: [chunked % kind, 1.0]),
        ("1xx for ever", informed),
        ("100 MB", lambda key: [b"HTTP/1.1 200 OK\r\n\r\n", *([b"[" * 1_000_000] * 100)]),
        ("cut", lambda key: [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"]),
        ("broken chunk", lambda key: [chunked % kind + b"zz\r\n{}\r\n0\r\n\r\n"]),
        ("negative chunk", lambda key: [chunked % kind + b"-5\r\n{}\r\n0\r\n\r\n"]),
        ("huge chunk", lambda key: [chunked % kind + b"ffffffffffffffff\r\n{}"]),
        ("no HTTP", lambda key: [b"SSH-2.0-x\r\n" * 3]),
        ("HTTP/0.9", lambda key: [b"<html>"]),
        ("HTTP/9", lambda key: [b"HTTP/9.9 200 OK\r\n\r\n{}"]),
        ("endless head", lambda key: [ok, *([b"X: " + b"x" * 1000 + b"\r\n"] * 500)]),
        ("two lengths", lambda key: [ok + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"]),
        ("length no number", lambda key: [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}"]),
        ("huge length", lambda key: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{}" % 10**30]),
        ("bytes", lambda key, data=noise: [b"HTTP/1.1 200 OK\r\n" + data]),
        ("key in the head", lambda key: [f"HTTP/1.1 400 {key}\r\nX: {key}\r\n\r\n{key}".encode()]),
        ("nothing", lambda key: []),
        ("switch", lambda key: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n{}"]),
    ]  # fmt: skip
    return rng.choice(found)
