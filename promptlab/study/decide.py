"""Selection on dev, one look at test, controls, comparisons, and the result in words."""

from __future__ import annotations

import dataclasses
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import StudyError
from promptlab.events import Phase, Warned
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.replies import count_replies, replies_told
from promptlab.statistics import holm, majority_baseline
from promptlab.study.board import (
    confusion,
    failure_lines,
    leaderboard_csv,
    statements,
    task_facts,
    verdict,
)
from promptlab.study.controls import baselines
from promptlab.study.evaluation import evaluate_in_blocks
from promptlab.study.gains import gains
from promptlab.study.importances import importances
from promptlab.study.made_of import made_of
from promptlab.study.objective import summary
from promptlab.study.reference import Reference, choose_reference, told
from promptlab.study.regression import read_suite, run_suite
from promptlab.study.regression import told as regression_told
from promptlab.study.state import StudyState, known
from promptlab.study.trial_row import trial_row
from promptlab.study.trials import finished
from promptlab.study.unanswered import check_answered, failures_told


def decide(state: StudyState) -> dict[str, Any]:
    """The leaderboard document but for ``seconds``; writes everything else of the folder."""
    trials = [t for t in finished(state.study) if "repeats" not in known(t)]
    complete = sorted(
        (t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: _rank(state, t)
    )
    best = complete[0]
    winner = state.fit(best)
    winner.seen = winner.seen.with_examples(state.task.train, state.task.dev, winner.fields)
    winner.read_as = state.task.columns
    winner.save(state.folder.best)
    rows = _trial_rows(state, trials, complete)
    reference = choose_reference(state, complete, best)
    _lock_test(state, best, reference)
    test = _on_test(state, "test", winner)
    majority = majority_baseline(state.task.train, state.task.test)
    comparison = state.compare(test, majority)
    dev = state.folder.predictions(best.number)
    board: dict[str, Any] = {
        "study": state.spec.study,
        "description": state.spec.description,
        "task": task_facts(state.task),
        "model": state.model.describe(),
        "objective": state.objectives[0].name,
        "objectives": [objective.name for objective in state.objectives],
        "trials": rows,
        "best": {
            "number": best.number,
            "kind": known(best)["kind"],
            "name": known(best)["name"],
            "candidate": known(best)["candidate"],
            "prompt": known(best)["prompt"],
            "facts": winner.facts(),
            "dev": known(best)["dev"],
            "test": summary(test, state.objectives),
        },
        "baselines": baselines(state, best, winner, majority),
        "comparison": {"baseline": "majority"} | dataclasses.asdict(comparison),
        "importances": _importances(state),
        "history": _history(state, trials),
        "confusion": confusion(state.task, test),
        "unparsed_rate": test.unparsed_rate,
        "tokens": _tokens(state, complete) + test.tokens,
    }
    board["statements"] = statements(state.objectives[0].name, board, comparison)
    board["statements"] += made_of(board["best"]["facts"])
    board["statements"] += [
        f"The winner on {split}: {failures_told(rows)}."
        for split, rows in (("dev", dev), ("test", test))
        if rows.errors
    ]
    board["statements"] += [
        f"The winner on {split}: {words}."
        for split, rows in (("dev", dev), ("test", test))
        for words in replies_told(count_replies(rows), len(rows))
    ]
    board["comparisons"] = [board["comparison"]]
    if reference is not None:
        _compare(state, board, reference, test)
    board["gains"] = []
    for gain in gains(state, complete):
        board["gains"].append(gain.record())
        board["statements"].append(gain.told(f"the baseline group {state.spec.baseline!r}"))
    _regression(state, board, winner, reference)
    state.folder.write("failures.jsonl", failure_lines(state, winner, dev))
    state.folder.write("leaderboard.csv", leaderboard_csv(rows))
    return board


def _rank(state: StudyState, trial: FrozenTrial) -> tuple[float, float, int]:
    """Best value first; among equals the cheaper prompt, then the earlier trial."""
    sign = -1 if state.objectives[0].maximise else 1
    return (sign * trial.values[0], known(trial)["tokens_per_example"], trial.number)


def _trial_rows(
    state: StudyState, trials: list[FrozenTrial], complete: list[FrozenTrial]
) -> list[dict[str, Any]]:
    """The leaderboard: complete trials best first, then pruned, then failed ones."""
    tables = {t.number: state.folder.predictions(t.number) for t in complete}
    best = tables[complete[0].number]
    others = complete[1:]
    p_values = holm([state.compare(best, tables[t.number]).p_value for t in others])
    against = {t.number: p for t, p in zip(others, p_values, strict=True)}
    left = [t for t in trials if t.state == TrialState.PRUNED]
    left += [t for t in trials if t.state == TrialState.FAIL]
    return [trial_row(t, against.get(t.number)) for t in [*complete, *left]]


def _lock_test(state: StudyState, best: FrozenTrial, reference: Reference | None) -> None:
    """Write down who looks at test, before it is looked at.

    A run killed after that repeats the same winner; another winner is refused.
    """
    lock = state.folder.read_json("test.lock.json")
    record = {"trial": best.number, "candidate": known(best)["key"]}
    if reference is not None:
        record["reference"] = known(reference.trial)["key"]
    if lock is None:
        state.folder.write_json("test.lock.json", record)
    elif lock != record:
        raise StudyError(
            f"the test split of {state.spec.study!r} was spent on trial {lock['trial']} and the "
            f"winner is now trial {best.number}; test data decides nothing, so start a study with "
            "another --name"
        )


def _on_test(state: StudyState, name: str, predictor: Predictor) -> Predictions:
    """A predictor's predictions on test, kept under ``name``."""
    path = state.folder.predictions_file(name)
    if path.exists():
        return Predictions.from_jsonl(path)
    state.events.emit(Phase(name))
    rows, _ = evaluate_in_blocks(predictor, state.task.test, state.spec.block, state.cancellation)
    check_answered(rows)
    rows.to_jsonl(path)
    return rows


def _compare(
    state: StudyState, board: dict[str, Any], reference: Reference, test: Predictions
) -> None:
    """Add the reference, and how the winner does beside it on test."""
    other = _on_test(state, "test-baseline", state.fit(reference.trial))
    comparison = state.compare(test, other)
    board["baselines"].append(reference.baseline(state, other))
    board["comparisons"].append(reference.record(comparison))
    board["statements"].insert(2, told(reference, comparison, verdict(comparison)))


def _regression(
    state: StudyState, board: dict[str, Any], winner: Predictor, reference: Reference | None
) -> None:
    """Try earlier failures again, if the study names a file of them."""
    if state.spec.regression is None:
        return
    suite = read_suite(state.spec.regression, state.task)
    other = None if reference is None else (reference.name, state.fit(reference.trial))
    board["regression"] = run_suite(state, suite, winner, other)
    board["statements"].append(regression_told(board["regression"]))


def _importances(state: StudyState) -> dict[str, float]:
    """How much each dimension matters to the first objective, if that can be said."""
    try:
        return importances(state.study, state.objectives[0].maximise)
    except (ValueError, RuntimeError) as error:
        state.events.emit(Warned(f"no parameter importances: {error}"))
        return {}


def _history(state: StudyState, trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    choose = max if state.objectives[0].maximise else min
    history: list[dict[str, Any]] = []
    best: float | None = None
    for trial in trials:
        if trial.state != TrialState.COMPLETE:
            continue
        value = trial.values[0]
        best = value if best is None else choose(best, value)
        history.append({"number": trial.number, "value": value, "best": best})
    return history


def _tokens(state: StudyState, complete: list[FrozenTrial]) -> int:
    """Tokens of predictions on dev, and of what was learned before them."""
    return sum(
        round(known(t)["tokens_per_example"] * len(state.examples))
        + int(known(t).get("learning_tokens", 0))
        for t in complete
        if not state.space.kinds[state.group_of(t)].recalls
    )
