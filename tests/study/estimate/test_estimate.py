"""A study's cost before it is run, held against what it then costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from promptlab.cli.app import app
from promptlab.errors import StudyError
from promptlab.models.local import LocalModel
from promptlab.study.estimate.cost_range import Estimate
from promptlab.study.estimate.estimate import estimate_study
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.study_fixtures import study_document, write_reviews, write_study

pytestmark = pytest.mark.slow

OWN = {"negative": "terrible", "positive": "great"}
REPLY = {
    "text": "{text} It was {mask}",
    "parser": {"type": "choice", "choices": {"positive": ["great"], "negative": ["terrible"]}},
}


def spec_of(tmp_path: Path, **changes: Any) -> Any:
    data = tmp_path / "reviews.csv"
    return load_spec(
        study_document(data if data.exists() else write_reviews(data), **changes), source=""
    )


def searched(found: Estimate) -> tuple[float, float]:
    """Tokens of the search alone."""
    return (
        sum(group.tokens.low for group in found.groups),
        sum(group.tokens.high for group in found.groups),
    )


def spent(board: dict[str, Any]) -> int:
    """What the leaderboard counts: predictions on dev."""
    rows = [row for row in board["trials"] if row["state"] == "complete"]
    return round(sum(row["tokens_per_example"] * row["dev"]["n"] for row in rows))


@pytest.mark.parametrize("family", ["causal", "masked"])
def test_prompts_cost_what_was_estimated(
    tmp_path: Path, family: str, request: pytest.FixtureRequest
) -> None:
    model: LocalModel = request.getfixturevalue(family)
    base = study_document(write_reviews(tmp_path / "reviews.csv"))["candidates"]
    groups = [base[0] | {"calibration": ["none", "batch"]}, base[1] | {"seed": [13]}]
    spec = spec_of(tmp_path, candidates=groups)
    found = estimate_study(spec, model)
    board = StudyRun(spec, out=tmp_path, model=model).run()
    low, high = searched(found)
    actual = spent(board)
    assert actual / 1.5 < low <= high < 1.5 * actual
    assert found.trials == len(board["trials"]) == found.candidates
    assert [group.candidates for group in found.groups] == [6, 2]
    assert found.seconds is not None and 0 < found.seconds.low <= found.seconds.high
    everything = board["tokens"]
    assert found.tokens.low / 1.5 < everything < found.tokens.high * 1.5


def test_written_replies_lie_between_low_and_high(tmp_path: Path, causal: LocalModel) -> None:
    spec = spec_of(
        tmp_path,
        candidates=[{"kind": "template", "templates": [REPLY], "decoding": {"max_tokens": 20}}],
    )
    found = estimate_study(spec, causal)
    board = StudyRun(spec, out=tmp_path, model=causal).run()
    low, high = searched(found)
    assert low < high
    assert low / 1.5 < spent(board) < high * 1.1
    assert "early" in found.groups[0].notes[0]


def test_learning_is_counted_by_its_steps(tmp_path: Path, fresh: Any) -> None:
    model = fresh("tiny_causal")
    soft = {
        "kind": "soft_prompt",
        "templates": [{"text": "{soft:4} {text} It was {mask}.", "answers": OWN}],
        "steps": 6, "evaluate_every": 3, "batch_size": [5], "learning_rate": [0.1, 0.01],
    }  # fmt: skip
    spec = spec_of(tmp_path, candidates=[soft])
    found = estimate_study(spec, model)
    (group,) = found.groups
    board = StudyRun(spec, out=tmp_path, model=model).run()
    assert len(board["trials"]) == 2 and group.learning.low == group.learning.high
    example = group.tokens_in.low / (2 * 30)
    # Six steps of five examples, dev of thirty at the start and at both evaluations.
    assert group.learning.high == pytest.approx(2 * example * (6 * 5 + 3 * 30), rel=0.05)


def test_an_endless_space_spends_its_budget(tmp_path: Path, causal: LocalModel) -> None:
    soft = {
        "kind": "soft_prompt", "templates": [{"text": "{text} It was {mask}.", "answers": OWN}],
        "length": [3], "learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "epochs": 2,
    }  # fmt: skip
    base = study_document(write_reviews(tmp_path / "reviews.csv"))["candidates"][:1]
    spec = spec_of(tmp_path, candidates=[*base, soft], budget={"trials": 8, "seconds": 0.001})
    found = estimate_study(spec, causal)
    assert found.candidates is None and found.trials == 8
    assert [group.candidates for group in found.groups] == [12, None]
    assert found.groups[1].trials.high == 4
    assert found.seconds is not None and found.decision.seconds is not None
    assert found.seconds.low - found.decision.seconds.low <= 0.0011


def test_what_is_made_of_others_asks_nothing_on_dev(tmp_path: Path, causal: LocalModel) -> None:
    base = study_document(write_reviews(tmp_path / "reviews.csv"))["candidates"][:1]
    spec = spec_of(
        tmp_path,
        candidates=[*base, {"kind": "ensemble", "top": [2], "method": ["mean"]}],
    )
    found = estimate_study(spec, causal)
    assert found.groups[1].tokens.high == 0
    assert "not asked" in found.groups[1].notes[0]


def test_a_learning_curve_is_counted_cell_by_cell(tmp_path: Path, causal: LocalModel) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    prompt = {"kind": "template", "templates": [{"text": "{text} It was {mask}.", "answers": OWN}]}
    spec = load_spec(
        {
            "kind": "learning_curve", "study": "curve", "model": "tiny",
            "task": {"data": str(data), "train": 20, "dev": 30, "test": 40},
            "sizes": [0, 2], "seeds": [1, 2], "methods": [{"name": "prompt"} | prompt],
        },
        source="",
    )  # fmt: skip
    found = estimate_study(spec, causal)
    assert found.trials == 4 and len(found.groups) == 1
    assert found.groups[0].trials.low == 4
    assert found.groups[0].tokens.low > 4 * 40


def test_a_study_that_cannot_run_is_told(tmp_path: Path, causal: LocalModel) -> None:
    with pytest.raises(StudyError, match="baseline"):
        estimate_study(spec_of(tmp_path, baseline="nobody"), causal)


def test_the_command_line_estimates(tmp_path: Path, tiny_causal: Any, folder_of: Any) -> None:
    model = folder_of(tiny_causal)
    document = study_document(write_reviews(tmp_path / "reviews.csv"), model=str(model))
    file = write_study(tmp_path / "study.yaml", document)
    result = CliRunner().invoke(app, ["study", "estimate", str(file), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["tokens"]["low"] > 0 and found["candidates"] == 22
    told = CliRunner().invoke(app, ["study", "estimate", str(file)])
    assert "In all" in told.stdout and "Not counted" in told.stdout
