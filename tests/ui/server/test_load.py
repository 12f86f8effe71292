"""Much at once: long texts, floods, and many people who each get their own answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("gradio")

import httpx

from promptlab.ui.server.guard import SMALL_BODY
from tests.helpers.api_client import PATIENCE
from tests.helpers.ui_client import (  # noqa: F401
    Call,
    alive,
    app,
    asked,
    asked_by_all,
    config,
    file_data,
    info,
    listened,
    place,
    web,
)


def test_a_very_long_text_is_refused_or_harmless(
    app: Any, web: httpx.Client, info: dict[str, Any]
) -> None:
    answer = web.post("/gradio_api/call/fill", json={"data": ["x" * 5_000_000]})
    assert answer.status_code == 413
    long = "{" * (SMALL_BODY // 2)
    label = {"template": "{x} {mask}", "answers": "a: good\nb: bad"}
    calls: list[Call] = [
        ("fill", {"templates": f"{long} {{mask}}"}),
        ("label_probabilities", label | {"template": f"{long} {{mask}}"}),
        ("label_probabilities", label | {"fields": f"x = {long}"}),
        ("render_template", {"name": long}),
        ("predict", {"study": "tiny", "rows": [{"text": long}]}),
    ]
    for call, answer in zip(calls, asked(app, info, *calls), strict=True):
        assert "event: error" in answer, call[0]
    assert alive(web)


def test_a_flood_gets_a_clear_answer(
    app: Any, web: httpx.Client, info: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app._queue.max_size == 64
    monkeypatch.setattr(app._queue, "max_size", 3)  # so that the flood need not be large
    values = [one.get("parameter_default") for one in info["/fill"]["parameters"]]
    body = {"data": ["a {mask}", *values[1:]], "session_hash": "flood"}

    async def flood() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=30)
        async with httpx.AsyncClient(
            base_url=app.local_url, timeout=PATIENCE, limits=limits, trust_env=False
        ) as many:
            return await asyncio.gather(
                *(many.post("/gradio_api/call/fill", json=body) for _ in range(150))
            )

    answers = asyncio.run(flood())
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all("Queue is full" in one.text for one in answers if one.status_code == 503)
    taken = [one.json()["event_id"] for one in answers if one.status_code == 200]
    told = web.get(f"/gradio_api/call/fill/{taken[-1]}").text
    assert told.count("event: complete") == len(taken)
    assert alive(web)


def test_twenty_people_get_their_own_answers(
    app: Any, web: httpx.Client, info: dict[str, Any]
) -> None:
    """All at once, each asks for four things with words of his own."""
    people: list[list[Call]] = []
    for number in range(20):
        own = f"country number{number}."
        label = {"template": f"{own} {{text}} {{mask}}", "answers": "a: bad\nb: good"}
        rows = [{"text": f"{own} {row}"} for row in range(number + 1)]
        people.append(
            [
                ("fill", {"templates": "{x} is {mask}", "fields": f"x = {own}"}),
                ("label_probabilities", label | {"fields": "text = w", "calibration": "none"}),
                ("render_template", {"name": f"nothing/{number}"}),
                ("predict", {"study": "tiny", "rows": rows}),
            ]
        )
    for number, answers in enumerate(asked_by_all(app, info, people)):
        filled, scored, refused, predicted = answers
        own = f"country number{number}."
        assert _result(filled)[0]["prompt"] == f"{own} is {{mask}}"
        assert _result(scored)["prompt"].startswith(own)
        assert sum(_result(scored)["probabilities"]["none"].values()) == pytest.approx(1)
        assert f"nothing/{number}'" in refused
        assert len(_result(predicted)) == number + 1
    assert alive(web)


def _result(answer: str) -> Any:
    assert "event: complete" in answer, answer
    return json.loads(answer.rpartition("data: ")[2])[0]


def test_two_sessions_do_not_share_state(web: httpx.Client, config: dict[str, Any]) -> None:
    """What one uploads and chooses is in no other session's state."""
    path = web.post("/gradio_api/upload", files={"files": ("a.csv", b"text\nzebra-one\n")}).json()[
        0
    ]
    kinds = {one["id"]: one for one in config["components"]}
    looking = next(
        one
        for one in config["dependencies"]
        if [kinds[number]["type"] for number in one["inputs"]] == ["dropdown", "file", "state"]
    )
    listing = next(
        one
        for one in config["dependencies"]
        if [kinds[number]["type"] for number in one["inputs"]] == ["dropdown"]
        and looking["inputs"][0] in one["outputs"]
    )
    listened(web, listing, [None], "one")
    listened(web, listing, [None], "two")
    own = file_data(path, orig_name="a.csv")
    assert "zebra-one" in listened(web, looking, ["tiny", own, None], "one")
    assert "zebra-one" not in listened(web, looking, ["tiny", None, None], "two")
    assert "zebra-one" not in web.get("/config").text
