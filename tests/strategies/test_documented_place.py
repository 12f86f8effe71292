"""What version 0.1 documented by its module is still found there, with a warning."""

from __future__ import annotations

import importlib
import sys

import pytest

from promptlab.strategies.tree_of_thoughts.problem import Problem


def test_a_problem_is_found_where_it_was() -> None:
    sys.modules.pop("promptlab.strategies.problem", None)
    with pytest.warns(DeprecationWarning, match=r"promptlab\.strategies"):
        module = importlib.import_module("promptlab.strategies.problem")
    assert module.Problem is Problem
