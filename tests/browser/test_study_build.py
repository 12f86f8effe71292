"""Building a study as a person does: form and YAML in step, faults by line, cost, a start."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.api_client import ApiClient
from tests.helpers.study_fixtures import write_reviews

pytestmark = pytest.mark.default_model

LINES = "[...document.querySelectorAll('#study-yaml .cm-line')].map((line) => line.innerText)"


def until(page: Any, text: str) -> None:
    """Wait until the YAML holds a text."""
    found = f"() => {LINES}.join('\\n').includes({json.dumps(text)})"
    page.wait_for_function(found)


@pytest.fixture
def build(page: Any) -> Any:
    page.get_by_role("tab", name="Study", exact=True).click()
    page.get_by_role("tab", name="Build", exact=True).click()
    page.wait_for_selector("#group-0")
    page.wait_for_selector("#study-complaints .pl-build-valid")
    return page


@pytest.fixture
def removed(workbench: tuple[str, Path]) -> Iterator[str]:
    """The name of a study that the app, which other tests share, has forgotten afterwards."""
    name = "my-reviews"
    yield name
    client = ApiClient(workbench[0])

    def state() -> str:
        return str(client.predict(name, api_name="/study_progress")["state"])

    if state() in ("queued", "running"):
        client.predict(name, api_name="/cancel_study")
    deadline = time.monotonic() + 300
    while (workbench[1] / name).exists() and state() in ("queued", "running", "stopping"):
        assert time.monotonic() < deadline, "the study does not stop"
        time.sleep(0.1)
    shutil.rmtree(workbench[1] / name, ignore_errors=True)


def test_form_and_text_are_in_step(build: Any) -> None:
    build.locator("#build-dev input").fill("57")
    build.keyboard.press("Tab")
    until(build, "  dev: 57")
    build.locator("#add-group").click()
    build.wait_for_selector("#group-1")
    until(build, "  - kind: template\n    templates:")
    build.locator("#study-yaml .cm-content").click()
    build.keyboard.press("Control+End")
    build.keyboard.type("\nobjectivs: [accuracy]")
    row = build.locator("#study-complaints button").filter(has_text="objectives")
    row.wait_for()  # half a word was complained of, too
    number = int(build.evaluate(f"{LINES}.length"))
    assert f"line {number}" in row.inner_text() and "objectives" in row.inner_text()
    build.keyboard.press("Control+Home")
    row.click()
    build.wait_for_function("() => getSelection().toString().includes('objectivs')")
    build.keyboard.type("objectives: [macro_f1]")
    build.wait_for_selector("#study-complaints .pl-build-valid")
    build.wait_for_selector("text=macro_f1")
    build.get_by_role("button", name="Estimate the cost").click()
    build.wait_for_selector("#study-estimate .pl-build-bar")
    assert build.locator("#study-estimate .pl-build-bar").count() == 3


def test_own_data_becomes_a_study_that_is_started(
    build: Any, workbench: tuple[str, Path], tmp_path: Path, removed: str
) -> None:
    file = write_reviews(tmp_path / f"{removed}.csv")
    with build.expect_file_chooser() as chooser:
        build.locator("#own-data").click()
    chooser.value.set_files(str(file))
    build.locator("#propose").click()
    until(build, "study: my-reviews")
    build.wait_for_selector("#study-complaints .pl-build-valid")
    build.locator("#build-trials input").fill("1")
    build.keyboard.press("Tab")
    until(build, "trials: 1")
    build.locator("#build-start").click()
    build.locator("#study-list").get_by_text("my-reviews").first.wait_for()
    build.get_by_role("tab", name="Build", exact=True).click()
    build.locator("#build-start").click()
    build.locator("#build-rename").click()
    until(build, "study: my-reviews-2")
    assert (workbench[1] / ".uploads").is_dir()
