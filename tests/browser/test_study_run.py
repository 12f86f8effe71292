"""A study is started, watched to its end and found again by a person with a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.api_client import ApiClient
from tests.helpers.browser import go

pytestmark = pytest.mark.default_model

STUDY = """
study: two-prompts
task: {data: sst2, train: 16, dev: 24, test: 24}
model: bert-tiny
block: 4
candidates:
  - kind: template
    templates: [sentiment/it-was, sentiment/a-piece]
    calibration: [none, contextual]
"""


def open_tab(page: Any) -> None:
    """Go to the tab Study, its section Run."""
    tab = page.get_by_role("tab", name="Study", exact=True)
    for _ in range(20):
        tab.click()
        page.wait_for_timeout(300)
        if tab.get_attribute("aria-selected") == "true":
            break
    page.get_by_role("tab", name="Run", exact=True).click()


def test_a_study_is_started_and_watched(page: Any, workbench: tuple[str, Path]) -> None:
    client = ApiClient(workbench[0])
    open_tab(page)
    page.locator("#study-name").get_by_role("textbox").fill("from-the-form")
    page.locator("#study-trials").get_by_role("spinbutton").fill("2")
    page.locator("#study-model input").click()
    page.get_by_role("option", name="bert-tiny").click()
    page.locator("#study-start").click()
    page.wait_for_selector("#study-head h3:has-text('from-the-form')")
    assert client.predict(STUDY, api_name="/start_study") == "two-prompts"
    page.wait_for_selector("#study-head .pl-chip:has-text('decided')")
    page.wait_for_selector("#study-board .pl-told:has-text('on the untouched test split')")
    page.wait_for_selector("#study-log :text('Decided')")
    assert page.locator("#study-board .pl-whisker").count() == 2
    page.wait_for_selector("#study-pause:disabled", state="attached")

    go(page)
    open_tab(page)
    page.wait_for_selector("#study-list label:has-text('two-prompts')")
    page.locator("#study-list label:has-text('two-prompts')").click()
    page.wait_for_selector("#study-head h3:has-text('two-prompts')")
    page.wait_for_selector("#study-head .pl-chip:has-text('decided')")
    page.wait_for_function("document.querySelectorAll('#study-board .pl-whisker').length === 4")
    assert client.predict("two-prompts", api_name="/leaderboard")["study"] == "two-prompts"

    page.locator("#study-board summary").nth(1).click()
    page.wait_for_selector("#study-board details[open] pre")
    page.get_by_role("button", name="Read the report here").locator("visible=true").click()
    page.frame_locator("iframe.pl-study-report").locator("h1").first.wait_for()
    outside = page.locator("iframe.pl-study-report").first.evaluate(
        "frame => frame.contentDocument === null"
    )
    assert outside  # the report's script and the app do not see each other
