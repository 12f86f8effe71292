"""``promptlab predict`` in this process, over a saved prompt and a file of reviews."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.app import app
from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.classifier import PromptClassifier
from tests.helpers.tiny_models import Pair

WORDS = ("great", "terrible", "good", "bad", "wonderful", "awful", "dull", "charming")
TEXTS = [f"the {thing} was {word} ." for word in WORDS for thing in ("film", "soup", "plot")]
LABELS = [("positive", "negative")[(number // 3) % 2] for number in range(len(TEXTS))]
FLOAT = ("--dtype", "float32")


@pytest.fixture(scope="module")
def model(tiny_causal: Pair, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    folder = tmp_path_factory.mktemp("model")
    for part in tiny_causal:
        part.save_pretrained(folder)
    return load_model(str(folder), device="auto", dtype="float32")


@pytest.fixture(scope="module")
def best(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answers = {"negative": "terrible", "positive": "great"}
    made = PromptClassifier("{text} It was {mask}", answers, model)
    return made.save(tmp_path_factory.mktemp("best"))


@pytest.fixture(scope="module")
def predictor(best: Path, model: LanguageModel) -> Predictor:
    return load(best, model)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "label"])
        writer.writerows((f"r{n}", *row) for n, row in enumerate(zip(TEXTS, LABELS, strict=True)))
    return path


def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments), *FLOAT], input=stdin)


def done(*arguments: object, stdin: str | bytes | None = None) -> Result:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, (result.exception, result.output)
    return result


def refused(*arguments: object, stdin: str | bytes | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert isinstance(result.exception, InputError), (result.exception, result.output)
    return str(result.exception)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
