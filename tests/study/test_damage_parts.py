"""Damage to what a study keeps for learners and members: told and made again, or the file named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from promptlab.candidates.member_pool import MemberPool
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import DataError, PromptlabError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.files.checksums import find_difference
from promptlab.files.file_hash import file_hash
from promptlab.predictors.candidate import Candidate
from promptlab.study.decision.regression import read_regression_suite
from promptlab.study.folder.step_log import read_steps
from promptlab.tuning.fit_context import CompletedTrial
from promptlab.tuning.trainer_state import load_checkpoint, save_checkpoint
from promptlab.tuning.triggers.state import AcceptedTrigger, SearchState
from tests.helpers import damaged_studies

EVERY = (*damaged_studies.WHOLE, *damaged_studies.LINES)


def _examples(split: str) -> tuple[Example, ...]:
    labels = ("bad", "good")
    return tuple(Example(f"{split}{n}", {"text": f"{split} {n}"}, labels[n % 2]) for n in range(6))


TASK = Task(
    "films", _examples("train"), _examples("dev"), _examples("test"), labels=("bad", "good")
)


@pytest.mark.parametrize("harm", damaged_studies.WHOLE)
def test_a_checkpoint(harm: damaged_studies.Damage, tmp_path: Path) -> None:
    """One that is not as it was written is none: the training begins anew."""
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"weights": torch.arange(12.0)}, {"step": 3})
    before = path.read_bytes()
    harm(path)
    is_same = path.is_file() and path.read_bytes() == before
    assert (load_checkpoint(path) is not None) == is_same


@pytest.mark.parametrize("harm", damaged_studies.WHOLE)
def test_the_state_of_a_trigger_search(harm: damaged_studies.Damage, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    state = SearchState(4, (1, 2), AcceptedTrigger(3, (1, 7), "a b", 0.5, 0.75), ((3, (1, 7)),))
    state.save(path)
    assert SearchState.load(path) == state
    harm(path)
    with pytest.raises(PromptlabError, match=r"a\.json"):
        SearchState.load(path)


def test_a_state_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    state = SearchState(4, (1, 2), AcceptedTrigger(3, (1, 7), "a b", 0.5, 0.75))
    (tmp_path / "a.json").write_text(json.dumps(state.record()))
    assert SearchState.load(tmp_path / "a.json") == state


@pytest.mark.parametrize("harm", EVERY)
def test_steps(harm: damaged_studies.Damage, tmp_path: Path) -> None:
    """They tell how learning went, and decide nothing: lines that can be read are shown."""
    path = tmp_path / "0.jsonl"
    rows = [{"step": n, "values": {"loss": 1.0 / (n + 1)}, "notes": {}} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    harm(path)
    for row in read_steps(path):
        assert isinstance(row["step"], int)
        assert set(row) >= {"step", "values", "notes"}


@pytest.mark.parametrize("harm", EVERY)
def test_a_regression_suite(harm: damaged_studies.Damage, tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    rows = [{"id": e.id, "fields": e.fields, "label": e.label} for e in TASK.train]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    harm(path)
    try:
        suite = read_regression_suite(str(path), TASK)
    except PromptlabError as error:
        assert "suite.jsonl" in str(error)
    else:
        assert all(example.label in TASK.labels for example in suite.examples)


def _finished(path: Path, **changes: Any) -> CompletedTrial:
    return CompletedTrial(
        0,
        "template",
        Candidate.of("template", {"text": "a"}, "a"),
        0.5,
        None,
        predictions=path,
        member=lambda: None,
        **changes,
    )


@pytest.mark.parametrize("harm", EVERY)
def test_the_predictions_of_a_member(harm: damaged_studies.Damage, tmp_path: Path) -> None:
    path = tmp_path / "0.jsonl"
    Predictions(Prediction(e.id, "good", e.label) for e in TASK.dev).to_jsonl(path)
    one = _finished(path, checksum=file_hash(path).hex())
    rivals = MemberPool((), TASK)
    rivals.observe_trials([one])
    harm(path)
    assert find_difference(path, str(one.checksum))
    with pytest.raises(DataError, match=r"0\.jsonl"):
        rivals.members([one.candidate.key], None, least=1)  # type: ignore[arg-type]


def test_a_member_of_other_examples(tmp_path: Path) -> None:
    path = tmp_path / "0.jsonl"
    Predictions(Prediction(e.id, "good", e.label) for e in TASK.test).to_jsonl(path)
    rivals = MemberPool((), TASK)
    rivals.observe_trials([one := _finished(path)])
    with pytest.raises(DataError, match=r"0\.jsonl holds the example 'test\d'"):
        rivals.members([one.candidate.key], None, least=1)  # type: ignore[arg-type]
