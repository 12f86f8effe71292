"""The examples in the docstrings of what reads, proposes, estimates and compares studies."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = (
    "promptlab.errors",
    "promptlab.files.safe_yaml",
    "promptlab.files.yaml_dump",
    "promptlab.study.comparison",
    "promptlab.study.estimate.estimate",
    "promptlab.study.formatting",
    "promptlab.study.proposal.proposal",
    "promptlab.study.spec.check",
    "promptlab.study.spec.load",
    "promptlab.study.spec.policy",
    "promptlab.study.spec.spec",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name: str) -> None:
    found = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted and not found.failed
