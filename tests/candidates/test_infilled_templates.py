"""The kind *infilled_templates*: its candidates, a study that holds it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.candidates.base import find_kind
from promptlab.candidates.infilled_templates import (
    InfilledTemplatesKind,
    InfilledTemplatesSettings,
)
from promptlab.errors import CapabilityError, StudyError, VerbalizerError
from promptlab.events import Event, Events, Phase
from promptlab.models.local import LocalModel
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from promptlab.tuning.infilling import infill
from promptlab.tuning.infilling.fillers import HoleTexts, SentinelFiller
from tests.helpers.study_fixtures import write_reviews

OWN = {"negative": ["terrible", "bad"], "positive": "great"}
FOUND = (
    HoleTexts(" It was ", ".", -4.0),
    HoleTexts(" A great one: ", "", -5.0),
    HoleTexts(" All in all, ", "!", -6.0),
)


class Scripted(SentinelFiller):
    """Fills in what a test says, and keeps what it was asked."""

    texts = FOUND

    def __init__(self) -> None:
        self.sides: list[Any] = []

    def fill(self, sides: Any, size: Any, on_step: Any) -> list[HoleTexts]:
        self.sides += sides
        on_step("infilling: 1 of 1 tokens")
        return list(self.texts)


@pytest.fixture
def filler(monkeypatch: pytest.MonkeyPatch, seq2seq: LocalModel) -> Scripted:
    found = Scripted()
    monkeypatch.setattr(infill, "find_filler", lambda model: found)
    monkeypatch.setattr("promptlab.candidates.infilled_templates.load_model", lambda name: seq2seq)
    monkeypatch.setattr("promptlab.candidates.infilled_templates.note_model", lambda *given: None)
    return found


def group(**changes: Any) -> dict[str, Any]:
    return {"kind": "infilled_templates", "answers": OWN, "filler": "t5"} | changes


def test_it_is_a_kind_by_its_name() -> None:
    assert find_kind("infilled_templates") is InfilledTemplatesKind


def test_a_study_judges_what_was_filled_in(
    tmp_path: Path, filler: Scripted, masked: LocalModel
) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    document = {
        "study": "infilled",
        "task": {"data": str(data), "train": 20, "dev": 30, "test": 40},
        "candidates": [group(per_label=3, calibration=["none", "contextual"])],
        "budget": {"trials": 10},
    }
    spec = load_spec(document, source="a test")
    assert isinstance(spec, StudySpec)
    heard: list[Event] = []
    board = StudyRun(spec, out=tmp_path, model=masked, events=Events(heard.append)).run()
    rows = {row["candidate"]["template"]["text"]: row for row in board["trials"]}
    assert set(rows) == {"{text} It was {mask}.", "{text} All in all, {mask}!"}
    assert len(board["trials"]) == 4 and all(row["state"] == "complete" for row in board["trials"])
    assert rows["{text} It was {mask}."]["candidate"]["infilled"] == {
        "score": -4.0,
        "shape": "after",
    }
    assert {side.answer for side in filler.sides} == {"terrible", "great"}  # the first of each
    told = [event.name for event in heard if isinstance(event, Phase)]
    assert "infilling: 1 of 1 tokens" in told and "1 dropped: it holds an answer" in told


def test_what_gives_no_template_is_refused(
    tmp_path: Path, filler: Scripted, masked: LocalModel
) -> None:
    filler.texts = FOUND[1:2]
    task = pl.load_task(str(write_reviews(tmp_path / "reviews.csv")), train=20, dev=30, test=40)
    kind = InfilledTemplatesKind(InfilledTemplatesSettings.model_validate(group()), task)
    with pytest.raises(StudyError, match=r"t5 fills in no template.*1 dropped: it holds an answer"):
        kind.check(masked)


def test_answers_and_fillers_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = pl.load_task(str(write_reviews(tmp_path / "reviews.csv")), train=20, dev=30, test=40)
    with pytest.raises(VerbalizerError):
        InfilledTemplatesKind(
            InfilledTemplatesSettings.model_validate(group(answers={"x": "a", "y": "b"})), task
        )
    with pytest.raises(ValueError, match="beams"):
        InfilledTemplatesSettings.model_validate(group(beams=0))


def test_a_filler_that_fills_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masked: LocalModel
) -> None:
    task = pl.load_task(str(write_reviews(tmp_path / "reviews.csv")), train=20, dev=30, test=40)
    place = "promptlab.candidates.infilled_templates"
    monkeypatch.setattr(f"{place}.load_model", lambda name: masked)
    monkeypatch.setattr(f"{place}.note_model", lambda *given: None)
    kind = InfilledTemplatesKind(InfilledTemplatesSettings.model_validate(group()), task)
    with pytest.raises(CapabilityError, match="fills no holes"):
        kind.check(masked)
