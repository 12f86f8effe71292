"""What a predictor was fitted on is remembered, saved, and no test of it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

from promptlab.batch.prediction import BatchPrediction
from promptlab.data.example import Example
from promptlab.data.seen_texts import SeenTexts
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.classifier import PromptClassifier
from promptlab.ui.predict.tables import summary_cards
from tests.helpers.predict_command import best, done, model, predictor, refused, reviews  # noqa: F401

ANSWERS = {"negative": "bad", "positive": "good"}


def example(text: str, **more: str) -> Example:
    return Example("x", {"text": text, **more}, "negative")


def test_a_text_is_known_however_it_is_written_and_whatever_stands_beside_it() -> None:
    seen = SeenTexts().with_examples([example("So  Dull", title="A")], [example("fine")], ["text"])
    assert seen.has(example("so dull", title="B"), ["text"])
    assert seen.has(example("fine"), ["text"])
    assert not seen.has(example("other"), ["text"])
    assert SeenTexts.from_record(json.loads(json.dumps(seen.record()))) == seen
    assert SeenTexts.from_record(None) == SeenTexts()
    assert "dull" not in json.dumps(seen.record())


def test_fit_remembers_and_save_keeps(causal: LocalModel, tmp_path: Path) -> None:
    made = PromptClassifier("{text} It was {mask}", ANSWERS, causal, calibration="batch")
    made.fit(["dull", "fine"], ["negative", "positive"], dev=[example("so so")])
    assert (len(made.seen.train), len(made.seen.dev)) == (2, 1)
    again = load(made.save(tmp_path / "kept"), causal)
    assert again.seen == made.seen
    made.fit(["more"], ["negative"])
    assert len(made.seen.train) == 3


def test_rows_that_were_seen_count_in_no_accuracy(predictor: Predictor, tmp_path: Path) -> None:
    texts = [f"film number {n}" for n in range(6)]
    labels = [str(predictor.predict(text).labels[0]) for text in texts]
    predictor.fit(texts[:4], labels[:4])
    folder = predictor.save(tmp_path / "fitted")
    path = tmp_path / "labelled.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label"))
        writer.writerows(zip(texts, labels, strict=True))
    result = done(folder, path, "--json")
    summary = json.loads(result.stdout)
    assert (summary["n"], summary["accuracy"]) == (2, 1.0)
    assert (summary["n_seen"], summary["accuracy_seen"]) == (4, 1.0)
    assert sum(row["rows"] for row in summary["confusion"]) == 2
    assert "4 rows with a label are texts that this prompt was fitted on" in result.stderr


def test_the_app_says_what_it_leaves_out(predictor: Predictor, tmp_path: Path) -> None:
    folder = predictor.save(tmp_path / "fitted")
    known = load(folder, predictor.model).fit(["a film"], ["negative"])
    batch = BatchPrediction(
        known, [{"text": "a film", "label": "odd"}, {"text": "b", "label": "negative"}]
    )
    assert len(list(batch.blocks())) == 1
    summary = batch.summary()
    assert (summary["n_seen"], summary["unknown_labels"]) == (1, ["odd"])
    assert "1 rows with a label are texts that this prompt was fitted on" in str(
        summary_cards(summary, Counter(["negative"]))
    )
