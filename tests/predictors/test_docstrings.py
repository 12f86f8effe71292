"""The examples in the docstrings of predictors run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.helpers.scripted_model import ScriptedModel

MODULES = ("classifier", "demonstrations.choice", "generator")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"promptlab.predictors.{name}")
    model = ScriptedModel(lambda prompt, sample: "7")
    found = doctest.testmod(module, extraglobs={"model": model})
    assert found.attempted and not found.failed
