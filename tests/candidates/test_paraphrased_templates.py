"""The kind *paraphrased_templates*: wordings in a study, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.candidates.base import find_kind
from promptlab.candidates.paraphrased_templates import (
    ParaphrasedTemplatesKind,
    ParaphrasedTemplatesSettings,
)
from promptlab.errors import StudyError
from promptlab.events import Event, Events, Phase
from promptlab.models.local import LocalModel
from promptlab.study.estimate.estimate import estimate_study
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import write_reviews

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATE = {"name": "was", "text": "{text} It was {mask}.", "answers": OWN}
REPLIES = ("[0] All in all, it was [1].", "[0] In short: [1].", "It was [1].")


def model() -> ScriptedModel:
    return ScriptedModel(
        lambda prompt, sample: REPLIES[sample % 3],
        lambda prompt, answer: -1.0 if answer in prompt else -2.0 - len(answer) / 10,
    )


def made(task: Any, **changes: Any) -> ParaphrasedTemplatesKind:
    given = {"kind": "paraphrased_templates", "templates": [TEMPLATE], "samples": 3} | changes
    return ParaphrasedTemplatesKind(ParaphrasedTemplatesSettings.model_validate(given), task)


def test_a_study_judges_the_wordings(tmp_path: Path) -> None:
    assert find_kind("paraphrased_templates") is ParaphrasedTemplatesKind
    document = {
        "study": "wordings",
        "task": {
            "data": str(write_reviews(tmp_path / "r.csv")),
            "train": 20,
            "dev": 30,
            "test": 40,
        },
        "candidates": [
            {"kind": "template", "templates": [TEMPLATE]},
            {"kind": "paraphrased_templates", "templates": [TEMPLATE], "samples": 3},
        ],
        "baseline": "template",
        "budget": {"trials": 9},
    }
    spec = load_spec(document, source="a test")
    assert isinstance(spec, StudySpec)
    heard: list[Event] = []
    board = StudyRun(spec, out=tmp_path, model=model(), events=Events(heard.append)).run()
    rows = {
        row["candidate"]["template"]["text"]: row["candidate"]["paraphrased"]
        for row in board["trials"]
        if row["kind"] == "paraphrased_templates"
    }
    assert set(rows) == {"{text} All in all, it was {mask}.", "{text} In short: {mask}."}
    assert all(one["of"] == "was" and one["by"] == "rewriting" for one in rows.values())
    told = [event.name for event in heard if isinstance(event, Phase)]
    assert "1 dropped: it lost or repeated a field or the slot" in told


def test_what_cannot_be(tmp_path: Path) -> None:
    task = pl.load_task(str(write_reviews(tmp_path / "r.csv")), train=20, dev=30, test=40)
    with pytest.raises(ValueError, match="forward and backward go together"):
        made(task, forward="x")
    with pytest.raises(StudyError, match="has no answers"):
        made(task, templates=["{text} It was {mask}."])
    none = ScriptedModel(lambda prompt, sample: "No.")
    with pytest.raises(StudyError, match=r"no wording is of use.*3 dropped: it lost or repeated"):
        made(task).check(none)


def test_an_estimate_asks_nobody(tmp_path: Path, masked: LocalModel) -> None:
    """Neither the writer, which no file names, nor the filler: their prompts are stood in for."""
    data = str(write_reviews(tmp_path / "r.csv"))
    document = {
        "study": "wordings",
        "task": {"data": data, "train": 20, "dev": 30, "test": 40},
        "candidates": [
            {"kind": "paraphrased_templates", "templates": [TEMPLATE], "writer": "no-such-writer",
             "top": 4},
            {"kind": "infilled_templates", "answers": OWN, "filler": "no-such-filler", "top": 3},
        ],
        "budget": {"trials": 9},
    }  # fmt: skip
    spec = load_spec(document, source="a test")
    found = estimate_study(spec, masked)
    assert found.candidates == 7 and found.trials == 7
