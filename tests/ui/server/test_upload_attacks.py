"""Files under attack, over HTTP: what is uploaded stays where it belongs, nothing else is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.saved_predictor_fixtures import HOSTILE

pytest.importorskip("gradio")

import httpx

import promptlab as pl
from promptlab.cli.ui import read_size
from promptlab.ui.server.cleanup import remove_old_files
from tests.helpers.ui_client import (  # noqa: F401 - some are fixtures
    FILE_TYPES,
    SECRET,
    alive,
    app,
    asked,
    config,
    file_data,
    info,
    kept,
    listened,
    place,
    web,
)


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
    remove_old_files(app.files, uploads)
    assert fresh.exists() and not broken.exists() and not old.parent.exists()
    fresh.unlink()


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


def test_sizes_are_read() -> None:
    assert [read_size(text) for text in ("500kb", "20mb", "1.5 GB")] == [
        500_000, 20_000_000, 1_500_000_000,
    ]  # fmt: skip
    for text in ("20", "0mb", "-1mb", "many"):
        with pytest.raises(pl.InputError, match="--max-upload"):
            read_size(text)
