"""The examples in the docstrings of models run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest

import promptlab as pl
from promptlab.models.local import LocalModel

MODULES = ("base", "builtin", "fill_mask", "nested_answers", "pool", "remote.options", "token_view")


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, masked: LocalModel) -> None:
    module = importlib.import_module(f"promptlab.models.{name}")
    names = {"pl": pl, "model": masked, **vars(module)}
    options = doctest.ELLIPSIS
    found = doctest.testmod(module, extraglobs=names, optionflags=options)
    assert found.attempted and not found.failed
