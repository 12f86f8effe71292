"""What is public is documented alike: a sentence, its arguments, and an example."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import promptlab as pl

FACES = (
    "batch", "candidates", "data", "errors", "evaluation", "events", "library", "models",
    "predictors", "prompts", "security", "strategies", "study",
)  # fmt: skip
"""Subpackages whose ``__all__`` is public, too."""


def public_names() -> dict[str, Any]:
    """Everything that users may import, by its full name."""
    found = {f"promptlab.{name}": getattr(pl, name) for name in pl.__all__}
    for face in FACES:
        module = importlib.import_module(f"promptlab.{face}")
        for name in getattr(module, "__all__", ()):
            found.setdefault(f"promptlab.{face}.{name}", getattr(module, name))
    return {name: value for name, value in found.items() if callable(value)}


NAMES = public_names()


def documentation(value: Any) -> str:
    """The docstring of its own, with that of its ``__init__`` if it has one."""
    texts = [value.__doc__ or ""]
    if inspect.isclass(value) and "__init__" in vars(value):
        texts.append(value.__init__.__doc__ or "")
    return "\n".join(inspect.cleandoc(text) for text in texts)


def takes_arguments(value: Any) -> bool:
    """Whether a function, or a class that users make, takes any."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return False
    return bool([name for name in inspect.signature(value).parameters if name != "self"])


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_says_what_it_takes(name: str) -> None:
    value = NAMES[name]
    text = documentation(value)
    first = text.splitlines()[0] if text else ""
    assert first.endswith("."), f"{name} begins with no whole sentence: {first!r}"
    if takes_arguments(value):
        assert "Args:" in text, f"{name} does not describe its arguments"
    if not inspect.isclass(value):
        assert "Returns:" in text or "Yields:" in text, f"{name} does not say what it returns"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_has_an_example(name: str) -> None:
    """`test_examples` runs them."""
    value = NAMES[name]
    if inspect.isclass(value) and issubclass(value, Exception):
        return  # it is raised, not called
    assert ">>>" in documentation(value), f"{name} has no example"
