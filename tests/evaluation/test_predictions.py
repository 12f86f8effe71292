"""The table of predictions: its columns, slices, and its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptlab.evaluation.predictions import Prediction, Predictions

ROWS = Predictions(
    [
        Prediction("1", "a", "a", {"a": -0.1, "b": -2.3}, None, False, 10, 2, 0.5),
        Prediction("2", "b", "a", trace={"steps": [1, "é"]}, tokens_in=5),
        Prediction("3", None, "a", text="well ...\n", unparsed=True, seconds=0.25),
        Prediction("4", "a", None),
    ]
)


def test_columns_and_totals() -> None:
    assert ROWS.labels == ["a", "b", None, "a"]
    assert ROWS.targets == ["a", "a", "a", None]
    assert ROWS.correct == [True, False, False, False]
    assert ROWS.unparsed_rate == 0.25
    assert Predictions().unparsed_rate == 0
    assert (ROWS.tokens, ROWS.seconds) == (17, 0.75)
    assert [row.example_id for row in ROWS.failures()] == ["2", "3"]
    assert repr(ROWS) == "Predictions(4 rows, 17 tokens, 0.75 s)"


def test_a_sequence_of_rows() -> None:
    assert isinstance(ROWS[1:], Predictions)
    assert list(ROWS[:2] + ROWS[2:]) == list(ROWS)
    assert ROWS[-1].example_id == "4"
    assert len(Predictions(iter(ROWS))) == 4


def test_a_label_that_equals_no_target_is_not_right() -> None:
    assert not Prediction("1", None, None).correct
    assert not Prediction("1", "a", "a", unparsed=True).correct


def test_the_file_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rows.jsonl"
    ROWS.to_jsonl(path)
    assert list(Predictions.from_jsonl(path)) == list(ROWS)
    assert [p.name for p in path.parent.iterdir()] == ["rows.jsonl"]
    assert "é" in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    assert len(Predictions.from_jsonl(path)) == 4


def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    ROWS[:1].to_jsonl(path)

    def broken(*args: object, **options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", broken)
    with pytest.raises(KeyboardInterrupt):
        ROWS.to_jsonl(path)
    monkeypatch.undo()
    assert len(Predictions.from_jsonl(path)) == 1
