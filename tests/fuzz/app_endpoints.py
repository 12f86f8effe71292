"""The running workbench's endpoints and listeners, asked with values of any type and size.

Whatever is sent, the answer is a result or a sentence that says what is wrong, the log gets no
traceback, and the page is still served.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

import promptlab as pl
from tests.fuzz.harness import Attempt
from tests.helpers import tiny_models
from tests.helpers.browser import free_port
from tests.helpers.saved_predictor_fixtures import save_model, save_prompt

_SECONDS = 60.0
_STARTING = ("start_study", "learn")
"""They would fill the queue with work."""
_TEXTS = [
    "", " ", "x", "tiny", "null", "NaN", "\x00", "\ud800", "\u202e", "{", "}}", "{mask}", "all",
    "{text} {mask}", "{{ mask }}", "{% for x in y %}", "a: b", "a: good\nb: bad", "x = 1", "[1, 2",
    "../../etc/passwd", "/etc/passwd", "http://localhost:1/x", "x" * 5000, "study: x",
]  # fmt: skip


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """One request each, of an endpoint, a listener of the page, or a route of the server."""
    log = io.StringIO()
    sys.stderr = log
    os.environ["PROMPTLAB_CACHE"] = str(folder / "cache")
    os.environ["PROMPTLAB_TEMPLATES"] = str(folder / "templates")
    from promptlab.ui.app import serve

    name = str(save_model(tiny_models.llama(), folder / "model"))
    save_prompt(folder / "runs", "tiny", pl.load_model(name))
    app = serve(port=free_port(), models=[name], runs=folder / "runs", block=False)
    web = httpx.Client(base_url=app.local_url, timeout=_SECONDS, trust_env=False)
    endpoints = web.get("/gradio_api/info").json()["named_endpoints"]
    listeners = [one for one in web.get("/config").json()["dependencies"] if one["backend_fn"]]
    asked = _Asked(web, log)
    while True:
        way = rng.random()
        if way < 0.5:
            yield _endpoint(rng, asked, endpoints)
        elif way < 0.85:
            yield _listener(rng, asked, rng.choice(listeners))
        else:
            yield _route(rng, asked)


def _endpoint(rng: random.Random, asked: _Asked, endpoints: dict[str, Any]) -> Attempt:
    name = rng.choice([name for name in endpoints if name.strip("/") not in _STARTING])
    data = [
        _value(rng) if rng.random() < 0.6 else one.get("parameter_default")
        for one in endpoints[name]["parameters"]
    ]
    if rng.random() < 0.1:
        data = data[:-1] if rng.random() < 0.5 else [*data, _value(rng)]
    return _label(name, data), lambda: asked.call(name.strip("/"), data)


def _listener(rng: random.Random, asked: _Asked, one: dict[str, Any]) -> Attempt:
    data = [_value(rng) for _ in one["inputs"]]
    return _label(f"listener {one['id']}", data), lambda: asked.listen(one["id"], data)


def _route(rng: random.Random, asked: _Asked) -> Attempt:
    path = rng.choice(
        ["call/fill", "queue/join", "queue/data", "run/predict", "api/predict", "reset", "cancel",
         "component_server", "upload", "heartbeat/x", "call/fill/x", "file=x", "info", "dev/reload"]
    )  # fmt: skip
    told = {"data": _value(rng), "fn_index": _value(rng), "session_hash": _value(rng)}
    bodies = [_value(rng), told]
    body = rng.choice(
        [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b"NaN"]
        + [json.dumps(one).encode("utf-8", "replace") for one in bodies]
    )
    method = rng.choice(["POST", "POST", "GET", "PUT", "DELETE"])
    kind = rng.choice(["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
    return f"{method} {path} {body[:100]!r}", lambda: asked.ask(method, path, body, kind)


def _label(name: str, data: list[Any]) -> str:
    return f"{name} {str(data)[:300]}"


class _Asked:
    """Sends a request and looks at what came of it."""

    def __init__(self, web: httpx.Client, log: io.StringIO) -> None:
        self._web = web
        self._log = log

    def call(self, name: str, data: list[Any]) -> None:
        """A named endpoint."""
        with self._quiet():
            begun = self._post(f"/gradio_api/call/{name}", {"data": data})
            if begun.status_code == 200:
                event = begun.json()["event_id"]
                self._look(self._web.get(f"/gradio_api/call/{name}/{event}").text)

    def listen(self, number: int, data: list[Any]) -> None:
        """A listener of the page, through the queue."""
        session = f"s{time.time_ns()}"
        body = {"data": data, "fn_index": number, "session_hash": session}
        with self._quiet():
            begun = self._post("/gradio_api/queue/join", body)
            if begun.status_code == 200:
                self._look(self._web.get(f"/gradio_api/queue/data?session_hash={session}").text)

    def ask(self, method: str, path: str, body: bytes, kind: str) -> None:
        """Any route; one that would wait for events is given up at its first byte."""
        headers = {"content-type": kind} if kind else {}
        with (
            self._quiet(),
            self._web.stream(
                method, f"/gradio_api/{path}", content=body, headers=headers
            ) as answer,
        ):
            _check_status(answer)

    def _post(self, path: str, body: Any) -> httpx.Response:
        text = json.dumps(body).encode("utf-8", "replace")
        answer = self._web.post(path, content=text, headers={"content-type": "application/json"})
        _check_status(answer)
        return answer

    def _look(self, told: str) -> None:
        """An error is a sentence."""
        assert '"error": null' not in told, told[:500]
        assert '"error":null' not in told, told[:500]
        if "event: error" in told:
            assert "data: null" not in told, told[:500]

    def _quiet(self) -> _Quiet:
        return _Quiet(self._log, lambda: self._web.get("/manifest.json"))


class _Quiet:
    """The log gets no traceback meanwhile, and the server answers afterwards."""

    def __init__(self, log: io.StringIO, ask: Callable[[], httpx.Response]) -> None:
        self._log = log
        self._ask = ask

    def __enter__(self) -> None:
        self._log.seek(0)
        self._log.truncate()

    def __exit__(self, *error: object) -> None:
        told = self._log.getvalue()
        assert "Traceback" not in told, told[-1200:]
        if error[0] is None:
            assert self._ask().status_code < 500


def _check_status(answer: httpx.Response) -> None:
    if answer.status_code >= 500 and answer.status_code != 503:
        raise AssertionError(f"{answer.status_code} {answer.read()[:300]!r}")


def _value(rng: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can say."""
    if depth < 3 and rng.random() < 0.2:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if depth < 3 and rng.random() < 0.2:
        keys = ["path", "url", "meta", "text", "value", "name", "__type__", "headers", "data", "a"]
        return {rng.choice(keys): _value(rng, depth + 1) for _ in range(rng.randrange(4))}
    made: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice([True, False]),
        lambda: rng.choice([0, -1, 1, 3, 2**31, 2**63, -(2**63), 10**40]),
        lambda: rng.choice([0.5, -0.0, 1e308, float("nan"), float("inf"), -float("inf")]),
        lambda: rng.choice(_TEXTS),
    ]
    return rng.choice(made)()
