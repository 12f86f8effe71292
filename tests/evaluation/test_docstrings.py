"""The examples in the docstrings of data, prompts, evaluation and library run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "data.example", "data.label_column", "data.load_task", "data.readers", "data.task",
    "evaluation.evaluation", "evaluation.failure_clusters", "evaluation.failure_log",
    "evaluation.metrics.base", "evaluation.predictions", "evaluation.trace",
    "evaluation.truncation_count", "library.library", "library.sources", "prompts.decoding",
    "prompts.parsers.parsers", "prompts.prompt", "prompts.template", "prompts.verbalizer",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"promptlab.{name}"))
    assert found.attempted and not found.failed
