"""Library and failures as a person uses them: the real app in a real browser."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.evaluation import FailureLog
from promptlab.evaluation.failure import Failure
from promptlab.evaluation.failure_log import write_lines

pytestmark = pytest.mark.default_model
TEXTS = ["a dull plot", "no plot at all", "cold soup", "the soup was stale", "soup again", "plot"]
HOSTILE = "<img src=x onerror=alert(1)> {{ 7 * 7 }} ${value}"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(tmp_path))
    return tmp_path


@pytest.fixture
def study(workbench: tuple[str, Path]) -> Iterator[Path]:
    folder = workbench[1] / "decided-films"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("study: films\n")
    scores = {"positive": math.log(0.8), "negative": math.log(0.2)}
    misses = [
        Failure(str(number), {"text": text}, f"{text} It was {{mask}}.", "negative", "positive",
                "dev", scores=scores)
        for number, text in enumerate([*TEXTS, HOSTILE])
    ]  # fmt: skip
    write_lines(folder / "failures.jsonl", (one.record() for one in misses))
    yield folder
    shutil.rmtree(folder)


def test_a_template_is_found_edited_saved_and_found_again(page: Any, own: Path) -> None:
    page.get_by_role("tab", name="Library", exact=True).click()
    search = page.get_by_placeholder("words in the name")
    search.fill("a truly movie terrible")
    row = page.locator("[data-pick='sentiment/a-truly-movie']")
    page.wait_for_function("document.querySelectorAll('[data-pick]').length < 5")
    row.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#template-head:has-text('a-truly-movie')")
    page.locator("#template-fields textarea").fill(f"text = {HOSTILE}")
    page.wait_for_selector(f"#template-prompt:has-text('{HOSTILE} A truly')")
    page.get_by_role("button", name="Edit a copy").click()
    page.locator("#draft-name textarea").fill("my-film")
    page.locator("#draft-text textarea").fill("{text} A {mask film.")
    page.wait_for_selector("#template-checked .pl-error pre:has-text('^')")
    page.locator("#draft-text textarea").fill("{text} A {mask} film, I say.")
    page.wait_for_selector("#template-checked:has-text('It can be saved')")
    page.get_by_role("button", name="Save to my templates").click()
    page.wait_for_selector("#template-head:has-text('yours')")
    assert pl.load_template("sentiment/my-film").text == "{text} A {mask} film, I say."
    search.fill("my-film")
    page.wait_for_selector("#library-result:has-text('1 template of 1 task, 1 your own')")
    with page.expect_download() as made:
        page.locator("#template-shown").get_by_role("button", name="Export").click()
    assert Path(made.value.path()).read_text() == pl.TemplateLibrary().export(["sentiment/my-film"])
    page.get_by_role("button", name="Try in the playground").click()
    page.wait_for_selector("#prompt-result:has-text('film, I say.')")


def test_failures_are_shown_grouped_and_corrected(page: Any, study: Path) -> None:
    page.get_by_role("tab", name="Failures", exact=True).click()
    page.wait_for_selector("#failure-detail:has-text('Example 0')")
    assert page.locator("#failure-rows tbody tr").count() == 7
    assert page.locator("#failure-detail .pl-bar").count() == 2
    page.locator("#failure-rows tbody tr").nth(6).click()
    page.wait_for_selector(f"#failure-detail:has-text('{HOSTILE}')")
    page.get_by_label("words", exact=True).click()
    group = page.locator(".pl-cluster:has-text('soup')").first
    group.click()
    page.wait_for_function("document.querySelectorAll('#failure-rows tbody tr').length < 7")
    page.locator("#failure-rows tbody tr:has-text('cold soup')").click()
    page.wait_for_selector("#failure-detail:has-text('Example 2')")
    page.get_by_label("the actual answer is acceptable").click()
    page.get_by_label("Note").fill("warm enough")
    page.get_by_role("button", name="Save the correction").click()
    page.wait_for_selector("#failure-told:has-text('is kept')")
    (kept,) = FailureLog(study).corrections.values()
    assert (kept.example_id, kept.accept, kept.note) == ("2", True, "warm enough")
    page.wait_for_selector("#failure-summary:has-text('1corrected')")
    with page.expect_download() as made:
        page.get_by_role("button", name="Regression suite").click()
    assert '"label": "positive"' in Path(made.value.path()).read_text()
    page.get_by_role("button", name="Withdraw").click()
    page.wait_for_selector("#failure-told:has-text('taken back')")
    assert not FailureLog(study).corrections
