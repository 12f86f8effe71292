"""A saved predictor over a file from Python: blocks, cancelling, what it comes to."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.batch import BatchPrediction, guess_columns, predict_file, write_rows
from promptlab.models.base import LanguageModel

TEXTS = [f"the film was {word} ." for word in ("great", "bad", "good", "dull", "awful")]
LABELS = ["positive", "negative", "positive", "negative", "negative"]


@pytest.fixture(scope="module")
def predictor(causal: LanguageModel) -> pl.PromptClassifier:
    return pl.PromptClassifier(
        "{text} It was {mask}", {"negative": "bad", "positive": "good"}, causal
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = zip(TEXTS, LABELS, strict=True)
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_file_becomes_a_file(
    predictor: pl.PromptClassifier, source: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    out = tmp_path / "out.csv"
    summary = predict_file(
        predictor, source, out, block=2, on_progress=lambda *done: seen.append(done)
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    made = predictor.predict(TEXTS).labels
    assert [row["prediction"] for row in read_csv(out)] == made
    right = sum(a == b for a, b in zip(made, LABELS, strict=True))
    assert summary["accuracy"] == pytest.approx(right / 5)
    assert not summary["cancelled"] and summary["rows"] == 5 and summary["file"] == str(out)
    table = {(row["label"], row["prediction"]): row["rows"] for row in summary["confusion"]}
    assert sum(table.values()) == 5
    assert sum(count for pair, count in table.items() if pair[0] == pair[1]) == right
    assert json.loads(json.dumps(summary)) == summary


def test_what_is_finished_stays_when_cancelled(
    predictor: pl.PromptClassifier, source: Path, tmp_path: Path
) -> None:
    cancellation = pl.Cancellation()
    out = tmp_path / "out.jsonl"
    summary = predict_file(
        predictor,
        source,
        out,
        block=2,
        on_progress=lambda *_: cancellation.request(),
        cancellation=cancellation,
    )
    assert summary["cancelled"] and summary["rows"] == 2
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == TEXTS[:2]


def test_cancelled_before_the_first_row_only_the_header_is_there(
    predictor: pl.PromptClassifier, source: Path, tmp_path: Path
) -> None:
    cancellation = pl.Cancellation()
    cancellation.request()
    out = tmp_path / "out.csv"
    predict_file(predictor, source, out, cancellation=cancellation)
    assert out.read_text() == "text,label,prediction,unparsed,score_negative,score_positive\n"


def test_rows_of_a_program_are_predicted(predictor: pl.PromptClassifier) -> None:
    given = [{"text": text, "n": n} for n, text in enumerate(TEXTS)]
    batch = BatchPrediction(predictor, given, block=3)
    rows = [row for block in batch.blocks() for row in block]
    assert [row["n"] for row in rows] == list(range(5))
    assert batch.total == batch.rows == 5
    assert batch.columns[:2] == ["text", "n"] and batch.summary()["accuracy"] is None
    for wrong, told in (
        ([], "no rows"),
        ([{"a": "b", "c": "d"}], "no column 'text'"),
        ([{"text": "a"}, {"txt": "b"}], "row 2: the column 'text' is missing"),
        ([{"text": "x" * 200_000}], "row 1: the field 'text' holds 200,000 characters"),
    ):
        with pytest.raises(pl.InputError, match=told):
            BatchPrediction(predictor, wrong)


def test_no_label_can_be_asked_for(predictor: pl.PromptClassifier, source: Path) -> None:
    assert BatchPrediction(predictor, source).matched.label == "label"
    assert BatchPrediction(predictor, source, label="").matched.label is None


def test_guesses_are_told_where_names_do_not_tell() -> None:
    assert guess_columns(["a", "b"], ["text"]) == ({"text": None}, None)
    assert guess_columns(["review", "stars"], ["text"]) == ({"text": "review"}, "stars")
    assert guess_columns(["hypothesis", "x", "y"], ["premise", "hypothesis"])[0] == {
        "premise": None,
        "hypothesis": "hypothesis",
    }


def test_cells_are_made_safe_when_asked(predictor: pl.PromptClassifier, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.csv"
    given: list[dict[str, Any]] = [
        {"text": "=1+1", "=note": "+x", "n": -1, "m": "-1.5"},
        {"text": "fine", "=note": "", "n": 2, "m": "@x"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in given))
    summary = predict_file(predictor, source, out, safe=True)
    rows = read_csv(out)
    assert [rows[0][name] for name in ("text", "'=note", "n", "m")] == [
        "'=1+1",
        "'+x",
        "-1",
        "-1.5",
    ]
    assert rows[1]["m"] == "'@x"
    assert summary["made_text"] == 4
    assert predict_file(predictor, source, out)["made_text"] == 0
    assert read_csv(out)[0]["text"] == "=1+1"


def test_rows_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert write_rows(path, ["a"], [{"a": "=1"}, {"a": 1}], safe=True) == 1
    assert path.read_text() == "a\n'=1\n1\n"
    with pytest.raises(pl.InputError, match="comes up after the header"):
        write_rows(path, ["a"], [{"b": 1}])
    assert path.read_text() == "a\n'=1\n1\n"
    assert [item.name for item in tmp_path.iterdir()] == ["rows.csv"]
