"""An endpoint that answers, and prompts for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptlab.prompts.prompt import Prompt, Slot, Text
from tests.helpers.fake_endpoint import Endpoint, said, serving

SECRET = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def own_replies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, and no key from the machine."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    for name in ("PROMPTLAB_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """It says every prompt again."""
    with serving(lambda call, n: said(f"re {call.words}")) as opened:
        yield opened


def plain(text: str, *more: Any, **options: Any) -> Prompt:
    return Prompt((Text(text), *more, Slot()), **options)
