"""Batch prediction as a person does it: a saved prompt, a file, progress, the download."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.saved_predictor_fixtures import HOSTILE, save_prompt

pytest.importorskip("gradio")

import promptlab as pl

pytestmark = pytest.mark.default_model

ANSWERS = {"negative": ["terrible"], "positive": ["great"]}
ROWS = [
    ("a gorgeous, witty, seductive movie .", "positive"),
    ("a dull, lifeless and unbearable film .", "negative"),
    ('=HYPERLINK("http://evil.example","x") dreadful', "negative"),
    (f"{HOSTILE} ${{window.hit=1}} {{{{7*7}}}} wonderful", "positive"),
]


def test_a_file_is_uploaded_predicted_and_downloaded(
    page: Any, workbench: tuple[str, Path], tmp_path: Path
) -> None:
    name = "saved-for-predicting"
    if not (workbench[1] / name).exists():
        model = pl.load_model("smollm2-135m")
        save_prompt(workbench[1], name, model, "{text} It was {mask}.", ANSWERS)
    source = tmp_path / "reviews <img src=zz>.csv"
    with source.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "sentiment", HOSTILE])
        writer.writerows((*row, HOSTILE) for row in ROWS)

    page.get_by_role("tab", name="Predict").first.click()
    page.wait_for_selector(".pl-predict-card")
    page.get_by_label("Saved prompt").click()
    page.get_by_role("option", name=name).click()
    page.locator("#predict-file input[type=file]").set_input_files(str(source))
    page.wait_for_selector("#predict-result .pl-predict-rows")
    assert page.get_by_label("Column for the field text").input_value() == "review"
    assert page.get_by_label("Column with true labels").input_value() == "sentiment"

    page.get_by_role("button", name="Start", exact=True).locator("visible=true").click()
    page.wait_for_selector("#predict-csv >> visible=true")
    told = page.locator("#predict-result").inner_text()
    assert "Accuracy" in told and "Confusion" in told and "begin like a formula" in told
    assert "{{7*7}}" in told and "<script>" in told
    assert page.locator("#predict-result script, img[src=zz], img[src=x]").count() == 0
    assert page.evaluate("window.hit") is None

    with page.expect_download() as download:
        page.locator("#predict-csv").click()
    download.value.save_as(tmp_path / "made.csv")
    with (tmp_path / "made.csv").open(newline="") as stream:
        made = list(csv.DictReader(stream))
    assert len(made) == len(ROWS) and made[0]["prediction"] == "positive"
    assert made[2]["review"].startswith("'=HYPERLINK")

    page.get_by_role("tab", name="One text").click()
    page.get_by_label("text", exact=True).locator("visible=true").fill(HOSTILE)
    page.get_by_role("button", name="Predict", exact=True).locator("visible=true").click()
    page.wait_for_selector("#predict-typed .pl-card")
    assert page.locator("#predict-typed script, img[src=x]").count() == 0
