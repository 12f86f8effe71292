"""``promptlab template`` in this process, and a folder of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.app import app
from promptlab.errors import InputError

FILE = """
task: mood
labels: [low, high]
examples:
  - {text: "a fine day", label: high}
  - {text: "a wet day", label: low}
templates:
  - name: it-was
    text: "{text} It was {mask}."
    answers: {low: [bad], high: [good]}
    source: own wording
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["template", *arguments])


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, InputError), (result.exception, result.output)
    return str(result.exception)


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(folder))
    return folder
