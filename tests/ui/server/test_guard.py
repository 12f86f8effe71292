"""Other hosts, other sites and strangers: the running workbench answers none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")

import httpx

from promptlab.ui.server.guard import Guard, rules_for
from tests.helpers.api_client import PATIENCE, ApiClient
from tests.helpers.ui_client import app, place, served, web  # noqa: F401 - fixtures

OPEN_TO_ALL = ("/", "/login", "/theme.css", "/gradio_api/theme.css", "/favicon.ico",
               "/manifest.json", "/gradio_api/startup-events")  # fmt: skip
OPEN_FOLDERS = ("assets", "static", "svelte")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:7860"}, 421),
        ({"host": ""}, 421),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:7860"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "OWN"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
         403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
          "sec-fetch-dest": "document"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
    ],
)  # fmt: skip
def test_other_sites_do_not_drive_the_app(
    web: httpx.Client, headers: dict[str, str], status: int
) -> None:
    own = str(web.base_url).rstrip("/")
    headers = {name: own if value == "OWN" else value for name, value in headers.items()}
    answer = web.get("/config", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert "components" not in answer.text
        body = json.dumps({"data": []})
        posted = web.post(
            "/gradio_api/call/saved_prompts",
            content=body,
            headers={"content-type": "text/plain"} | headers,
        )
        assert posted.status_code == status


def test_names_of_a_proxy_are_taken() -> None:
    rules = rules_for("0.0.0.0", largest=1, proxied=["Prompts.example"])
    guard = Guard(None, rules)

    def refusal(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return guard._refusal({"path": "/", "method": "GET"}, named)

    assert refusal(host="prompts.example") is None
    assert refusal(host="127.0.0.1:7860", origin="https://prompts.example") is None
    assert refusal(host="127.0.0.1:7860", origin="https://other.example")[0] == 403
    assert refusal(host="other.example")[0] == 421
    assert refusal(host="10.0.0.7:7860") is None


def test_headers_keep_the_page_to_itself(web: httpx.Client) -> None:
    for path in ("/", "/config", "/assets/nothing.js", "/gradio_api/file=/etc/passwd"):
        headers = web.get(path).headers
        policy = headers["content-security-policy"]
        for part in ("connect-src 'self'", "img-src 'self'", "font-src 'self'",
                     "frame-ancestors 'none'", "script-src-attr 'none'"):  # fmt: skip
            assert part in policy
        assert "http:" not in policy and "*" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert web.get("/gradio_api/vibe-code").status_code == 403


def test_every_route_but_the_login_page_asks_for_it(
    place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "correct horse battery"
    monkeypatch.setattr("gradio.networking.url_ok", lambda url: False)  # the machine is busy
    app = served(place, login=("promptlab", password))
    try:
        with httpx.Client(base_url=app.local_url, timeout=PATIENCE, trust_env=False) as web:
            paths = set(_routes(app.app.routes))
            assert len(paths) > 60
            for path in sorted(paths):
                if (path.rstrip("/") or "/") in OPEN_TO_ALL or path.split("/")[1] in OPEN_FOLDERS:
                    continue
                for method in ("GET", "POST"):
                    answer = web.request(method, path)
                    assert answer.status_code in (401, 404, 405), (method, path, answer.status_code)
                    assert "components" not in answer.text
            assert web.post("/gradio_api/cancel", json={}).status_code == 401
            assert '"auth_required":true' in web.get("/").text.replace(" ", "")
            assert ApiClient(app.local_url, auth=("promptlab", password))
            _guess(web, password)
    finally:
        app.close(verbose=False)
    told = capfd.readouterr()
    assert password not in told.out + told.err and "a wrong one" not in told.out + told.err


def _routes(routes: list[Any]) -> Iterator[str]:
    """Every path that the server knows, with a word for each of its parameters."""
    for route in routes:
        if hasattr(route, "path"):
            yield re.sub(r"\{[^}]*\}", "x", route.path)
        else:  # a router of Gradio's, of which FastAPI keeps the whole
            yield from _routes(route.original_router.routes)


def _guess(web: httpx.Client, password: str) -> None:
    form = {"username": "promptlab", "password": password}
    assert web.post("/login", data=form).status_code == 200
    assert web.get("/config").status_code == 200
    web.cookies.clear()
    assert web.get("/config").status_code == 401
    wrong = [web.post("/login", data=form | {"password": "a wrong one"}) for _ in range(15)]
    assert [answer.status_code for answer in wrong] == [400] * 10 + [429] * 5
    assert web.post("/login", data=form).status_code == 429  # not even the right one, for a while
