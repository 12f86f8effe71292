"""The playground as a person uses it: the real app, the default model, a real browser."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.default_model
READ = "#prompt-result .pl-play-token"


def written(page: Any) -> Any:
    """The box of the template, once the page has shown its first prompt."""
    page.wait_for_selector(READ)
    return page.locator("#prompt-template textarea")


def section(page: Any, title: str) -> None:
    page.locator("#play").get_by_role("tab", name=title, exact=True).click()


def test_a_template_is_written_and_its_words_are_filled(page: Any) -> None:
    box, shown = written(page), page.locator("#prompt-result")
    assert "Poland" in shown.inner_text() and "12452" in shown.inner_text()
    box.fill("The river {river} flows through")
    page.wait_for_selector("#prompt-result .pl-error")
    assert "this template has no answer slot" in shown.inner_text()
    box.fill("The river {river} flows {through the city of {mask}")
    page.wait_for_selector("#prompt-result .pl-error >> text=is not a field name")
    fault, caret = shown.locator(".pl-error pre").inner_text().splitlines()
    assert fault[caret.index("^")] == "{" and fault[caret.index("^") + 1 :].startswith("through")
    box.fill("The river {river} flows through the city of {mask}")
    field = page.get_by_label("river", exact=True)
    field.press_sequentially("<b>Vistula</b>")
    page.wait_for_selector("#prompt-result .pl-prompt >> text=<b>Vistula</b>")
    assert field.input_value() == "<b>Vistula</b>"
    assert shown.locator("pre b").count() == 0
    field.fill("Vistula")  # and at once, before anything is shown of it:
    page.get_by_role("button", name="Use in Fill").click()
    page.wait_for_selector("#fill-result .pl-prompt >> text=river Vistula")
    assert page.locator("#fill-result .pl-bar").count() == 8
    assert page.get_by_label("Expected answer").input_value() == ""


def test_the_capitals_table(page: Any) -> None:
    written(page)
    section(page, "Fill")
    page.wait_for_selector("#fill-result table")
    lines = page.locator("#fill-result tbody tr")
    assert lines.count() == 4 == page.locator("#fill-result .pl-card").count()
    assert "P(Warsaw)" in page.locator("#fill-result thead").inner_text()
    assert "Warsaw" in page.locator("#fill-result .pl-card").first.inner_text()
    page.get_by_role("button", name="Capitals: Canada").click()
    page.wait_for_selector("#fill-result thead >> text=P(Ottawa)")
    model = page.get_by_label("Model", exact=True).first
    model.fill("bert-tiny")
    model.press("Enter")
    page.wait_for_selector("#fill-result .pl-note >> text=9 tokens")  # [CLS] and [SEP], too
    section(page, "Prompt")
    page.wait_for_selector(f"{READ}.pl-play-slot >> text=[MASK]")


def test_soft_and_chat_tokens_are_shown(page: Any) -> None:
    box = written(page)
    box.fill("{country} {soft:20} {trigger:5} is {mask}.")
    page.wait_for_selector(f"{READ} >> text=soft \u00d720")
    page.wait_for_selector(f"{READ} >> text=trigger \u00d75")
    box.fill("What is the capital of {country}? {mask}")
    page.get_by_label("Through the model's chat template").first.click()
    page.wait_for_selector(f"{READ}.pl-play-chat")
    assert page.locator(f"{READ}.pl-play-special").count() > 2


def test_labels_of_a_template_from_the_library(page: Any) -> None:
    written(page)
    library = page.get_by_label("Start from the library").first
    library.fill("sentiment/instruct")
    library.press("Enter")
    page.wait_for_selector("#prompt-parts")
    page.get_by_label("cue", exact=True).click()
    page.wait_for_selector("#prompt-result .pl-error >> text=no answer slot")
    page.get_by_label("cue", exact=True).click()
    page.get_by_label("description", exact=True).click()
    page.wait_for_selector("#prompt-result .pl-prompt >> text=/^Review:/")
    page.get_by_role("button", name="Use in Labels").click()
    page.wait_for_selector("#label-result .pl-card >> text=Contextual")
    assert page.locator("#label-result .pl-card").count() == 3
    assert "Sentiment:" in page.locator("#label-result .pl-prompt").inner_text()
    inputs = page.get_by_label("Inputs")
    inputs.fill("text = a gorgeous film\n\ntext = dull and slow")
    page.get_by_role("button", name="Score").click()
    page.wait_for_selector("#label-result table >> text=Batch")
    assert page.locator("#label-result tbody tr").count() == 2
