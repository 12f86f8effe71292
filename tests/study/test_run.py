"""The study loop on a tiny real model: results, resuming, pruning, honesty."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.errors import InputError, StudyError, WorkError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.local import LocalModel
from tests.helpers.study_run_fixtures import start  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow


def test_the_folder_and_the_document(start: Callable[..., Any], tmp_path: Path) -> None:
    run, heard = start()
    board = run.run()
    assert len(board["trials"]) == 22 == len(heard.finished)
    values = [row["dev"]["accuracy"] for row in board["trials"]]
    assert values == sorted(values, reverse=True)
    for part in ("dev", "test"):
        low, high = board["best"][part]["ci95"]
        assert low <= board["best"][part]["accuracy"] <= high
    assert board["best"]["test"]["n"] == 40
    assert {"test", "p_value", "n_discordant"} <= set(board["comparison"])
    assert [b["name"] for b in board["baselines"]] == [
        "majority",
        "content-free",
        "shuffled-labels",
        "bag-of-words",
    ]
    assert board["unparsed_rate"] == 0.0
    assert board["tokens"] > 0
    assert board["seconds"] > 0
    assert board["importances"]
    folder = tmp_path / "runs" / "reviews"
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "study.yaml", "study.db", "leaderboard.json", "leaderboard.csv", "predictions",
        "failures.jsonl", "best", "report.html", "test.lock.json",
    }  # fmt: skip
    assert not list(folder.rglob("*.partial"))
    assert json.loads((folder / "leaderboard.json").read_text()) == json.loads(json.dumps(board))


def test_numbers_come_from_the_predictions(start: Callable[..., Any], masked: LocalModel) -> None:
    run, _ = start()
    board = run.run()
    for row in board["trials"]:
        rows = run.folder.predictions(row["number"])
        assert sum(rows.correct) / len(rows) == row["dev"]["accuracy"]
        assert [r.example_id for r in rows] == [e.id for e in run.context.examples]
    best = pl.load(run.folder.path / "best", masked)
    again = best.predict(run.context.task.test)
    assert again.labels == run.folder.predictions("test").labels
    shown = sum(sum(row) for row in board["confusion"]["matrix"])
    assert shown == 40
    failures = (run.folder.path / "failures.jsonl").read_text().splitlines()
    dev = run.folder.predictions(board["best"]["number"])
    assert len(failures) == len(dev.failures())


def test_test_examples_are_seen_by_the_winner_alone(
    start: Callable[..., Any], masked: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = start()
    seen: list[str] = []
    original = type(masked).score

    def watched(self: LocalModel, prompts: Any, answers: Any) -> Any:
        seen.extend(str(prompt) for prompt in prompts)
        return original(self, prompts, answers)

    monkeypatch.setattr(type(masked), "score", watched)
    run.run()
    for example in run.context.task.test:
        assert sum(example.fields["text"] in prompt for prompt in seen) == 1


def test_equal_candidates_are_judged_once(start: Callable[..., Any]) -> None:
    run, heard = start(sampler="random", budget={"trials": 30}, candidates=[
        {
            "kind": "template",
            "templates": ["{text} It was {mask}."],
            "verbalizers": [{"negative": "bad", "positive": "good"}],
            "calibration": ["none", "contextual"],
        }
    ])  # fmt: skip
    board = run.run()
    assert len(heard.finished) == 30
    assert len(board["trials"]) == 2
    assert sum(event.repeated is None for event in heard.finished) == 2


@pytest.mark.parametrize("pruner", ["median", "wilcoxon", "halving"])
def test_pruned_trials_stop_early(start: Callable[..., Any], pruner: str) -> None:
    run, _ = start(pruner=pruner, sampler="random", block=3)
    board = run.run()
    pruned = [row for row in board["trials"] if row["state"] == "pruned"]
    for row in pruned:
        assert len(run.folder.predictions(row["number"])) < 30
        assert "pruned after" in row["reason"]
    assert board["best"]["dev"]["n"] == 30
    if pruner == "halving":
        assert pruned


def test_an_objective_that_is_no_number_fails_its_trials(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.evaluation.metrics import get_metric

    kind = type(get_metric("macro_f1"))
    monkeypatch.setattr(kind, "compute", lambda self, rows: float("nan"))
    run, _ = start(objectives=["macro_f1"], budget={"trials": 2})
    with pytest.raises(WorkError, match="macro_f1 is nan on dev"):
        run.run()


def test_several_objectives(start: Callable[..., Any]) -> None:
    run, _ = start(objectives=["macro_f1", "tokens"], sampler="tpe", budget={"trials": 12})
    board = run.run()
    assert board["objective"] == "macro_f1"
    assert {"macro_f1", "tokens", "accuracy"} <= set(board["best"]["dev"])
    assert board["comparison"]["test"] == "paired_bootstrap"
    assert board["comparison"]["measure"] == "macro_f1"
    low, high = board["best"]["test"]["macro_f1_ci95"]
    assert low <= board["best"]["test"]["macro_f1"] <= high


def test_other_storages(start: Callable[..., Any], tmp_path: Path) -> None:
    run, _ = start(study="journal", storage=f"journal:{tmp_path / 'log'}")
    assert run.run()["best"]
    assert (tmp_path / "log").exists()
    with pytest.raises(StudyError, match="cannot be opened"):
        start(study="nowhere", storage="nodatabase://x")[0].run()


def test_a_bad_study_leaves_nothing_behind(start: Callable[..., Any], tmp_path: Path) -> None:
    groups = [{"kind": "template", "templates": ["sentiment/it-wsa"]}]
    with pytest.raises(StudyError):
        start(candidates=groups)[0].run()
    assert not (tmp_path / "runs").exists()


def test_no_time_for_a_single_trial(start: Callable[..., Any]) -> None:
    with pytest.raises(WorkError, match="no trial was completed"):
        start(budget={"trials": 5, "seconds": 1e-9})[0].run()


def test_a_failing_trial_is_recorded_and_the_others_go_on(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.candidates.template import TemplateKind

    original = TemplateKind.fit

    def breaking(self: TemplateKind, candidate: Any, model: Any) -> Any:
        if candidate.settings["calibration"] == "pmi":
            raise WorkError("broken on purpose")
        return original(self, candidate, model)

    monkeypatch.setattr(TemplateKind, "fit", breaking)
    board = start()[0].run()
    failed = [row for row in board["trials"] if row["state"] == "failed"]
    assert len(failed) == 3
    assert all("broken on purpose" in row["reason"] for row in failed)
    assert board["best"]["dev"]["n"] == 30


def test_predictions_survive_the_file(tmp_path: Path) -> None:
    rows = Predictions([pl.Prediction("1", "a", "b", {"a": -0.1, "b": -2.4}, tokens_in=3)])
    rows.to_jsonl(tmp_path / "rows.jsonl")
    assert list(Predictions.from_jsonl(tmp_path / "rows.jsonl")) == list(rows)


def test_a_winner_that_shuffled_labels_do_not_fit_is_told(
    start: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from promptlab.cli.leaderboard import print_leaderboard
    from promptlab.study.trials.context import StudyContext

    fit = StudyContext.fit

    def refuse(self: StudyContext, trial: Any, task: Any = None) -> Any:
        if task is not None:
            raise InputError("the model by itself answers 1 of 20 training examples rightly")
        return fit(self, trial)

    monkeypatch.setattr(StudyContext, "fit", refuse)
    run, _ = start()
    board = run.run()
    shuffled = board["baselines"][2]
    assert (shuffled["name"], shuffled["dev"]) == ("shuffled-labels", None)
    print_leaderboard(board, tmp_path / "runs" / "reviews")
    assert "control shuffled-labels: the winner cannot be fitted" in capsys.readouterr().out
