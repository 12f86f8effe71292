"""The running workbench as it is attacked over HTTP: its folder, its address, how it is asked."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

import promptlab as pl
from promptlab.ui.app import serve
from tests.helpers.api_client import PATIENCE
from tests.helpers.browser import free_port
from tests.helpers.saved_predictor_fixtures import save_model, save_prompt
from tests.helpers.tiny_models import Pair

LARGEST = 300_000
SECRET = "the-secret-of-another-folder"
FILE_TYPES = ("file", "uploadbutton")


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
    with httpx.Client(base_url=app.local_url, timeout=PATIENCE, trust_env=False) as client:
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
        async with httpx.AsyncClient(
            base_url=app.local_url, timeout=PATIENCE, trust_env=False
        ) as own:
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
