"""``promptlab predict``: what goes in, what comes out, and what never appears."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptlab.evaluation.statistics import wilson_interval
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import TextParser, parser_from_settings
from promptlab.prompts.template import Template
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from tests.helpers.predict_command import (  # noqa: F401
    LABELS,
    TEXTS,
    best,
    done,
    lines,
    model,
    predictor,
    read_csv,
    refused,
    reviews,
)
from tests.helpers.tiny_models import Pair


def test_csv_keeps_its_columns_and_order(
    best: Path, predictor: Predictor, reviews: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    result = done(best, reviews, "--out", out)
    rows = read_csv(out)
    assert list(rows[0]) == [
        "id", "text", "label", "prediction", "unparsed", "score_negative", "score_positive",
    ]  # fmt: skip
    assert [row["id"] for row in rows] == [f"r{n}" for n in range(len(TEXTS))]
    expected = predictor.predict(TEXTS)
    assert [row["prediction"] for row in rows] == expected.labels
    assert {row["unparsed"] for row in rows} == {"false"}
    for row, probabilities in zip(rows, predictor.predict_proba(TEXTS), strict=True):
        found = [float(row["score_negative"]), float(row["score_positive"])]
        assert found == pytest.approx(list(probabilities), abs=1e-4)
        assert sum(found) == pytest.approx(1, abs=1e-4)
    assert result.stdout == ""
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == ["out.csv"]


def test_accuracy_is_told_with_its_interval(
    best: Path, predictor: Predictor, reviews: Path
) -> None:
    right = sum(a == b for a, b in zip(predictor.predict(TEXTS).labels, LABELS, strict=True))
    low, high = wilson_interval(right, len(TEXTS))
    told = done(best, reviews).stderr
    expected = f"accuracy {right / len(TEXTS):.3f} (95 % interval {low:.3f} to {high:.3f}) on 24"
    assert expected in told
    summary = json.loads(done(best, reviews, "--json").stdout)
    assert summary["accuracy"] == pytest.approx(right / len(TEXTS))
    assert summary["ci95"] == pytest.approx([low, high])
    assert summary["n"] == len(TEXTS)


@pytest.mark.parametrize("block", [1, 7, 24, 100])
def test_blocks_change_nothing(best: Path, reviews: Path, block: int) -> None:
    whole = lines(done(best, reviews, "--format", "jsonl").stdout)
    parts = lines(done(best, reviews, "--format", "jsonl", "--block", block).stdout)
    assert [row["id"] for row in parts] == [row["id"] for row in whole]
    assert [row["prediction"] for row in parts] == [row["prediction"] for row in whole]
    for a, b in zip(parts, whole, strict=True):
        assert a["score_positive"] == pytest.approx(b["score_positive"], abs=1e-4)


def test_jsonl_comes_from_standard_input(best: Path, predictor: Predictor) -> None:
    stdin = "\n\n".join(json.dumps({"text": t, "n": n}) for n, t in enumerate(TEXTS)) + "\n"
    result = done(best, "-", "--block", "5", stdin=stdin)
    rows = lines(result.stdout)
    assert [row["n"] for row in rows] == list(range(len(TEXTS)))
    assert [row["prediction"] for row in rows] == predictor.predict(TEXTS).labels
    assert rows[0]["unparsed"] is False
    assert "accuracy" not in result.stderr


def test_standard_input_is_not_read_ahead(
    best: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from promptlab.batch import input
    from promptlab.cli.predict import predict

    printed: list[int] = []

    class Pipe:
        def __iter__(self) -> Iterator[bytes]:
            for number in range(6):
                printed.append(len(capsys.readouterr().out.splitlines()))
                yield json.dumps({"text": f"line {number}"}).encode() + b"\n"

    monkeypatch.setattr(input.sys, "stdin", type("Stdin", (), {"buffer": Pipe()}))
    predict(best, "-", block=2, dtype="float32", device="auto", max_chars=1000)
    assert printed == [0, 0, 2, 0, 2, 0]


def test_format_follows_the_ending_or_the_option(best: Path, reviews: Path, tmp_path: Path) -> None:
    assert done(best, reviews).stdout.startswith("id,text,label,prediction,unparsed,score_")
    out = tmp_path / "out.jsonl"
    done(best, reviews, "--out", out)
    assert lines(out.read_text())[0]["id"] == "r0"
    done(best, reviews, "--out", tmp_path / "out.txt", "--format", "csv")
    assert read_csv(tmp_path / "out.txt")[0]["id"] == "r0"
    assert ".csv or .jsonl" in refused(best, reviews, "--out", tmp_path / "out.xlsx")
    assert "csv or jsonl" in refused(best, reviews, "--format", "xml")


def test_json_is_one_document(best: Path, reviews: Path, tmp_path: Path) -> None:
    whole = json.loads(done(best, reviews, "--json").stdout)
    assert len(whole["predictions"]) == whole["rows"] == len(TEXTS)
    assert whole["predictions"][0]["prediction"] in ("negative", "positive")
    out = tmp_path / "out.csv"
    summary = json.loads(done(best, reviews, "--json", "--out", out).stdout)
    assert "predictions" not in summary
    assert summary["file"] == str(out)
    assert len(read_csv(out)) == summary["rows"]


def test_parquet_values_come_out_as_they_are(best: Path, tmp_path: Path) -> None:
    import datetime

    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / "reviews.parquet"
    table = pa.table(
        {
            "text": TEXTS[:2],
            "day": [datetime.date(2026, 1, 2), None],
            "share": [0.5, float("nan")],
            "tags": [["a", "b"], []],
        }
    )
    pyarrow.parquet.write_table(table, path)
    rows = lines(done(best, path).stdout)
    assert [(r["day"], r["share"], r["tags"]) for r in rows] == [
        ("2026-01-02", 0.5, ["a", "b"]),
        (None, None, []),
    ]


def test_cells_that_spreadsheets_would_execute_stay_data(best: Path, tmp_path: Path) -> None:
    texts = [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+a",
        "-b",
        "@c",
        "a,b\nc",
        "a\rb",
        "a\r\nb",
        'say "x"',
        "\t=1",
    ]
    path, out = tmp_path / "in.jsonl", tmp_path / "out.csv"
    path.write_text("\n".join(json.dumps({"text": text, "note": text}) for text in texts))
    done(best, path, "--out", out)
    assert [row["note"] for row in read_csv(out)] == texts


def test_another_column_and_label_may_be_named(best: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("story,other,truth\na film,b,positive\na plot,c,\n")
    told = done(best, path, "--column", "text=story", "--label", "truth").stderr
    assert "on 1 rows with a label in the column 'truth'" in told
    assert "--column text=COLUMN" in refused(best, path)


def test_unknown_labels_give_no_accuracy(best: Path, reviews: Path) -> None:
    reviews.write_text(reviews.read_text().replace("positive", "1"))
    told = done(best, reviews).stderr
    assert "no accuracy: the column 'label' holds '1'" in told
    summary = json.loads(done(best, reviews, "--json").stdout)
    assert summary["accuracy"] is None
    assert summary["unknown_labels"] == ["1"]


def test_a_generator_tells_unparsed_replies(
    model: LanguageModel, tmp_path: Path, reviews: Path
) -> None:
    parser = parser_from_settings({"type": "regex", "pattern": "(never so)"})
    folder = PromptGenerator(Template("{text} It was {mask}"), parser, model).save(tmp_path / "gen")
    result = done(folder, reviews, "--format", "jsonl")
    rows = lines(result.stdout)
    assert {row["prediction"] for row in rows} == {None}
    assert all(row["unparsed"] for row in rows)
    assert not any(name.startswith("score_") for row in rows for name in row)
    assert "24 unparsed" in result.stderr
    out = tmp_path / "out.csv"
    done(folder, reviews, "--out", out)
    assert {(row["prediction"], row["unparsed"]) for row in read_csv(out)} == {("", "true")}


def test_generated_text_with_line_ends_is_one_cell(
    model: LanguageModel, tmp_path: Path, reviews: Path
) -> None:
    folder = PromptGenerator(Template("{text} It was {mask}"), TextParser(), model).save(
        tmp_path / "gen"
    )
    out = tmp_path / "out.csv"
    done(folder, reviews, "--out", out)
    assert len(read_csv(out)) == len(TEXTS)


def test_a_template_without_fields_is_predicted_too(
    model: LanguageModel, tmp_path: Path, reviews: Path
) -> None:
    made = PromptClassifier("It was {mask}", {"negative": "bad", "positive": "good"}, model)
    rows = lines(done(made.save(tmp_path / "p"), reviews, "--format", "jsonl").stdout)
    assert len({row["prediction"] for row in rows}) == 1


def test_a_folder_without_predictor_is_told(tmp_path: Path, reviews: Path) -> None:
    assert "no predictor.json" in refused(tmp_path, reviews)


def test_another_model_can_be_given(
    best: Path, reviews: Path, tiny_gpt2: Pair, folder_of: Callable[..., Path]
) -> None:
    folder = folder_of(tiny_gpt2)
    summary = json.loads(done(best, reviews, "--json", "--model", folder).stdout)
    assert summary["model"] == str(folder)


def test_steps_are_drawn_and_votes_on_open_answers_are_no_columns(
    model: LanguageModel, reviews: Path, tmp_path: Path
) -> None:
    warm = Decoding(max_tokens=4, temperature=1.0)
    inner = PromptGenerator("{text} It was {mask}", TextParser(), model, decoding=warm)
    folder = SelfConsistency(inner, samples=2).save(tmp_path / "votes")
    out = tmp_path / "out.csv"
    drawn = done(folder, reviews, "--trace", "--out", out).stderr
    assert set(read_csv(out)[0]) == {"id", "text", "label", "prediction", "unparsed"}
    assert drawn.count("├─ sample  (number=0") == len(TEXTS)
    assert drawn.count("answer  (label=") == 2 * len(TEXTS)


def test_cells_are_made_safe_for_spreadsheets_when_asked(best: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("text,note\n=1+1,-1\n")
    told = done(best, path, "--out", out, "--spreadsheet-safe").stderr
    assert [(row["text"], row["note"]) for row in read_csv(out)] == [("'=1+1", "-1")]
    assert "1 cells got an apostrophe" in told


def test_texts_instead_of_a_file(best: Path) -> None:
    texts = ["a gorgeous, witty film .", "dull"]
    options = [part for text in texts for part in ("--text", text)]
    shown = done(best, *options).stdout.splitlines()
    assert shown[0].split() == ["text", "prediction", "negative", "positive"]
    assert all(line.startswith(text) for line, text in zip(shown[1:], texts, strict=True))
    rows = json.loads(done(best, *options, "--json").stdout)["predictions"]
    assert [row["text"] for row in rows] == texts
    lines = done(best, *options, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == [r["prediction"] for r in rows]


def test_a_file_or_texts(best: Path, reviews: Path) -> None:
    assert "not both" in refused(best, reviews, "--text", "good")
    assert "give a file to predict" in refused(best)


def test_columns_are_looked_at_before_the_model(best: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(best, folder)
    document = json.loads((folder / "predictor.json").read_text())
    document["model"]["name"] = str(tmp_path / "no-model")
    (folder / "predictor.json").write_text(json.dumps(document))
    path = tmp_path / "other.csv"
    path.write_text("colour,height\nx,y\n")
    assert "'text'" in refused(folder, path)
    assert "no-model" in refused(folder, "--text", "good")
