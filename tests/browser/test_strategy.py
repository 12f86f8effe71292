"""Generate and Strategy as a person uses them: text that streams and stops, a tree drawn."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.default_model


def open_section(page: Any, title: str) -> None:
    page.get_by_role("tab", name=title, exact=True).click()


def test_text_streams_and_stops(page: Any) -> None:
    open_section(page, "Generate")
    box = page.locator("#generate-result")
    page.fill("#generate-prompt textarea", "Once upon a time")
    page.fill("#generate-tokens input[type=number]", "512")
    page.keyboard.press("Tab")
    page.click("#generate-run")
    page.wait_for_function(
        "document.querySelector('#generate-result .pl-writing')?.textContent.length > 20"
    )
    first = box.locator(".pl-writing").inner_text()
    page.click("#generate-stop")
    page.wait_for_selector("#generate-result >> text=stopped by you")
    text = box.locator(".pl-generated").inner_text()
    assert text.startswith(first.rstrip("▍")[:10])
    page.wait_for_selector("#generate-stop:disabled")
    # The model is as healthy as before: a short text comes to its end.
    page.fill("#generate-tokens input[type=number]", "4")
    page.keyboard.press("Tab")
    page.click("#generate-run")
    page.wait_for_selector("#generate-result >> text=at its limit of tokens")
    assert "tokens/s" in box.inner_text()


def test_a_tree_of_thoughts_is_drawn_and_read(page: Any) -> None:
    open_section(page, "Strategy")
    page.click("#strategy-name input")
    page.get_by_role("option", name="Tree of thoughts: game of 24").click()
    page.wait_for_selector("text=Steps towards 24 are proposed")
    page.click("#strategy-run")
    page.wait_for_selector("#strategy-result .pl-answer")
    assert page.locator(".pl-tree .pl-thought.pl-is-chosen").count() == 3
    assert page.locator(".pl-tree svg path").count() == page.locator(".pl-thought").count() - 1
    page.locator(".pl-thought.pl-is-chosen").first.focus()
    page.keyboard.press("Enter")
    card = page.locator(".pl-thought-card:popover-open")
    assert "value" in card.inner_text()
    page.keyboard.press("Escape")
    assert card.count() == 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
