"""DSPy programs as candidates of a study, beside templates on the same examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, InputError, StudyError
from promptlab.events import Event, Events, TrialFinished
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import load
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.dspy_fixtures import rate, write
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document, write_reviews

STOCK = {"kind": "dspy", "program": ["chain_of_thought"], "adapter": ["chat"]}
SCORED = {
    "kind": "dspy",
    "program": ["predict", "chain_of_thought"],
    "optimizer": [
        "none",
        "bootstrap_few_shot",
        {"name": "miprov2", "num_trials": 2, "num_candidates": 2},
    ],
    "train_examples": 6,
    "dev_examples": 6,
    "decoding": {"max_tokens": 8},
}
TEMPLATE = {
    "kind": "template",
    "templates": [
        {"text": "Text: {text} A {mask}", "answers": {"negative": "no", "positive": "yes"}}
    ],
}


def likely(prompt: str, answer: str) -> float:
    words = ("good", "great", "wonderful", "charming", "witty", "gorgeous")
    asked = prompt.rsplit("Text:", 1)[-1]
    return 0.0 if (answer == "positive") == any(word in asked for word in words) else -1.0


def run_of(tmp_path: Path, model: LanguageModel, *groups: dict[str, Any], **more: Any) -> StudyRun:
    data = write_reviews(tmp_path / "reviews.csv", rows=60)
    document = study_document(
        data,
        candidates=list(groups),
        task={"data": str(data), "train": 10, "dev": 12, "test": 30},
        **more,
    )
    spec = load_spec(document, source="test")
    return StudyRun(spec, out=tmp_path / "runs", model=model)


def test_the_scoring_adapter_beats_the_stock_one(tmp_path: Path) -> None:
    model = ScriptedModel(write, likely)
    run = run_of(tmp_path, model, STOCK, SCORED, TEMPLATE, baseline="dspy")
    result = run.run()
    rows = {row["name"]: row for row in result["trials"]}
    assert len(rows) == 8 and all(row["state"] == "complete" for row in rows.values())
    assert {name for name, row in rows.items() if row["unparsed_rate"]} == {
        "chain_of_thought · chat adapter"
    }
    assert result["best"]["dev"]["accuracy"] == 1.0
    beside = {row["baseline"]: row for row in result["comparisons"]}
    against = beside["chain_of_thought · chat adapter"]
    assert against["difference"] == 1.0 and against["p_value"] < 0.05
    assert [gain["group"] for gain in result["gains"]] == ["dspy-2", "template"]
    best = load(run.folder.path / "best", model)
    assert best.settings()["state"]


def test_cancelling_reaches_a_fitting(tmp_path: Path) -> None:
    cancellation = Cancellation()

    def writing(prompt: str, sample: int) -> str:
        cancellation.request()
        return write(prompt, sample)

    heard: list[Event] = []
    made = run_of(
        tmp_path, ScriptedModel(writing, rate), SCORED | {"program": ["chain_of_thought"]}
    )
    run = StudyRun(
        made.spec,
        out=tmp_path / "runs",
        events=Events(heard.append),
        cancellation=cancellation,
        model=ScriptedModel(writing, rate),
    )
    with pytest.raises(Cancelled):
        run.run()
    assert not [event for event in heard if isinstance(event, TrialFinished)]


def test_what_can_never_work_is_told_first(tmp_path: Path, masked: LanguageModel) -> None:
    for changes, told in (
        ({"optimizer": ["bootstrap"]}, "unknown optimizer 'bootstrap'"),
        ({"program": ["nowhere:Name"]}, "nowhere:Name"),
        ({"adapter": ["xml"]}, "adapter"),
    ):
        with pytest.raises((StudyError, InputError), match=told):
            run_of(tmp_path, ScriptedModel(write, rate), SCORED | changes).run()
    with pytest.raises(StudyError, match="cannot generate"):
        run_of(tmp_path, masked, SCORED).run()
