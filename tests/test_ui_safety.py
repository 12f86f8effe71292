"""The running workbench under attack, over HTTP: refused or harmless, and it stays up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from saved_material import HOSTILE, save_model, save_prompt
from tiny_models import Pair

pytest.importorskip("gradio")

import httpx
from browser import free_port
from gradio_client import Client

import promptlab as pl
from promptlab.cli.ui import read_size
from promptlab.ui.app import serve
from promptlab.ui.guard import SMALL_BODY, Guard, rules_for
from promptlab.ui.sweeping import sweep

LARGEST = 300_000
SECRET = "the-secret-of-another-folder"
FILE_TYPES = ("file", "uploadbutton")
OPEN_TO_ALL = ("/", "/login", "/theme.css", "/gradio_api/theme.css", "/favicon.ico",
               "/manifest.json", "/gradio_api/startup-events")  # fmt: skip
OPEN_FOLDERS = ("assets", "static", "svelte")


@pytest.fixture(scope="module")
def place(tiny_causal: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, studies in ``runs``, and a file beside them that is nobody's."""
    folder = tmp_path_factory.mktemp("attacked")
    name = str(save_model(tiny_causal, folder / "model"))
    save_prompt(folder / "runs", "tiny", pl.load_model(name))
    (folder / "runs" / "tiny" / "study.db").write_text(SECRET)
    (folder / "secret.csv").write_text(f"text\n{SECRET}\n")
    return folder


def served(place: Path, **options: Any) -> Any:
    return serve(
        port=free_port(),
        models=[str(place / "model")],
        runs=place / "runs",
        largest_upload=LARGEST,
        block=False,
        **options,
    )


@pytest.fixture(scope="module")
def app(place: Path) -> Iterator[Any]:
    started = served(place)
    yield started
    started.close(verbose=False)


@pytest.fixture(scope="module")
def web(app: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.local_url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def config(web: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/config").json()
    return found


@pytest.fixture(scope="module")
def info(web: httpx.Client) -> dict[str, Any]:
    """The documented endpoints."""
    found: dict[str, Any] = web.get("/gradio_api/info").json()["named_endpoints"]
    return found


Call = tuple[str, dict[str, Any]]


def asked(app: Any, info: dict[str, Any], *calls: Call) -> list[str]:
    """The answers of endpoints to one person, as they are sent."""
    return asked_by_all(app, info, [calls])[0]


def asked_by_all(
    app: Any, info: dict[str, Any], people: Sequence[Sequence[Call]]
) -> list[list[str]]:
    """The answers to several people who ask at the same time."""

    async def person(number: int, calls: Sequence[Call]) -> list[str]:
        session = f"person-{number}-{time.time_ns()}"
        async with httpx.AsyncClient(base_url=app.local_url, timeout=120, trust_env=False) as own:
            return [await _call(own, info, session, *call) for call in calls]

    async def everybody() -> list[list[str]]:
        return await asyncio.gather(*(person(n, calls) for n, calls in enumerate(people)))

    return asyncio.run(everybody())


async def _call(
    web: httpx.AsyncClient, info: dict[str, Any], session: str, name: str, given: dict[str, Any]
) -> str:
    values = [
        given.get(one["parameter_name"], one.get("parameter_default"))
        for one in info[f"/{name}"]["parameters"]
    ]
    body = {"data": values, "session_hash": session}
    begun = await web.post(f"/gradio_api/call/{name}", json=body)
    assert begun.status_code == 200, begun.text
    return (await web.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}")).text


def listened(
    web: httpx.Client, dependency: dict[str, Any], values: list[Any], session: str = ""
) -> str:
    """What a listener of the page answers, as it is sent."""
    session = session or f"s{time.time_ns()}"
    body = {"data": values, "fn_index": dependency["id"], "session_hash": session}
    begun = web.post("/gradio_api/queue/join", json=body)
    if begun.status_code != 200:
        return begun.text
    return web.get(f"/gradio_api/queue/data?session_hash={body['session_hash']}").text


def alive(web: httpx.Client) -> bool:
    """Whether the app shows its page and answers."""
    begun = web.post("/gradio_api/call/saved_prompts", json={"data": []}).json()
    told = web.get(f"/gradio_api/call/saved_prompts/{begun['event_id']}").text
    return web.get("/").status_code == 200 and '"tiny"' in told


def kept() -> list[str]:
    """Everything that lies in the folder of uploads."""
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    return [str(path) for path in folder.rglob("*") if path.is_file()]


def file_data(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}} | more


# uploads


def test_a_large_upload_is_refused_and_not_kept(web: httpx.Client) -> None:
    before = kept()
    answer = web.post("/gradio_api/upload", files={"files": ("big.csv", b"x" * 50_000_000)})
    assert answer.status_code == 413 and "--max-upload" in answer.text
    kind = {"content-type": "multipart/form-data; boundary=b"}  # and no length beforehand
    answer = web.post("/gradio_api/upload", content=iter([b"--b\r\n"] * 9), headers=kind)
    assert answer.status_code == 411
    answer = web.post("/gradio_api/queue/join", content=iter([b"x" * 100_000] * 50))
    assert answer.status_code in (400, 413)
    many = [("files", (f"{n}.csv", b"z" * 100_000)) for n in range(20)]
    assert web.post("/gradio_api/upload", files=many).status_code == 413
    assert kept() == before
    assert alive(web)


def test_a_small_upload_stays_in_the_folder_of_uploads(web: httpx.Client) -> None:
    for name in ("../../../escaped.csv", "/etc/escaped.csv", "..", "a\0b.csv", HOSTILE):
        answer = web.post("/gradio_api/upload", files={"files": (name, b"text\na\n")})
        if answer.status_code == 200:
            kept_at = Path(answer.json()[0]).resolve()
            assert kept_at.is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve())
    assert Path(os.environ["GRADIO_TEMP_DIR"]).parent.stat().st_mode & 0o077 == 0
    assert alive(web)


def test_uploaded_pages_are_never_shown_as_pages(web: httpx.Client) -> None:
    for name, text in (("a.html", HOSTILE), ("a.svg", f"<svg>{HOSTILE}</svg>"), ("a.xml", "<a/>")):
        path = web.post("/gradio_api/upload", files={"files": (name, text.encode())}).json()[0]
        answer = web.get(f"/gradio_api/file={path}")
        assert answer.headers["content-disposition"].startswith("attachment"), name
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_uploads_are_removed_after_a_while(app: Any, web: httpx.Client) -> None:
    import datetime

    from gradio.route_utils import delete_files_created_by_app

    path = Path(
        web.post("/gradio_api/upload", files={"files": ("old.csv", b"text\nold\n")}).json()[0]
    )
    frequency, age = app.delete_cache
    assert frequency <= age <= datetime.timedelta(days=1).total_seconds()
    delete_files_created_by_app(app, 0)
    assert not path.exists()
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    broken, fresh = uploads / "tmpbroken", uploads / "tmpfresh"
    old = app.files / "downloads" / "old" / "a.csv"
    old.parent.mkdir(parents=True)
    for file in (broken, fresh, old):
        file.touch()
    for aged in (broken, old.parent):
        os.utime(aged, (0, 0))
    sweep(app.files, uploads)
    assert fresh.exists() and not broken.exists() and not old.parent.exists()
    fresh.unlink()


# paths


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "file=../../../../etc/passwd",
        "file=%2e%2e/%2e%2e/etc/passwd",
        "file=/proc/self/environ",
        "file=RUNS/tiny/study.db",
        "file=RUNS/tiny/best/predictor.json",
        "file=RUNS/../secret.csv",
        "file/RUNS/tiny/study.db",
        "file=http://example.com/x",
        "file=HTTPS://example.com/x",
        "proxy=http://example.com/x",
        "proxy=http://127.0.0.1:1/x",
        "custom_component/1/client/component/../../../../etc/passwd",
        "runs",
        "vibe-code",
    ],
)
def test_no_file_outside_is_served(web: httpx.Client, place: Path, path: str) -> None:
    answer = web.get(f"/gradio_api/{path.replace('RUNS', str(place / 'runs'))}")
    assert answer.status_code in (400, 403, 404, 405, 500), answer.status_code
    assert SECRET not in answer.text and "root:" not in answer.text
    for folder in ("static", "assets", "svelte"):
        answer = web.get(f"/{folder}/..%2f..%2f..%2f..%2fetc/passwd")
        assert answer.status_code in (400, 403, 404)


def test_no_endpoint_follows_a_path(app: Any, web: httpx.Client, info: dict[str, Any]) -> None:
    """Every text that a documented endpoint takes is a path that leads out."""
    assert len(info) >= 10
    calls = [
        (endpoint.strip("/"), {one["parameter_name"]: _value(one, name) for one in parameters})
        for endpoint, parameters in ((key, value["parameters"]) for key, value in info.items())
        for name in ("/etc/passwd", "../secret.csv", "..", "tiny/../tiny", "")
    ]
    for call, answer in zip(calls, asked(app, info, *calls), strict=True):
        assert SECRET not in answer and "root:" not in answer, call
    assert alive(web)


def _value(parameter: dict[str, Any], text: str) -> Any:
    kind = parameter["type"]
    if parameter.get("component") in ("File", "Uploadbutton"):
        return file_data(text)
    if kind.get("type") == "string":
        return text
    return {"array": [{"text": text}], "object": {"text": text}, "boolean": True}.get(
        kind.get("type", ""), 1
    )


@pytest.mark.parametrize("path", ["SECRET", "SECRET/../runs/tiny/study.db", "http://127.0.0.1:1/x"])
def test_only_uploaded_files_are_read(
    app: Any,
    web: httpx.Client,
    config: dict[str, Any],
    info: dict[str, Any],
    place: Path,
    path: str,
) -> None:
    """Whoever names a file that he has not uploaded is refused, on every listener."""
    path = path.replace("SECRET", str(place / "secret.csv"))
    kinds = {one["id"]: one["type"] for one in config["components"]}
    tried = 0
    for dependency in config["dependencies"]:
        given = [kinds.get(number) for number in dependency["inputs"]]
        if not any(kind in FILE_TYPES for kind in given):
            continue
        tried += 1
        values = [file_data(path, url=path) if k in FILE_TYPES else "tiny" for k in given]
        answer = listened(web, dependency, values)
        assert SECRET not in answer and "root:" not in answer
        assert '"success":false' in answer.replace(" ", ""), answer
    assert tried
    call = ("predict_file", {"study": "tiny", "file": file_data(path)})
    assert "event: error" in asked(app, info, call)[0]
    assert alive(web)


def test_files_named_in_data_are_data(app: Any, info: dict[str, Any], place: Path) -> None:
    """An object that looks like Gradio's files, where a row is expected."""
    secret = str(place / "secret.csv")
    rows: list[dict[str, Any]] = [
        {"text": "a", "path": secret},
        {"text": "a"} | file_data(secret),
        {"text": "a", "x": file_data(secret)},
        {"text": "a"} | file_data("http://127.0.0.1:1/x"),
        {"text": "a", "path": "http://example.com"},
    ]
    answers = asked(app, info, *(("predict", {"study": "tiny", "rows": [row]}) for row in rows))
    assert not any(SECRET in answer or "/file=" in answer for answer in answers)
    assert ["event: error" in answer for answer in answers] == [False, True, True, True, False]


# other hosts and other sites


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


# too much


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
            base_url=app.local_url, timeout=120, limits=limits, trust_env=False
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


# two people, and strangers


def test_two_sessions_do_not_share_state(web: httpx.Client, config: dict[str, Any]) -> None:
    """What one uploads and chooses is in no other session's state."""
    path = web.post("/gradio_api/upload", files={"files": ("a.csv", b"text\nzebra-one\n")}).json()[
        0
    ]
    kinds = {one["id"]: one for one in config["components"]}
    looking = next(
        one
        for one in config["dependencies"]
        if [kinds[number]["type"] for number in one["inputs"]] == ["dropdown", "file"]
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
    assert "zebra-one" in listened(web, looking, ["tiny", own], "one")
    assert "zebra-one" not in listened(web, looking, ["tiny", None], "two")
    assert "zebra-one" not in web.get("/config").text


def test_every_route_but_the_login_page_asks_for_it(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    password = "correct horse battery"
    app = served(place, login=("promptlab", password))
    try:
        with httpx.Client(base_url=app.local_url, timeout=60, trust_env=False) as web:
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
            assert Client(app.local_url, auth=("promptlab", password), verbose=False)
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


def test_sizes_are_read() -> None:
    assert [read_size(text) for text in ("500kb", "20mb", "1.5 GB")] == [
        500_000, 20_000_000, 1_500_000_000,
    ]  # fmt: skip
    for text in ("20", "0mb", "-1mb", "many"):
        with pytest.raises(pl.InputError, match="--max-upload"):
            read_size(text)
