"""The constraints that the second run of the tests installs: every lower bound, no more."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent.parent / ".ci" / "oldest_versions.py"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("oldest_versions", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lower_bounds_of_the_project_and_of_what_its_tests_take() -> None:
    extras = {
        "ui": ["gradio>=6.31,<6.32"],
        "other": ["never>=1"],
        "test": ["promptlab-workbench[ui]", "pytest>=8", "transformers[serving]"],
    }
    project = {
        "dependencies": ["torch>=2.8,<2.14", "numpy>=2", "pinned==1.2.3", "free"],
        "optional-dependencies": extras,
    }
    found = script().oldest(project)
    assert found == ["gradio==6.31", "numpy==2", "pinned==1.2.3", "pytest==8"]


def test_every_dependency_says_from_which_version_on() -> None:
    project = tomllib.loads((SCRIPT.parent.parent / "pyproject.toml").read_text())["project"]
    found = {line.partition("==")[0] for line in script().oldest(project)}
    named = {re.match(r"[\w.-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    assert named - found == {"torch"}
