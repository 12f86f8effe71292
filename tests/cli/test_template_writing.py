"""``promptlab template infill`` and ``paraphrase``: tables, JSON, files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from promptlab.cli.app import app
from promptlab.errors import CapabilityError, DataError, InputError
from promptlab.models import pool
from promptlab.models.local import LocalModel
from promptlab.tuning.infilling import infill
from tests.candidates.test_infilled_templates import Scripted
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import write_reviews

RUN = CliRunner()
ANSWERS = ["--answer", "negative=terrible", "--answer", "positive=great"]


def test_infilled_templates_as_json_and_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seq2seq: LocalModel
) -> None:
    monkeypatch.setattr(infill, "find_filler", lambda model: Scripted())
    monkeypatch.setattr(pool, "load_model", lambda name: seq2seq)
    data, out = write_reviews(tmp_path / "reviews.csv"), tmp_path / "found.yaml"
    asked = ["template", "infill", str(data), "--model", "t5", *ANSWERS, "--out", str(out)]
    shown = RUN.invoke(app, [*asked, "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert [one["text"] for one in found["templates"]] == [
        "{text} It was {mask}.", "{text} All in all, {mask}!"
    ]  # fmt: skip
    assert found["dropped"] == {"it holds an answer": 1} and found["file"] == str(out)
    document = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert document["task"] == "found" and len(document["templates"]) == 2
    checked = RUN.invoke(app, ["template", "check", str(out)])
    assert checked.exit_code == 0, checked.output
    again = RUN.invoke(app, asked)  # the file is there
    assert isinstance(again.exception, DataError)


def test_a_model_that_fills_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masked: LocalModel
) -> None:
    monkeypatch.setattr(pool, "load_model", lambda name: masked)
    data = write_reviews(tmp_path / "reviews.csv")
    shown = RUN.invoke(app, ["template", "infill", str(data), "--model", "bert", *ANSWERS])
    assert isinstance(shown.exception, CapabilityError)


def test_wordings_as_a_table_and_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ScriptedModel(lambda prompt, sample: ["[0] All in all [1].", "No."][sample % 2])
    monkeypatch.setattr(pool, "load_model", lambda name="": model)
    asked = ["template", "paraphrase", "sentiment/it-was", "--samples", "2"]
    shown = RUN.invoke(app, [*asked, "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert [one["text"] for one in found["paraphrases"]] == ["{text} All in all {mask}."]
    assert found["dropped"] == {"it lost or repeated a field or the slot": 1}
    table = RUN.invoke(app, asked)
    assert "{text} All in all {mask}." in table.stdout


def test_half_a_pair_of_translators() -> None:
    shown = RUN.invoke(app, ["template", "paraphrase", "sentiment/it-was", "--forward", "x"])
    assert isinstance(shown.exception, InputError) and "--backward" in str(shown.exception)
