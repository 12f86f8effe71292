"""The page's head in a browser: the address names the open tab, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import DESK, PATIENCE, PHONE, opened

pytestmark = pytest.mark.default_model
OPEN = "#tabs > .tab-wrapper [role=tab][data-tab-id={}][aria-selected=true]"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_an_address_opens_its_tab(
    chromium: Any, workbench: tuple[str, Path], size: dict[str, int]
) -> None:
    with opened(chromium, f"{workbench[0]}?tab=failures", size) as page:
        page.wait_for_selector(OPEN.format("failures"))
        page.locator("#tabs > .tab-wrapper [role=tab][data-tab-id=playground]").click()
        page.wait_for_url("**/?tab=playground")
        page.wait_for_selector(OPEN.format("playground"))
        dark = page.evaluate("document.body.classList.contains('dark')")
        page.click("#theme")
        page.wait_for_function(
            "dark => document.body.classList.contains('dark') !== dark", arg=dark
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_an_address_opens_the_page_of_the_api(chromium: Any, workbench: tuple[str, Path]) -> None:
    context = chromium.new_context(viewport=DESK)
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        page.goto(f"{workbench[0]}?view=api&tab=study")
        page.wait_for_selector(".api-docs-wrap >> text=/label_probabilities")
        page.wait_for_selector(OPEN.format("study"))
        assert "view=api" in page.url  # loaded again, it opens again
    finally:
        context.close()
