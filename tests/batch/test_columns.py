"""A saved predictor reads other files as its study read its own: columns, labels, form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import promptlab as pl
from promptlab.batch.prediction import BatchPrediction
from promptlab.cli.app import app
from promptlab.cli.data_options import changed_options, read_label_names
from promptlab.data.columns import Columns
from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import load
from promptlab.study import parse_yaml
from promptlab.study.spec.sections import TaskSection


@pytest.fixture
def predictor(causal: LanguageModel) -> pl.PromptClassifier:
    made = pl.PromptClassifier(
        "{text} It was {mask}", {"negative": "bad", "positive": "good"}, causal
    )
    made.read_as = Columns({"body": "text"}, "queue", "ticket", {"neg": "negative", "?": None})
    return made


ROWS: list[dict[str, Any]] = [
    {"ticket": 1, "title": "a", "body": "great film", "queue": "positive", "label": "x"},
    {"ticket": 2, "title": "b", "body": "bad film", "queue": "neg", "label": "y"},
    {"ticket": 3, "title": "c", "body": "so so", "queue": "?", "label": "z"},
    {"ticket": 4, "title": "d", "body": "fine film", "queue": "Positive ", "label": "z"},
]


def test_columns_are_saved_with_a_predictor(
    predictor: pl.PromptClassifier, causal: LanguageModel, tmp_path: Path
) -> None:
    again = load(predictor.save(tmp_path / "best"), causal)
    assert again.read_as == predictor.read_as
    predictor.read_as = None
    assert load(predictor.save(tmp_path / "other"), causal).read_as is None


def test_a_file_is_read_as_the_study_read_its_own(predictor: pl.PromptClassifier) -> None:
    batch = BatchPrediction(predictor, ROWS)
    rows = [row for block in batch.blocks() for row in block]
    made = predictor.predict([row["body"] for row in ROWS]).labels
    assert [row["prediction"] for row in rows] == made
    summary = batch.summary()
    assert (summary["label_column"], summary["n"], summary["unknown_labels"]) == ("queue", 3, [])
    right = sum(a == b for a, b in zip(made, ("positive", "negative", "", "positive"), strict=True))
    assert summary["accuracy"] == pytest.approx(right / 3)
    other = BatchPrediction(predictor, ROWS, columns={"text": "title"}, label="label")
    assert other.matched.fields == {"title": "text"}
    assert other.matched.label == "label"


def test_a_file_without_those_columns_is_read_by_its_own(predictor: pl.PromptClassifier) -> None:
    batch = BatchPrediction(predictor, [{"text": "great film", "label": "positive"}])
    assert batch.matched.fields == {"text": "text"}
    assert batch.matched.label == "label"


def test_nested_values_are_read(predictor: pl.PromptClassifier) -> None:
    predictor.read_as = Columns({"ticket.body": "text"}, "ticket.queue")
    rows = [{"ticket": {"body": "great film", "queue": "positive"}}]
    batch = BatchPrediction(predictor, rows)
    (block,) = batch.blocks()
    assert block[0]["prediction"] == predictor.predict(["great film"]).labels[0]
    assert batch.summary()["n"] == 1


def test_options_of_the_command_line() -> None:
    assert read_label_names(["N/A=", "pos=positive", "=none"]) == {
        "N/A": None,
        "pos": "positive",
        "": "none",
    }
    assert read_label_names(["no, yes"]) == ["no", "yes"]
    with pytest.raises(InputError, match="--labels 'a' is not name=value"):
        read_label_names(["a", "b"])
    assert changed_options(text="1", labels=None, header=False, min_rows=1, quotes=True) == {
        "text": "1",
        "header": False,
    }


def test_data_show_reads_by_its_options_and_tells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [f"film number {n}|{('pos', 'neg', 'positive')[n % 3]}" for n in range(60)]
    lines += ["FILM number 3|neg", "film number 61|N/A"]
    path.write_text("\n".join(lines))
    arguments = ["data", "show", str(path), "--no-header", "--text", "1", "--label", "2"]
    arguments += ["--labels", "pos=positive", "--labels", "N/A=", "--delimiter", "|"]
    printed = CliRunner().invoke(app, arguments)
    assert printed.exit_code == 0, printed.exception
    assert "Note: " in printed.stdout and "contradictory labels" in printed.stdout
    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert document["labels"] == ["neg", "positive"]
    assert document["repeats"]["rows"] - document["repeats"]["distinct"] == 1
    assert any("1 row left out" in remark for remark in document["remarks"])


def test_a_study_says_how_its_file_is_read() -> None:
    section = TaskSection.model_validate(
        {"data": "a.csv", "text": 1, "labels": {True: "yes", 0: None}, "header": False}
    )
    assert (section.text, section.labels) == ("1", {"true": "yes", "0": None})
    written = section.model_dump(mode="json")
    assert written["header"] is False and "delimiter" not in written
    assert TaskSection.model_validate(written) == section


def test_yes_and_no_in_a_study_file_are_words() -> None:
    document, _ = parse_yaml("labels: [no, yes]\nchat: true\nother: {on: 1, n: y}", "a.yaml")
    assert document == {"labels": ["no", "yes"], "chat": True, "other": {"on": 1, "n": "y"}}
