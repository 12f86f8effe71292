"""The real command line in this process, for the tests of what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from promptlab.cli import main
from promptlab.models.pool import load_model
from promptlab.predictors.classifier import PromptClassifier
from tests.helpers.study_fixtures import study_document, write_reviews, write_study
from tests.helpers.tiny_models import Pair

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATE = {"text": "{text} It was {mask}.", "answers": OWN}
BIG = "word " * 200_000
DROPPED = "\u200b"
"""A character of which a BERT tokenizer makes nothing."""

Command = Callable[..., "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: Any
    out: str
    err: str

    def refuses(self, *parts: str) -> None:
        """Exit 2 with one message on standard error, which has all ``parts``."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        said = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(said) == 1, self.err
        assert self.out == ""
        for part in parts:
            assert part in self.err, self.err


@pytest.fixture(scope="module")
def models(tiny_causal: Pair, tiny_masked: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models saved as ``causal`` and ``masked``, and ``best``, a predictor over the first."""
    folder = tmp_path_factory.mktemp("models")
    for name, pair in (("causal", tiny_causal), ("masked", tiny_masked)):
        for part in pair:
            part.save_pretrained(folder / name)
    model = load_model(str(folder / "causal"), device="cpu", dtype="float32")
    PromptClassifier("{text} It was {mask}", OWN, model).save(folder / "best")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``command("fill", ...)``: `main` as the shell calls it.

    Where it fails nothing may appear in the folder, unless it ``stays`` to be continued.
    """

    def run(*arguments: object, stays: bool = False) -> Outcome:
        before = sorted(path for path in here.rglob("*"))
        monkeypatch.setattr(sys, "argv", ["promptlab", *map(str, arguments)])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        new = [path for path in here.rglob("*") if path not in before and path.name != "runs"]
        assert stays or not code or not new, new
        return Outcome(code, out, err)

    return run


@pytest.fixture
def reviews(here: Path) -> Path:
    return write_reviews(here / "reviews.csv")


@pytest.fixture
def document(reviews: Path, models: Path) -> dict[str, Any]:
    """A study that runs."""
    model = {"name": str(models / "causal"), "device": "cpu", "dtype": "float32"}
    return study_document(reviews, model=model, candidates=[group()], budget={"trials": 1})


@pytest.fixture
def study(here: Path, document: dict[str, Any], command: Command) -> Command:
    """``study(key=value)`` runs the study with top-level keys changed."""

    def run(*options: object, stays: bool = False, **changes: Any) -> Outcome:
        path = write_study(here / "study.yaml", document | changes)
        return command("study", "run", path, *options, stays=stays)

    return run


def group(**changes: Any) -> dict[str, Any]:
    return {"kind": "template", "templates": [TEMPLATE]} | changes


def templates(*entries: Any) -> list[dict[str, Any]]:
    return [group(templates=list(entries))]


def answers(**given: Any) -> list[dict[str, Any]]:
    return templates({"text": "{text} It was {mask}.", "answers": given})


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
