"""The playground as a person uses it: the real app, the default model, a real browser."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.default_model


def test_the_capitals_are_filled_in(page: Any) -> None:
    page.wait_for_selector("#fill-result .pl-bar")
    cards = page.locator("#fill-result .pl-card")
    assert cards.count() == 3
    assert "Warsaw" in cards.first.inner_text()
