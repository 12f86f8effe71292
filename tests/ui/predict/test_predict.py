"""The tab Predict without a browser: saved prompts, uploads, results, and the documented API."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.saved_predictor_fixtures import HOSTILE, save_model, save_prompt
from tests.helpers.tiny_models import Pair

pytest.importorskip("gradio")

from gradio_client import handle_file
from gradio_client.exceptions import AppError

import promptlab as pl
from promptlab.ui.app import serve
from promptlab.ui.context import KEPT_SECONDS, AppContext
from promptlab.ui.predict import batch, endpoints, file_section, saved_predictors, text_section
from promptlab.ui.server.cleanup import remove_old_files
from tests.helpers.api_client import ApiClient
from tests.helpers.browser import free_port

TEXTS = ["a great film", "=1+1", "<b>dull</b>", "the plot was loud"]


@pytest.fixture(scope="module")
def context(tiny_causal: Pair, tmp_path_factory: pytest.TempPathFactory) -> AppContext:
    folder = tmp_path_factory.mktemp("saved")
    name = str(save_model(tiny_causal, folder / "model"))
    model = pl.load_model(name)
    runs = folder / "runs"
    save_prompt(runs, "tiny", model)
    save_prompt(runs, "pair", model, "{premise} ? {mask} , {hypothesis}")
    stranger = save_prompt(runs, "elsewhere", model) / "predictor.json"
    document = json.loads(stranger.read_text())
    document["model"]["name"] = "a-large-model"
    stranger.write_text(json.dumps(document))
    (runs / "begun").mkdir()
    (runs / "begun" / "study.yaml").write_text("study: begun\n")
    return AppContext((name,), runs)


@pytest.fixture(scope="module")
def client(context: AppContext) -> Iterator[ApiClient]:
    app = serve(port=free_port(), models=list(context.models), runs=context.runs, block=False)
    try:
        yield ApiClient(app.local_url)
    finally:
        app.close(verbose=False)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "sentiment"])
        writer.writerows(zip(TEXTS, ["positive", "negative", "negative", ""], strict=True))
    return path


def read_csv(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_saved_prompts_say_what_they_are(context: AppContext) -> None:
    assert sorted(saved_predictors.saved_predictors(context.runs)) == ["elsewhere", "pair", "tiny"]
    told = saved_predictors.describe_saved(context, "tiny")
    assert (told["kind"], told["template"]) == ("template", "{text} It was {mask}")
    assert told["answers"] == {"negative": ["bad"], "positive": ["good"]}
    assert told["on_offer"] and told["dev"]["accuracy"] == 0.75
    drawn = str(
        saved_predictors.saved_predictor_html(told | {"template": HOSTILE, "kind": HOSTILE})
    )
    assert "<script" not in drawn and "<img" not in drawn and "50.0\u00a0% to 90.0" in drawn
    assert "not on offer" in saved_predictors.saved_predictor_html(
        saved_predictors.describe_saved(context, "elsewhere")
    )


def test_a_prompt_whose_model_is_not_there_names_it(context: AppContext) -> None:
    with pytest.raises(pl.InputError, match="promptlab ui --model a-large-model"):
        saved_predictors.open_saved(context, "elsewhere")
    for name, words in (
        ("begun", "no winner yet"),
        ("..", "no study"),
        ("../runs/tiny", "no study"),
        ("/etc", "no study"),
    ):
        with pytest.raises(pl.InputError, match=words):
            saved_predictors.open_saved(context, name)


def test_an_upload_is_looked_at(context: AppContext, reviews: Path) -> None:
    found = batch.match_upload(str(reviews), ("text",))
    assert found.fields == {"text": "review"} and found.label == "sentiment"
    assert found.count == len(TEXTS)
    values = file_section._looked(context, "tiny", str(reviews))
    assert "<b>dull" not in values[-1] and "&lt;b&gt;dull" in values[-1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "reviews.csv is empty"),
        (b"text,label\n", "holds no rows"),
        (b"text,label\na,b,c\n", "reviews.csv, line 2: 3 values for 2 columns"),
        (b"text\na\nb\xff\n", "reviews.csv, line 3, byte 2 of the line: 0xFF is not UTF-8"),
        (b"text\na\0b\n", "zero byte"),
        (b"\x89PNG\r\n\x1a\n", "0x89 is not UTF-8"),
        (b"text,text\na,b\n", "stands more than once"),
        (b"text\n" + b"a\n" * (batch.MOST_ROWS + 1), "50,001 rows, and this page takes 50,000"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    context: AppContext, reviews: Path, content: bytes, words: str
) -> None:
    reviews.write_bytes(content)
    told = str(file_section._looked(context, "tiny", str(reviews))[-1])
    assert words in told
    assert str(reviews.parent) not in told


def test_a_file_is_predicted_with_its_accuracy(context: AppContext, reviews: Path) -> None:
    *going, last = batch.predict_upload(context, "tiny", str(reviews), {}, None)
    assert [outcome.rows for outcome in going] == [4] and not going[0].done
    assert last.done and last.summary["n"] == 3 and last.summary["confusion"]
    rows = read_csv(last.files["csv"])
    assert [row["review"] for row in rows] == ["a great film", "'=1+1", *TEXTS[2:]]
    lines = [json.loads(line) for line in last.files["jsonl"].read_text().splitlines()]
    assert [row["review"] for row in lines] == TEXTS
    assert last.made_text == 1
    drawn = "".join(map(str, file_section._finished(last)))
    assert "95 % interval" in drawn and "1 cells begin like a formula" in drawn
    assert "<b>dull" not in drawn and "Confusion" in drawn


def test_what_is_finished_is_kept_when_cancelled(
    context: AppContext, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", 1)
    flag = pl.Cancellation()
    seen = []
    for outcome in batch.predict_upload(context, "tiny", str(reviews), {}, "", flag):
        seen.append(outcome)
        if outcome.rows == 2:
            flag.request()
    assert seen[-1].done and seen[-1].summary["cancelled"] and seen[-1].rows == 2
    assert len(read_csv(seen[-1].files["csv"])) == 2
    assert "the finished rows are kept" in str(file_section._finished(seen[-1])[0])


def test_columns_that_names_do_not_tell_are_asked_for(context: AppContext, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("premise,b,c\nx,y,z\n")
    values = file_section._looked(context, "pair", str(path))
    assert "Choose the column for hypothesis" in values[-1]
    outcomes = list(batch.predict_upload(context, "pair", str(path), {"hypothesis": "b"}, ""))
    assert outcomes[-1].done
    with pytest.raises(pl.InputError, match="no column 'hypothesis'"):
        list(batch.predict_upload(context, "pair", str(path), {}, ""))
    taken = tmp_path / "taken.csv"
    taken.write_text("text,prediction\na,b\n")
    with pytest.raises(pl.InputError, match=r"taken\.csv already has a column 'prediction'"):
        list(batch.predict_upload(context, "tiny", str(taken), {}, ""))


def test_one_text_is_predicted(context: AppContext) -> None:
    predictor = saved_predictors.open_saved(context, "tiny")
    found, prompt, _ = text_section.predict_text(predictor, {"text": HOSTILE})
    assert found.label in ("negative", "positive") and prompt.startswith("<script>")
    assert "<script" not in text_section.text_result_html(found, prompt)
    for given, words in (({"text": " "}, "type a text"), ({"text": "x" * 60_000}, "at most")):
        with pytest.raises(pl.InputError, match=words):
            text_section.predict_text(predictor, given)


def test_downloads_of_long_ago_are_removed(context: AppContext) -> None:
    import os

    old = context.download_path("../../old.csv")
    assert old.name == "old.csv" and old.is_relative_to(context.files)
    past = old.parent.stat().st_mtime - KEPT_SECONDS - 60
    os.utime(old.parent, (past, past))
    new = context.download_path("new.csv")
    remove_old_files(context.files, context.files / "uploads")
    assert new.parent.is_dir() and not old.parent.exists()


def test_rows_are_predicted_over_the_api(client: ApiClient, context: AppContext) -> None:
    listed = client.predict(api_name="/saved_prompts")
    assert {row["study"] for row in listed} == {"tiny", "pair", "elsewhere"}
    rows = [{"text": words, "n": number} for number, words in enumerate(TEXTS)]
    found = client.predict("tiny", rows, api_name="/predict")
    expected = saved_predictors.open_saved(context, "tiny").predict(TEXTS)
    assert [row["prediction"] for row in found] == expected.labels
    assert all(sum(row["probabilities"].values()) == pytest.approx(1) for row in found)
    for study, given, words in (
        ("tiny", [{"a": "x", "b": "y"}], "no column 'text'"),
        ("tiny", [], "no rows"),
        ("tiny", {"text": "x"}, "rows: Input should be a valid list"),
        ("tiny", [{"text": "x"}] * 1001, "at most 1,000"),
        ("../tiny", [{"text": "x"}], "no study named"),
        ("elsewhere", [{"text": "x"}], "not on offer"),
    ):
        with pytest.raises(AppError, match=words):
            client.predict(study, given, api_name="/predict")


def test_a_file_is_predicted_over_the_api(client: ApiClient, reviews: Path) -> None:
    given = handle_file(str(reviews))
    made = client.predict("tiny", given, api_name="/predict_file")
    assert made.endswith("reviews-predicted.csv")
    assert [row["review"] for row in read_csv(made)] == ["a great film", "'=1+1", *TEXTS[2:]]
    made = client.predict("tiny", given, "text = review", "", "jsonl", api_name="/predict_file")
    assert made.endswith(".jsonl")
    with pytest.raises(AppError, match="has no column 'nothing'"):
        client.predict("tiny", given, "text = nothing", api_name="/predict_file")


def test_the_api_answers_as_json(context: AppContext) -> None:
    found: list[dict[str, Any]] = endpoints.predict_rows(context, "tiny", [{"text": "a film"}])
    assert json.loads(json.dumps(found)) == found
    assert set(found[0]) == {"prediction", "unparsed", "probabilities", "error"}
