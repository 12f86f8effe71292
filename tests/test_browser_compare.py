"""Compare as a person uses it: the grid fills, a cell opens, answers are edited at once."""

from __future__ import annotations

from typing import Any

import pytest
from browser import go

pytestmark = pytest.mark.default_model


def test_a_grid_and_an_edit(page: Any) -> None:
    go(page, f"{page.url.partition('?')[0]}?tab=compare")
    page.locator("#compare-run").wait_for(state="visible")
    page.get_by_role("spinbutton", name="Dev examples").fill("8")
    page.click("#compare-run")
    page.get_by_text("24 cells in").wait_for()
    cells = page.locator("#compare-table button[data-cell]")
    cells.nth(23).wait_for()
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pl-compare-detail .pl-prompt mark")
    assert page.inner_text(".pl-compare-detail .pl-compare-letter") == "B"

    page.get_by_role("tab", name="Paired tests").click()
    page.get_by_text("The difference in accuracy is").wait_for()
    assert page.locator(".pl-compare-matrix tbody tr").count() == 3

    page.get_by_role("tab", name="Edit answers").click()
    page.wait_for_selector(".pl-compare-edit")
    before = page.inner_text("#edit-result")
    page.locator("#edit-answers textarea").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("negative: bad\npositive: film")
    page.wait_for_function(
        "before => document.querySelector('#edit-result').innerText !== before", arg=before
    )
    page.get_by_text("Changed labels").wait_for()
    assert page.locator(".pl-compare-asks").count() == 0
    page.keyboard.type(" of the year")
    page.get_by_text("the model has to be asked").wait_for()
    page.click("#edit-ask")
    page.locator(".pl-compare-asks").wait_for(state="detached")
