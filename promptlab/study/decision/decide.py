"""Selection on dev, one look at test, controls, comparisons, and the result in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.data.task import Task
from promptlab.evaluation.failure_records import TABLES
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.reply_counts import count_replies, describe_reply_counts
from promptlab.evaluation.statistics import holm, majority_baseline
from promptlab.evaluation.truncation_count import count_truncations
from promptlab.events import Events, Warned
from promptlab.predictors.base import Predictor
from promptlab.study.decision.controls import measure_controls
from promptlab.study.decision.gains import group_gains
from promptlab.study.decision.importances import importances
from promptlab.study.decision.leaderboard import (
    comparison_verdict,
    confusion_matrix,
    failure_lines,
    leaderboard_csv,
    repeat_counts,
    repeated_ids,
    result_sentences,
    task_facts,
    unanswered_lines,
)
from promptlab.study.decision.optional_results import OptionalResults
from promptlab.study.decision.ranking import Ranking, rank_trials
from promptlab.study.decision.reference import Reference, choose_reference, reference_sentence
from promptlab.study.decision.regression import (
    read_regression_suite,
    regression_sentence,
    run_regression_suite,
)
from promptlab.study.decision.test_access import lock_test, predict_test
from promptlab.study.decision.trial_row import trial_row
from promptlab.study.decision.unanswered_check import answer_gap, dev_answer_gaps
from promptlab.study.decision.verdict import study_verdict
from promptlab.study.folder.folder import REPEATS
from promptlab.study.folder.provenance import (
    RESTS_ON,
    TESTED,
    StudyProvenance,
    mixed_provenance_sentence,
    unrecorded_provenance_sentence,
)
from promptlab.study.report.composition import describe_composition
from promptlab.study.spec.objective import Objective
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.blocks import describe_failed_requests
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.trials import QUEUED, SPACE, trial_record


def decide(context: StudyContext, *, cut: bool = False) -> dict[str, Any]:
    """The leaderboard document but for ``seconds``; writes everything else of the folder.

    ``cut`` says that the time was over before all was tried. While too many answers of candidates
    that could be the best are missing, the document says so, and test is not looked at. What fails
    once test was looked at, but for the winner's own answers, is told under ``unmeasured``.
    """
    beside = OptionalResults(context)
    trials = [t for t in context.history.finished if "repeats" not in trial_record(t)]
    ranking = rank_trials(context, [t for t in trials if t.state == TrialState.COMPLETE])
    gaps = dev_answer_gaps(
        context.spec,
        context.objectives,
        context.examples,
        ranking,
        [t for t in trials if t.state == TrialState.FAIL],
    )
    board = _dev_document(context, trials, ranking, beside) | {
        "search": _search_facts(context.spec, context.study, context.history, trials, cut=cut)
    }
    unanswered = {"dev": ranking.tables[ranking.best.number]}
    if gaps:
        board["gaps"] = [gap.record() for gap in gaps]
        board["statements"] = result_sentences(board, ranking)
    else:
        winner = context.fit(ranking.best)
        _save(context.task, winner, context.folder.best_folder)
        unanswered["test"] = _add_test_results(context, board, ranking, winner, beside)
    board["statements"] += [
        f"The winner on {split}: {describe_failed_requests(rows)}."
        for split, rows in unanswered.items()
        if rows.n_missing
    ]
    board["statements"] += [
        f"The winner on {split}: {words}."
        for split, rows in unanswered.items()
        for words in (
            *describe_reply_counts(count_replies(rows), len(rows)),
            count_truncations(rows).sentence(len(rows)),
        )
        if words
    ]
    board["cut"] = {split: count_truncations(rows).record() for split, rows in unanswered.items()}
    board["statements"] += _add_provenance(context.provenance, context.study, board)
    missing = sum(table.n_missing for table in ranking.tables.values())
    board["n_missing"] = missing + sum(t.n_missing for s, t in unanswered.items() if s != "dev")
    beside.add_to(board)
    verdict = study_verdict(board)
    board["verdict"] = verdict.record()
    others = {"use_cheaper": context.folder.cheaper_folder, "keep": context.folder.given_folder}
    if verdict.action in others:
        chosen = next(t for t in ranking.trials if t.number == verdict.trial)
        beside.attempt(
            "the prompt to use, which is to be saved",
            lambda: _save(context.task, context.fit(chosen), others[verdict.action]),
            lambda reason: None,
        )
    beside.add_to(board)
    context.folder.write("unanswered.jsonl", unanswered_lines(unanswered))
    context.folder.write("leaderboard.csv", leaderboard_csv(board["trials"]))
    return board


def _add_provenance(
    provenance: StudyProvenance, study: optuna.Study, board: dict[str, Any]
) -> list[str]:
    """Write down what trials and test rest on; sentences, if it is not all the same."""
    tested = study.user_attrs.get(TESTED)
    board[RESTS_ON] = {
        "records": provenance.records,
        "now": provenance.key,
        "test": tested,
    }
    rows, best = board["trials"], board["best"]["number"]
    board["mixed"] = mixed_provenance_sentence(
        provenance.records, rows, best, tested, provenance.key
    )
    return [told for told in (board["mixed"], unrecorded_provenance_sentence(rows)) if told]


def _save(task: Task, predictor: Predictor, folder: Path) -> None:
    """Save a predictor, which remembers by which texts it was fitted and chosen."""
    predictor.seen = predictor.seen.with_examples(task.train, task.dev, predictor.fields)
    predictor.read_as = task.columns
    predictor.save(folder)


def _dev_document(
    context: StudyContext, trials: list[FrozenTrial], ranking: Ranking, beside: OptionalResults
) -> dict[str, Any]:
    """All of the document that dev tells."""
    best, majority = ranking.best, majority_baseline(context.task.train, context.examples)
    return {
        "study": context.spec.study,
        "description": context.spec.description,
        "task": task_facts(context.task),
        "model": context.model.describe(),
        "objective": context.objectives[0].name,
        "maximise": context.objectives[0].maximise,
        "objectives": [objective.name for objective in context.objectives],
        "decision": context.spec.decision.model_dump(),
        "repeats": {name: repeat_counts(rows) for name, rows in context.task.splits.items()},
        "trials": _trial_rows(context, trials, ranking),
        "best": {
            "number": best.number,
            "kind": trial_record(best)["kind"],
            "name": trial_record(best)["name"],
            "candidate": trial_record(best)["candidate"],
            "prompt": trial_record(best)["prompt"],
            "facts": {},
            "dev": context.dev_summary(ranking.tables[best.number]),
            "test": None,
        },
        "baselines": [
            {
                "name": "majority",
                "dev": context.dev_summary(majority),
                "test": None,
                "note": f"always {majority[0].label!r}, the most frequent label of train",
            }
        ],
        "comparison": None,
        "comparisons": [],
        "gains": [],
        "gaps": [],
        "importances": beside.attempt(
            "the importances of the dimensions",
            lambda: _importances(context.history, context.objectives, context.events),
            lambda reason: {},
        ),
        "history": _history(context.objectives, trials),
        "confusion": None,
        "unparsed_rate": trial_record(best)["unparsed_rate"],
        "tokens": _tokens(context, ranking.trials),
    }


def _add_test_results(
    context: StudyContext,
    board: dict[str, Any],
    ranking: Ranking,
    winner: Predictor,
    beside: OptionalResults,
) -> Predictions:
    """Add what test, controls and earlier failures tell; the winner's predictions of test."""
    best = ranking.best
    reference = choose_reference(context, ranking.trials, best)
    lock_test(context, best, reference)
    test = predict_test(context, "test", winner)
    facts = beside.attempt("what the winner is made of", winner.facts, lambda reason: {})
    board["best"] |= {"facts": facts, "test": context.test_summary(test)}
    controls = measure_controls(context, best, winner, beside)
    board["baselines"] = [control.row(context) for control in controls]
    board["comparisons"] = [
        {"baseline": control.name} | context.compare_on_test(test, control.test).record()
        for control in controls
        if control.test is not None
    ]
    board["comparison"] = board["comparisons"][0]
    board["confusion"] = confusion_matrix(context.task, test)
    board["unparsed_rate"] = test.unparsed_rate
    board["tokens"] += test.tokens
    allowed = context.spec.decision.missing
    gaps = [answer_gap("test", best, test, allowed)]
    board["statements"] = result_sentences(board, ranking)
    other: Predictions | None = None
    if reference is not None:
        other = beside.attempt(
            f"{reference.name} on test, {reference.why}",
            lambda: _add_reference(context, board, reference, test),
            lambda reason: board["baselines"].append(reference.untested(reason)),
        )
        if other is not None:
            gaps.append(answer_gap("test", reference.trial, other, allowed))
    board["gaps"] = [gap.record() for gap in gaps if gap is not None]
    board["statements"] += describe_composition(board["best"]["facts"])
    beside.attempt(
        "the gains of the groups over the baseline",
        lambda: _add_gains(context, board, ranking),
        lambda reason: None,
    )
    beside.attempt(
        "the regression suite",
        lambda: _add_regression(context, board, winner, None if other is None else reference),
        lambda reason: None,
    )
    context.folder.write_json(REPEATS, repeated_ids(context.task.test))
    dev = ranking.tables[best.number]
    log = beside.attempt(
        "the list of the winner's failures",
        lambda: failure_lines(context.task, winner, dev),
        lambda reason: None,
    )
    lines, answers = log or ("", {})
    if answers:
        context.folder.write_json(TABLES, answers)
    context.folder.write("failures.jsonl", lines)
    return test


def _add_gains(context: StudyContext, board: dict[str, Any], ranking: Ranking) -> None:
    """Add what each group gains over the baseline group."""
    found = group_gains(context, ranking.trials)
    board["gains"] = [gain.record() for gain in found]
    words = f"the baseline group {context.spec.baseline!r}"
    board["statements"] += [gain.sentence(words) for gain in found]


def _search_facts(
    spec: StudySpec,
    study: optuna.Study,
    history: TrialHistory,
    trials: list[FrozenTrial],
    *,
    cut: bool,
) -> dict[str, Any]:
    """How much of what was planned, and of the whole space, was tried."""
    done = history.count
    budget, space = spec.budget, study.user_attrs.get(SPACE)
    queued = study.user_attrs.get(QUEUED)
    planned = budget.trials if queued is None else queued
    return {
        "done": done,
        "different": len(trials),
        "planned": planned,
        "space": space,
        "cut": cut,
        "trials": budget.trials,
        "seconds": budget.seconds,
        **({} if budget.dollars is None else {"dollars": budget.dollars}),
    }


def _trial_rows(
    context: StudyContext, trials: list[FrozenTrial], ranking: Ranking
) -> list[dict[str, Any]]:
    """The leaderboard: complete trials best first, then pruned, then failed ones."""
    best, others = ranking.tables[ranking.best.number], ranking.trials[1:]
    found = [context.compare_on_dev(best, ranking.tables[t.number]) for t in others]
    p_values = holm([comparison.p_value for comparison in found])
    rows = [trial_row(ranking.best)]
    rows += [trial_row(t, p, c) for t, p, c in zip(others, p_values, found, strict=True)]
    left = [t for t in trials if t.state == TrialState.PRUNED]
    left += [t for t in trials if t.state == TrialState.FAIL]
    return rows + [trial_row(t) for t in left]


def _add_reference(
    context: StudyContext, board: dict[str, Any], reference: Reference, test: Predictions
) -> Predictions:
    """Add the reference, and how the winner does beside it on test; its own predictions."""
    other = predict_test(context, "test-baseline", context.fit(reference.trial))
    comparison = context.compare_on_test(test, other)
    row, record = reference.baseline(context, other), reference.record(comparison)
    said = reference_sentence(
        reference, comparison, comparison_verdict(comparison.record(), board["maximise"])
    )
    place = next(
        n for n, text in enumerate(board["statements"]) if text.startswith("On test it is")
    )
    board["baselines"].append(row)
    board["comparisons"].insert(1, record)
    board["statements"].insert(place + 1, said)
    return other


def _add_regression(
    context: StudyContext, board: dict[str, Any], winner: Predictor, reference: Reference | None
) -> None:
    """Try earlier failures again, if the study names a file of them."""
    if context.spec.regression is None:
        return
    suite = read_regression_suite(context.spec.regression, context.task)
    other = None if reference is None else (reference.name, context.fit(reference.trial))
    board["regression"] = run_regression_suite(context, suite, winner, other)
    board["statements"].append(regression_sentence(board["regression"]))


def _importances(
    history: TrialHistory, objectives: Sequence[Objective], events: Events
) -> dict[str, float]:
    """How much each dimension matters to the first objective, if that can be said."""
    try:
        return importances(history.memory_study, objectives[0].maximise)
    except (ValueError, RuntimeError) as error:
        events.emit(Warned(f"no parameter importances: {error}"))
        return {}


def _history(objectives: Sequence[Objective], trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    choose = max if objectives[0].maximise else min
    history: list[dict[str, Any]] = []
    best: float | None = None
    for trial in trials:
        if trial.state != TrialState.COMPLETE:
            continue
        value = trial.values[0]
        best = value if best is None else choose(best, value)
        history.append({"number": trial.number, "value": value, "best": best})
    return history


def _tokens(context: StudyContext, complete: Sequence[FrozenTrial]) -> int:
    """Tokens of predictions on dev, and of what was learned before them."""
    return sum(
        int(
            trial_record(t).get(
                "tokens", round(trial_record(t)["tokens_per_example"] * len(context.examples))
            )
        )
        + int(trial_record(t).get("learning_tokens", 0))
        for t in complete
        if not context.space.kinds[context.group_of(t)].reuses_predictions
    )
