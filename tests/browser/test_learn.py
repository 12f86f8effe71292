"""Something is learned and watched as a person does it, and a study's search is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import go
from tests.helpers.study_fixtures import write_reviews
from tests.study.figures.test_figures import study, trial

pytestmark = pytest.mark.default_model


def test_a_soft_prompt_is_learned_on_an_own_file_and_watched(page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Learn", exact=True).click()
    page.locator("#learn-data input").click()
    page.get_by_role("option", name="a file of your own").click()
    box = page.locator("#learn-file input[type=file]")
    box.set_input_files(str(write_reviews(tmp_path / "my reviews.csv")))
    page.locator("#learn-file-told", has_text="labels negative").wait_for()
    expect(page.locator("#learn-dev input")).not_to_have_value("100")
    page.locator("#learn-steps input").fill("24")
    page.locator("#learn-rates textarea, #learn-rates input").first.fill("0.3, 0.1")
    page.locator("#learn-start").click()
    page.wait_for_selector("#learn-curves polyline")
    page.wait_for_selector("#learn-moment .pl-token")
    go(page)
    page.get_by_role("tab", name="Learn", exact=True).click()
    page.wait_for_selector("#learn-strip .pl-new")
    page.wait_for_selector("#learn-head .pl-good")
    assert page.locator("#learn-curves .pl-legend li").count() == 2
    assert page.locator("#learn-strip tbody tr").count() == 6
    page.wait_for_selector("#learn-final .pl-card")
    told = page.locator("#learn-final").inner_text().lower()
    assert "nearest words" in told and "was it worth it?" in told
    assert "{text}" in page.locator("#learn-moment .pl-in-place").inner_text()
    page.locator("#learn-step input[type=range]").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("#learn-curves circle.pl-now")


def test_a_search_is_drawn(page: Any, workbench: tuple[str, Path]) -> None:
    workbench[1].mkdir(exist_ok=True)
    study(workbench[1] / "tried", [trial(number) for number in range(8)])
    page.get_by_role("tab", name="Study", exact=True).click()
    page.locator("#study-list label", has_text="tried").click()
    page.wait_for_selector("#chart .main-svg")
    page.locator("#chart-choice label", has_text="Parallel coordinates").click()
    page.wait_for_selector("#chart .annotation-text")
    assert "learning rate" in page.locator("#chart").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
