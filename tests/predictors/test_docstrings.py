"""The examples in the docstrings of predictors and strategies run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.helpers.scripted_model import ScriptedModel

MODULES = (
    "predictors.classifier", "predictors.comparison_grid", "predictors.demonstrations.choice",
    "predictors.generator",
    "predictors.ensemble.cascade", "predictors.ensemble.ensemble", "strategies.chain",
    "strategies.chain_of_thought.strategy", "strategies.retrieval",
    "strategies.self_consistency.strategy",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"promptlab.{name}")
    model = ScriptedModel(lambda prompt, sample: "7")
    found = doctest.testmod(module, extraglobs={"model": model})
    assert found.attempted and not found.failed
