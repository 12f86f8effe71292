"""Compare as a person uses it: the grid fills, a cell opens, answers are edited at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from promptlab.predictors import ComparisonGrid
from promptlab.ui.compare import answer_edit
from tests.helpers.browser import go

pytestmark = pytest.mark.default_model
PATIENCE = 60


class Gate:
    """Holds a function back from its ``after``-th call on, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: int) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self.calls = 0
        held = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls >= after:
                self.reached.set()
                assert self.open.wait(PATIENCE)
            return held(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)


def test_older_answers_do_not_stay(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked while a grid fills, and while the model is asked, is what is shown."""
    go(page, f"{page.url.partition('?')[0]}?tab=compare")
    page.locator("#compare-run").wait_for(state="visible")
    page.get_by_role("spinbutton", name="Dev examples").fill("12")
    filling_gate = Gate(
        monkeypatch, ComparisonGrid, "_predict", after=4
    )  # three columns' first block
    page.click("#compare-run")
    assert filling_gate.reached.wait(PATIENCE)
    page.get_by_label("As in the data").click()
    filling_gate.open.set()
    page.get_by_text("36 cells in").wait_for()
    page.locator("#compare-table button[data-cell]").nth(35).wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll('#compare-table tr[data-row]')]
        .every((row, place) => row.dataset.row === String(place))"""
    )

    page.get_by_role("tab", name="Edit answers").click()
    page.wait_for_selector(".pl-compare-edit")
    box = page.locator("#edit-answers textarea")
    box.fill("negative: not good at all\npositive: great")
    page.get_by_text("the model has to be asked").wait_for()
    asking = Gate(monkeypatch, answer_edit, "score_unread_answers", after=1)
    page.click("#edit-ask")
    assert asking.reached.wait(PATIENCE)
    box.fill("negative: bad\npositive: bad")
    page.locator("#edit-result .pl-error").wait_for()
    asking.open.set()
    box.fill("negative: bad\npositive: good")
    page.locator("#edit-result .pl-error").wait_for(state="detached")
    assert page.locator(".pl-compare-asks").count() == 0
    with page.expect_download() as made:
        page.get_by_role("tab", name="Grid", exact=True).click()
        page.click("#compare-save-csv")
    assert len(Path(made.value.path()).read_text().splitlines()) == 13


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
