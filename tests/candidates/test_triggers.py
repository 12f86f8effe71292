"""The kind *triggers*: dimensions, refusals, searches through a fitting and through a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import pytest

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind
from promptlab.candidates.triggers import TriggersKind, TriggersSettings
from promptlab.data.task import Task
from promptlab.errors import Cancelled, InputError, PromptlabError, Pruned, StudyError
from promptlab.events import Event, Events, Step
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.tuning.fit_context import FitContext, FitRequest
from tests.helpers.study_fixtures import study_document, write_reviews

Fresh = Callable[..., LocalModel]
ANSWERS = {"negative": "bad", "positive": "good"}
TEXT = "{text} {trigger:2} {mask} ."
QUICK: dict[str, Any] = {"steps": [4], "batch": [8], "top": [6], "blocks": [2]}


def kind(task: Task, **given: Any) -> TriggersKind:
    settings: dict[str, Any] = {"kind": "triggers", "templates": [TEXT], "verbalizers": [ANSWERS]}
    return TriggersKind(TriggersSettings(**settings | QUICK | given), task)


def candidates(made: TriggersKind, count: int = 1) -> list[Candidate]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [made.suggest(study.ask(), "triggers.") for _ in range(count)]


def test_the_kind_is_known() -> None:
    assert find_kind("triggers") is TriggersKind
    assert TriggersKind.saves_fitted


def test_lists_are_dimensions_and_settings_are_plain(task: Task) -> None:
    made = kind(
        task,
        method=["autoprompt", "gcg"],
        length=[1, 3],
        top=[4, 8],
        verbalizers=["search", ANSWERS],
    )
    seen = candidates(made, 30)
    assert len({candidate.key for candidate in seen}) > 8
    settings = [candidate.settings for candidate in seen]
    assert {s["search"]["method"] for s in settings} == {"autoprompt", "gcg"}
    assert {s["length"] for s in settings} == {1, 3}
    assert all(("sample" in s["search"]) == (s["search"]["method"] == "gcg") for s in settings)
    assert {"search" in s["verbalizer"] for s in settings} == {True, False}
    assert any("gcg" in c.name and "top 8" in c.name and "3 tokens" in c.name for c in seen)


@pytest.mark.parametrize("method", ["autoprompt", "universal", "gcg"])
def test_every_method_finds_a_trigger_that_is_saved_and_loaded(
    fresh: Fresh, task: Task, tmp_path: Path, method: str
) -> None:
    model = fresh("tiny_masked")
    made = kind(task, method=[method])
    steps: list[Step] = []

    def listen(event: Event) -> None:
        assert isinstance(event, Step)
        steps.append(event)

    fitting = FitContext(events=Events(listen), folder=tmp_path)
    ((number, predictor),) = made.fit_many([FitRequest(7, candidates(made)[0])], model, fitting)
    assert number == 7
    assert isinstance(predictor, PromptClassifier)
    assert [step.number for step in steps] == [7] * len(steps)
    assert steps[0].step == 0
    assert [step.step for step in steps] == list(range(steps[-1].step + 1))
    accepted = [step for step in steps if "dev" in step.values]
    assert len(accepted) > 1
    # Losses of different steps are of different examples: only those of one step compare.
    for before, step in pairwise(steps):
        tried = json.loads(step.notes["tried"])
        taken = [json.loads(step.notes["pieces"]), round(step.values["loss"], 6)]
        assert taken in tried and taken[1] == min(loss for _, loss in tried)
        assert (step.notes["tokens"] != before.notes["tokens"]) == ("dev" in step.values)
        assert int(step.notes["candidates"]) >= len(tried) - 1
        assert "{trigger:" in step.notes["template"]
    best = max(accepted, key=lambda step: (step.values["dev"], step.step))
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert " ".join(str(t) for part in learned.triggers for t in part) == best.notes["tokens"]
    assert learned.facts["words"] == best.notes["words"]
    rows = predictor.predict(task.dev)
    accuracy = sum(row.label == row.target for row in rows) / len(rows)
    assert accuracy == pytest.approx(best.values["dev"])
    again = pl.load(predictor.save(tmp_path / "saved"), model)
    assert [row.scores for row in again.predict(task.dev)] == [row.scores for row in rows]


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_roberta", "tiny_seq2seq"])
def test_other_families_with_several_triggers(fresh: Fresh, task: Task, name: str) -> None:
    made = kind(task, templates=["{trigger:1} {text} It was{trigger:2} {mask}"], start=["random"])
    predictor = made.fit(candidates(made)[0], fresh(name))
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert [len(part) for part in learned.triggers] == [1, 2]


def test_length_replaces_every_count(fresh: Fresh, task: Task) -> None:
    text = "{{ trigger(2) }} {{ text }} {{ trigger(1) }} {{ mask }}"
    made = kind(task, templates=[text], length=[3], steps=[1])
    predictor = made.fit(candidates(made)[0], fresh("tiny_masked"))
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert [len(part) for part in learned.triggers] == [3, 3]


@pytest.mark.parametrize("name", ["tiny_masked", "tiny_causal"])
def test_label_words_are_found_and_kept(fresh: Fresh, task: Task, name: str) -> None:
    made = kind(task, verbalizers=["search"], label_words=[2], calibration=["contextual"])
    made.check(fresh(name))
    (candidate,) = candidates(made)
    predictor = made.fit(candidate, fresh(name))
    assert isinstance(predictor, PromptClassifier)
    assert predictor.labels == task.labels
    assert len(predictor.verbalizer.answers) == 4
    assert predictor.calibration == "contextual"
    facts = predictor.model.learned.facts  # type: ignore[attr-defined]
    assert facts["label_words"] == str(predictor.verbalizer)
    words = set(predictor.model.learned.facts["words"].split())  # type: ignore[attr-defined]
    assert not words & set(predictor.verbalizer.answers)


def told(fitting_folder: Path, kind_: TriggersKind, model: LocalModel, stop: int | None) -> Any:
    """What one search ends with; stopped after ``stop`` steps if that is given."""
    stopping = Cancellation()
    seen: list[dict[str, Any]] = []

    def listen(event: Event) -> None:
        assert isinstance(event, Step)
        seen.append({"step": event.step, **event.values, **event.notes})
        if len(seen) == stop:
            stopping.request()

    fitting = FitContext(events=Events(listen), cancellation=stopping, folder=fitting_folder)
    asked = [FitRequest(0, candidates(kind_)[0])]
    if stop is None:
        ((_, fitted),) = kind_.fit_many(asked, model, fitting)
        return seen, fitted.model.learned.triggers  # type: ignore[union-attr]
    with pytest.raises(Cancelled):
        list(kind_.fit_many(asked, model, fitting))
    return seen, None


def test_a_stopped_search_goes_on_to_the_same_result(
    fresh: Fresh, task: Task, tmp_path: Path
) -> None:
    made = kind(task, momentum=[0.5], steps=[8], top=[40])
    whole, triggers = told(tmp_path / "whole", made, fresh("tiny_masked"), None)
    first, _ = told(tmp_path / "parts", made, fresh("tiny_masked"), 2)
    (kept,) = (tmp_path / "parts" / "checkpoints").glob("*.json")
    assert json.loads(kept.read_text())["step"] <= 8
    rest, again = told(tmp_path / "parts", made, fresh("tiny_masked"), None)
    assert again == triggers
    assert [*first, *rest] == whole
    assert len(whole) > 2


def test_a_search_behind_the_others_is_given_up(fresh: Fresh, task: Task) -> None:
    reports: list[tuple[int, int, float]] = []

    class Strict(FitContext):
        def should_prune(self, number: int, step: int, value: float) -> bool:
            reports.append((number, step, value))
            return step >= 5

    made = kind(task, steps=[20])
    results = dict(
        made.fit_many(
            [FitRequest(n, c) for n, c in enumerate(candidates(made, 2))],
            fresh("tiny_masked"),
            Strict(),
        )
    )
    assert [type(result) for result in results.values()] == [Pruned, Pruned]
    assert "behind the other trials" in str(results[0])
    assert [(number, step) for number, step, _ in reports] == [(0, 0), (0, 5), (1, 0), (1, 5)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"templates": ["{text} {mask}"]}, r"no trigger to search; write \{trigger:3\}"),
        ({"templates": ["{soft:2}{text}{trigger:1} {mask}"]}, "cannot learn"),
        ({"length": [0]}, "at least 1, found 0"),
        ({"top": [0]}, "top of a trigger search is 0"),
        ({"momentum": [1.0]}, "momentum is 1.0"),
        ({"label_words": [0]}, "at least 1, found 0"),
        ({"verbalizers": ["own"]}, "no answers of its own"),
    ],
)
def test_what_can_never_work_is_refused_at_once(
    task: Task, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        kind(task, **given)


def test_a_generated_reply_has_no_labels_to_search_for(task: Task) -> None:
    template = {
        "text": TEXT,
        "parser": {"type": "choice", "choices": {"negative": ["bad"], "positive": ["good"]}},
    }
    with pytest.raises(StudyError, match="generates replies"):
        kind(task, templates=[template], verbalizers=["own"])


def test_labels_without_examples_are_refused(task: Task) -> None:
    one_sided = replace(task, train=tuple(e for e in task.train if e.label == "positive"))
    with pytest.raises(InputError, match="none with the label 'negative'"):
        kind(one_sided)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"templates": ["{text} {trigger:250} {mask}"]}, "no room for the text"),
        ({"length": [2, 300]}, "no room for the text"),
        ({"verbalizers": [ANSWERS | {"positive": "\u6f22"}]}, "'\u6f22' is outside of this"),
    ],
)
def test_what_cannot_work_with_the_model_is_refused_early(
    fresh: Fresh, task: Task, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        kind(task, **given).check(fresh("tiny_masked"))


def test_a_model_without_gradients_is_refused(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    model.capabilities = model.capabilities - {"gradients"}
    with pytest.raises(PromptlabError, match="gradients") as caught:
        kind(task).check(model)
    assert caught.value.exit_code == 2


def test_a_start_that_the_model_lacks_is_its_own_trials_failure(fresh: Fresh, task: Task) -> None:
    made = kind(task, start=["mask"])
    with pytest.raises(InputError, match="no mask token"):
        made.fit(candidates(made)[0], fresh("tiny_causal"))


def test_a_study_holds_triggers_beside_hard_templates(tmp_path: Path, masked: LocalModel) -> None:
    group = {"kind": "triggers", "templates": [TEXT], "verbalizers": [ANSWERS], "seed": [1, 2]}
    data = write_reviews(tmp_path / "reviews.csv")
    document = study_document(data)
    document["candidates"] = [document["candidates"][0], group | QUICK]
    run = StudyRun(load_spec(document, source="test"), out=tmp_path / "runs", model=masked)
    run.run()
    board = json.loads((tmp_path / "runs" / run.spec.study / "leaderboard.json").read_text())
    rows = [row for row in board["trials"] if row["kind"] == "triggers"]
    assert {row["state"] for row in rows} == {"complete"}
