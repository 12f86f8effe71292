"""No value in any settings raises anything but what is told: every class, every field."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import promptlab
from promptlab.candidates.base import BUILT_IN, find_kind
from promptlab.errors import InputError, PromptlabError
from promptlab.files.settings import Settings, check_seed, check_text
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.prompts.decoding import Decoding

STRANGE: tuple[Any, ...] = (
    math.nan, math.inf, -math.inf, -1, 0, 2**31, 2**32, 2**63, 2**64, 10**30, -(10**30), 10**5000,
    1e308, -1e308, 5e-324, True, False, None, "", " ", "\0", "\ud800", "a\ud800b", "x" * 300,
    "nan", "inf", "1e999", "9" * 5000, "-1", b"bytes", object(), [], {}, [[]], [None],
    {"\ud800": 1}, {None: 1}, {1: 2}, {"a": math.nan}, {"a": {"b": [math.inf]}},
    {"extra": 10**30}, {1, 2}, 1j,
)  # fmt: skip
"""What a file or a program may give where anything else is meant."""


_WRITTEN = (
    "promptlab.candidates.",
    "promptlab.study.",
    "promptlab.models.remote.options",
    "promptlab.interop.dspy.kind",
)
"""Where the sections of study files are; what is saved has forms of its own."""


def _every(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in of.__subclasses__():
        yield one
        yield from _every(one)


def _classes() -> list[type[BaseModel]]:
    for folder in ("candidates", "study", "models.remote"):
        package = importlib.import_module(f"promptlab.{folder}")
        for found in pkgutil.walk_packages(package.__path__, f"promptlab.{folder}."):
            importlib.import_module(found.name)
    importlib.import_module("promptlab.interop.dspy.kind")
    names = {one.__module__ + one.__qualname__: one for one in _every(BaseModel)}
    return [one for name, one in sorted(names.items()) if one.__module__.startswith(_WRITTEN)]


CLASSES = _classes()


def test_all_settings_have_one_base() -> None:
    """A section that is no `Settings` would take what all others refuse."""
    assert len(CLASSES) > 40
    others = [one.__name__ for one in CLASSES if not issubclass(one, Settings)]
    assert others == ["Option"]  # which is made of settings that were read
    assert all(issubclass(find_kind(name).Settings, Settings) for name in BUILT_IN)


@pytest.mark.parametrize("owner", CLASSES, ids=lambda one: one.__name__)
def test_strange_values_are_refused_or_taken(owner: type[BaseModel]) -> None:
    """In every field, alone, in a list and in a list of lists: a `ValidationError` or nothing."""
    for name, field in owner.model_fields.items():
        for value in STRANGE:
            for given in (value, [value], [[value]], {"text": value}, [{"text": value}]):
                try:
                    made = owner.model_validate({name: given})
                except (ValidationError, PromptlabError):
                    continue
                found = getattr(made, name)
                if isinstance(value, float) and "float" in str(field.annotation):
                    assert "nan" not in str(found) and "inf" not in str(found), (name, found)
                made.model_dump_json()
                made.model_dump(mode="json")


@pytest.mark.parametrize("value", [True, math.nan, math.inf, 2**32, -1])
@pytest.mark.parametrize(
    "place", [("seed",), ("block",), ("task", "seed"), ("task", "train"), ("budget", "seconds")]
)
def test_numbers_out_of_range_are_refused(place: tuple[str, ...], value: Any) -> None:
    if place == ("task", "train") and value == -1:
        return  # which `divide` refuses, who knows how many rows there are
    document: Any = {
        "study": "a",
        "task": {"data": "sst2"},
        "candidates": [{"kind": "template", "templates": ["sentiment/it-was"]}],
        "budget": {},
    }
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(promptlab.InputError, match=r"\.".join(place)):
        promptlab.load_spec(document, source="study.yaml")


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30, True, math.nan, 1.0, "1"])
def test_seeds_in_python(seed: Any) -> None:
    for make in (check_seed, lambda s: Decoding(seed=s), lambda s: DemonstrationConfig(seed=s)):
        with pytest.raises(InputError, match="a seed is a whole number from 0 to 4294967295"):
            make(seed)


def test_texts_that_are_none() -> None:
    check_text("ein Text, 文 😀", "it")
    for text in ("\0", "a\ud800", "\udfff"):
        with pytest.raises(InputError, match=r"^it holds (a zero byte|half a character)"):
            check_text(text, "it")


def test_data_without_text_is_refused() -> None:
    from promptlab.data.example import Example
    from promptlab.data.task import Task

    for text in ("half \ud800", "zero \0"):
        with pytest.raises(InputError, match="half a character or a zero byte"):
            Task("t", (Example("1", {"text": text}, "a"),), (), (), labels=("a",))
