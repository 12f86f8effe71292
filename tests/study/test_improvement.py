"""Improving a prompt: what is given, what is announced, and when the new one is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.errors import InputError, StudyError
from promptlab.events import Event, Events, TrialFinished, Warned
from promptlab.models.local import LocalModel
from promptlab.study.decision.power import examples_needed
from promptlab.study.improvement import (
    GivenPrompt,
    optimize_prompt,
    read_improvement,
    read_prompt,
)
from tests.helpers.study_fixtures import write_reviews

TEXT = "{text} It was {mask}."
OWN = {"negative": "terrible", "positive": "great"}


def board(difference: float, p_value: float, kind: str = "instruction_search") -> dict[str, Any]:
    row = {
        "baseline": "given", "why": "the best of the group 'template'", "difference": difference,
        "p_value": p_value, "ci95": [difference - 0.1, difference + 0.1], "n": 100,
    }  # fmt: skip
    return {
        "best": {"kind": kind, "candidate": {}, "prompt": "New. x", "test": {"n": 100}},
        "comparisons": [{"baseline": "majority", "p_value": 0.0}, row],
        "tokens": 5,
        "maximise": True,
    }


@pytest.mark.parametrize(
    ("difference", "p_value", "is_better"),
    [(0.1, 0.01, True), (0.1, 0.06, False), (-0.1, 0.01, False), (0.0, 1.0, False)],
)
def test_only_a_gain_that_test_shows_is_one(
    difference: float, p_value: float, is_better: bool
) -> None:
    found = read_improvement(board(difference, p_value), GivenPrompt("x", "Old."), "runs/x")
    assert found.is_better is is_better
    assert found.prompt == ("New. x" if is_better else "Old.")
    assert ("Keep what you have" in found.sentence) is not is_better


def test_how_many_examples_would_show_a_difference_is_told() -> None:
    document = board(0.1, 0.06)
    document["comparisons"][1]["n_discordant"] = 30
    found = read_improvement(document, GivenPrompt("x", "Old."), "runs/x")
    needed = examples_needed(0.1, 0.3)
    assert found.sentence.endswith(f"about {needed} test examples would show it.")
    assert (
        "would show"
        not in read_improvement(board(-0.1, 0.06), GivenPrompt("x", "Old."), "runs/x").sentence
    )


def test_what_was_given_may_be_best_on_dev() -> None:
    """Then it is compared with the best one written: a gain over that is none over itself."""
    for document in (
        board(0.2, 0.001, "template"),
        board(0.0, 1.0, "template") | {"comparisons": []},
    ):
        found = read_improvement(document, GivenPrompt("x", "Old."), "runs/x")
        assert not found.is_better
        assert found.prompt == found.after == "Old." and "keep what you have" in found.sentence
    with pytest.raises(StudyError, match="compares its winner with no prompt"):
        read_improvement(board(0.0, 1.0) | {"comparisons": []}, GivenPrompt("x", "Old."), "runs/x")


def test_prompts_of_three_kinds(tmp_path: Path, masked: LocalModel) -> None:
    assert read_prompt("sentiment/it-was").entry == "sentiment/it-was"
    written = read_prompt(TEXT, OWN)
    assert written.entry == {"name": "given", "text": TEXT, "answers": OWN}
    saved = pl.PromptClassifier(TEXT, OWN, masked, calibration="pmi").save(tmp_path / "saved")
    found = read_prompt(saved)
    assert isinstance(found.entry, dict) and found.entry["text"] == TEXT
    assert (found.model, found.calibration) == (masked.name, "pmi")


def test_prompts_that_cannot_be_improved(tmp_path: Path, masked: LocalModel) -> None:
    with pytest.raises(InputError, match="needs the answers"):
        read_prompt(TEXT)
    with pytest.raises(InputError):
        read_prompt("sentiment/no-such-template")
    one = pl.PromptClassifier(TEXT, OWN, masked)
    folder = pl.Ensemble([one, pl.PromptClassifier("A {mask} one: {text}", OWN, masked)])
    with pytest.raises(InputError, match="no template of its own"):
        read_prompt(folder.save(tmp_path / "both"))


def test_a_search_from_beginning_to_end(tmp_path: Path, causal: LocalModel) -> None:
    heard: list[Event] = []
    data = write_reviews(tmp_path / "reviews.csv")
    options: dict[str, Any] = {
        "answers": OWN, "model": causal, "proposals": 4, "dev": 30, "out": tmp_path / "runs",
    }  # fmt: skip
    found = optimize_prompt(TEXT, data, events=Events(heard.append), **options)
    told = next(event for event in heard if isinstance(event, Warned))
    assert told.message.startswith("4 instructions will be written")
    names = [event.name for event in heard if isinstance(event, TrialFinished)]
    assert len(names) == len(set(names)) == 5  # what was given is judged once
    assert found.before == TEXT and found.tokens > 0
    assert found.prompt in (found.before, found.after)
    assert Path(found.folder).name == "improve-reviews"
    assert (Path(found.folder) / "report.html").is_file()
    again = optimize_prompt(TEXT, data, **options)  # a decided one is read
    assert again == found
    written = yaml.safe_load((Path(found.folder) / "study.yaml").read_text())
    assert written["baseline"] == "template" and written["pruner"] == "sequential"


def test_the_command_refuses_what_cannot_be(tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    result = CliRunner().invoke(app, ["improve", TEXT, str(data)])
    assert result.exit_code != 0 and "needs the answers" in str(result.exception)
    shown = CliRunner().invoke(app, ["improve", "--help"])
    assert shown.exit_code == 0 and "--writer" in shown.output
