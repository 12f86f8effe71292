"""Selection on dev, one look at test, controls, comparisons, and the result in words."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import StudyError
from promptlab.events import Phase, Warned
from promptlab.example import Example
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.statistics import (
    Comparison,
    holm,
    majority_baseline,
    mcnemar_exact,
    paired_bootstrap,
)
from promptlab.study.evaluation import evaluate_in_blocks
from promptlab.study.objective import summary

if TYPE_CHECKING:
    from promptlab.study.run import StudyRun

ALPHA = 0.05
CONTENT_FREE = "N/A"


def known(trial: FrozenTrial) -> dict[str, Any]:
    """All that a run has written about a trial: its candidate, and what was found."""
    return {**trial.user_attrs.get("asked", {}), **trial.user_attrs.get("found", {})}


def decide(run: StudyRun) -> dict[str, Any]:
    """The leaderboard document but for ``seconds``; writes everything else of the folder."""
    trials = [t for t in run.study.get_trials(deepcopy=False) if "repeats" not in known(t)]
    complete = sorted(
        (t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: _rank(run, t)
    )
    best = complete[0]
    winner = run.fit(best)
    winner.save(run.folder.path / "best")
    rows = _trial_rows(run, trials, complete)
    test = _touch_test(run, best, winner)
    majority = majority_baseline(run.task.train, run.task.test)
    comparison = compare(run, test, majority)
    dev = run.folder.predictions(best.number)
    board = {
        "study": run.spec.study,
        "description": run.spec.description,
        "task": _task_facts(run),
        "model": run.model.describe(),
        "objective": run.objectives[0].name,
        "objectives": [objective.name for objective in run.objectives],
        "trials": rows,
        "best": {
            "number": best.number,
            "kind": known(best)["kind"],
            "name": known(best)["name"],
            "candidate": known(best)["candidate"],
            "prompt": known(best)["prompt"],
            "dev": known(best)["dev"],
            "test": summary(test, run.objectives),
        },
        "baselines": _baselines(run, best, winner, majority),
        "comparison": {"baseline": "majority"} | dataclasses.asdict(comparison),
        "importances": _importances(run),
        "history": _history(run, trials),
        "confusion": _confusion(run, test),
        "unparsed_rate": test.unparsed_rate,
        "tokens": _tokens(run, complete) + test.tokens,
    }
    board["statements"] = _statements(run, board, comparison)
    _write_failures(run, winner, dev)
    run.folder.write("leaderboard.csv", _csv(rows))
    return board


def compare(run: StudyRun, a: Predictions, b: Predictions) -> Comparison:
    """a with b on the same examples: McNemar for accuracy, else a paired bootstrap."""
    objective = run.objectives[0]
    if objective.name == "accuracy":
        return mcnemar_exact(a.correct, b.correct)
    left, right = objective.per_example(a), objective.per_example(b)
    if left is None or right is None:
        return mcnemar_exact(a.correct, b.correct)
    return paired_bootstrap(left, right, seed=run.spec.seed)


def _rank(run: StudyRun, trial: FrozenTrial) -> tuple[float, float, int]:
    """Best value first; among equals the cheaper prompt, then the earlier trial."""
    sign = -1 if run.objectives[0].maximise else 1
    return (sign * trial.values[0], known(trial)["tokens_per_example"], trial.number)


def _trial_rows(
    run: StudyRun, trials: list[FrozenTrial], complete: list[FrozenTrial]
) -> list[dict[str, Any]]:
    """The leaderboard: complete trials best first, then pruned, then failed ones."""
    tables = {t.number: run.folder.predictions(t.number) for t in complete}
    best = tables[complete[0].number]
    others = complete[1:]
    p_values = holm([compare(run, best, tables[t.number]).p_value for t in others])
    against = {t.number: p for t, p in zip(others, p_values, strict=True)}
    left = [t for t in trials if t.state == TrialState.PRUNED]
    left += [t for t in trials if t.state == TrialState.FAIL and "reason" in known(t)]
    return [_trial_row(t, against.get(t.number)) for t in [*complete, *left]]


def _trial_row(trial: FrozenTrial, p_value: float | None) -> dict[str, Any]:
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    facts = known(trial)
    return {
        "number": trial.number,
        "state": state,
        "kind": facts.get("kind"),
        "name": facts.get("name"),
        "candidate": facts.get("candidate"),
        "params": trial.params,
        "prompt": facts.get("prompt"),
        "dev": facts.get("dev"),
        "unparsed_rate": facts.get("unparsed_rate"),
        "tokens_per_example": facts.get("tokens_per_example"),
        "seconds": facts.get("seconds"),
        "p_vs_best": p_value,
        "distinguishable": None if p_value is None else p_value < ALPHA,
        "reason": facts.get("reason"),
    }


def _touch_test(run: StudyRun, best: FrozenTrial, winner: Predictor) -> Predictions:
    """The winner's predictions on test. The lock is written before test is looked at.

    A run killed in between repeats the same winner; another winner is refused.
    """
    lock = run.folder.read_json("test.lock.json")
    record = {"trial": best.number, "candidate": known(best)["key"]}
    if lock is None:
        run.folder.write_json("test.lock.json", record)
    elif lock != record:
        raise StudyError(
            f"the test split of {run.spec.study!r} was spent on trial {lock['trial']} and the "
            f"winner is now trial {best.number}; test data decides nothing, so start a study with "
            "another --name"
        )
    path = run.folder.predictions_file("test")
    if path.exists():
        return Predictions.from_jsonl(path)
    run.events.emit(Phase("test"))
    rows, _ = evaluate_in_blocks(winner, run.task.test, run.spec.block, run.cancellation)
    rows.to_jsonl(path)
    return rows


def _baselines(
    run: StudyRun, best: FrozenTrial, winner: Predictor, majority: Predictions
) -> list[dict[str, Any]]:
    """Controls that nobody has to ask for."""
    run.events.emit(Phase("controls"))
    objectives = run.objectives
    dev_majority = majority_baseline(run.task.train, run.examples)
    label = majority[0].label
    return [
        {
            "name": "majority",
            "dev": summary(dev_majority, objectives),
            "test": summary(majority, objectives),
            "note": f"always {label!r}, the most frequent label of train",
        },
        {
            "name": "content-free",
            "dev": summary(_content_free(run, winner), objectives),
            "test": None,
            "note": f"the winner with {CONTENT_FREE!r} in every field: what it says unread",
        },
        _shuffled(run, best),
    ]


def _content_free(run: StudyRun, winner: Predictor) -> Predictions:
    """The winner's one answer to empty content, judged against every dev label."""
    fields = dict.fromkeys(run.task.fields, CONTENT_FREE)
    row = winner.predict([Example("content-free", fields)])[0]
    return Predictions(
        dataclasses.replace(row, example_id=e.id, target=e.label) for e in run.examples
    )


def _shuffled(run: StudyRun, best: FrozenTrial) -> dict[str, Any]:
    """The winner fitted on shuffled training labels: what it has from the labels' mere look."""
    labels = [example.label for example in run.task.train]
    random.Random(run.spec.seed).shuffle(labels)
    shuffled = tuple(
        dataclasses.replace(example, label=label)
        for example, label in zip(run.task.train, labels, strict=True)
    )
    control = run.fit(best, dataclasses.replace(run.task, train=shuffled))
    rows, _ = evaluate_in_blocks(control, run.examples, run.spec.block, run.cancellation)
    same = rows.labels == run.folder.predictions(best.number).labels
    note = "the winner fitted on shuffled training labels"
    if same:
        note += "; the same predictions: this prompt learns nothing from the labels"
    return {
        "name": "shuffled-labels",
        "dev": summary(rows, run.objectives),
        "test": None,
        "note": note,
    }


def _importances(run: StudyRun) -> dict[str, float]:
    """How much each dimension matters to the first objective, if that can be said.

    Conditional PED-ANOVA (Watanabe et al. 2023). Its top trials are a tenth of all but five at
    least, below which it is not stable.
    """
    complete = run.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    quantile = max(0.1, min(0.5, 5 / len(complete)))
    sign = -1 if run.objectives[0].maximise else 1  # it looks at what makes values small
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns of the direction set above
            found = optuna.importance.get_param_importances(
                run.study,
                evaluator=optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile),
                target=lambda trial: sign * trial.values[0],
            )
    except (ValueError, RuntimeError) as error:
        run.events.emit(Warned(f"no parameter importances: {error}"))
        return {}
    return {name: float(value) for name, value in found.items()}


def _history(run: StudyRun, trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    choose = max if run.objectives[0].maximise else min
    history: list[dict[str, Any]] = []
    best: float | None = None
    for trial in trials:
        if trial.state != TrialState.COMPLETE:
            continue
        value = trial.values[0]
        best = value if best is None else choose(best, value)
        history.append({"number": trial.number, "value": value, "best": best})
    return history


def _confusion(run: StudyRun, rows: Predictions) -> dict[str, Any] | None:
    """Counts by true label (row) and predicted label (column; the last one is unparsed)."""
    if not run.task.labels:
        return None
    labels = list(run.task.labels)
    columns = [*labels, "unparsed"] if rows.unparsed_rate else labels
    counts = Counter((row.target, "unparsed" if row.unparsed else row.label) for row in rows)
    matrix = [[counts[target, found] for found in columns] for target in labels]
    return {"labels": columns, "matrix": matrix}


def _tokens(run: StudyRun, complete: list[FrozenTrial]) -> int:
    return sum(round(known(t)["tokens_per_example"] * len(run.examples)) for t in complete)


def _statements(run: StudyRun, board: dict[str, Any], comparison: Comparison) -> list[str]:
    """The result in plain sentences."""
    best = board["best"]
    name, test = run.objectives[0].name, best["test"]
    told = [
        f"Trial {best['number']} ({best['name']}) is best on dev with {name} "
        f"{best['dev'][name]:.3f}; on the untouched test split it has {test[name]:.3f} "
        f"(accuracy {test['accuracy']:.3f}, 95 % interval {test['ci95'][0]:.3f} to "
        f"{test['ci95'][1]:.3f}, n = {test['n']})."
    ]
    verdict = "better than" if comparison.difference > 0 else "worse than"
    if comparison.p_value >= ALPHA:
        verdict = "not distinguishable from"
    told.append(
        f"On test it is {verdict} the majority baseline ({comparison.test}, "
        f"p = {comparison.p_value:.2g}, {comparison.n_discordant} discordant examples)."
    )
    rows = [row for row in board["trials"] if row["state"] == "complete"]
    own = rows[0]["tokens_per_example"]
    equal = [row for row in rows[1:] if not row["distinguishable"]]
    cheaper = [row for row in equal if row["tokens_per_example"] < own]
    if cheaper:
        row = min(cheaper, key=lambda r: r["tokens_per_example"])
        told.append(
            f"On dev it is not distinguishable from the cheaper trial {row['number']} "
            f"({row['name']}; {row['tokens_per_example']:.1f} instead of {own:.1f} tokens an "
            f"example, Holm-corrected p = {row['p_vs_best']:.2g})."
        )
    if rows[1:]:
        told.append(
            f"{len(rows) - 1 - len(equal)} of {len(rows) - 1} other trials are "
            "distinguishably worse on dev after Holm's correction."
        )
    return told


def _write_failures(run: StudyRun, winner: Predictor, dev: Predictions) -> None:
    """The winner's misses on dev: what may be looked at when prompts are mended."""
    examples = {example.id: example for example in run.examples}
    lines = []
    for row in dev.failures():
        example = examples[row.example_id]
        lines.append(
            json.dumps(
                {
                    "example_id": row.example_id,
                    "split": "dev",
                    "fields": dict(example.fields),
                    "prompt": winner.example_prompt(example),
                    "expected": row.target,
                    "actual": row.text if row.unparsed else row.label,
                    "unparsed": row.unparsed,
                    "scores": row.scores,
                },
                ensure_ascii=False,
            )
        )
    run.folder.write("failures.jsonl", "".join(line + "\n" for line in lines))


def _task_facts(run: StudyRun) -> dict[str, Any]:
    task = run.task
    return {
        "name": task.name,
        "metric": task.metric,
        "labels": list(task.labels),
        "n_train": len(task.train),
        "n_dev": len(task.dev),
        "n_test": len(task.test),
        "fingerprint": task.fingerprint,
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = ["number", "state", "kind", "name", "accuracy", "low", "high", "n", "p_vs_best",
               "unparsed_rate", "tokens_per_example", "seconds", "prompt"]  # fmt: skip
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        dev = row["dev"] or {}
        low, high = dev.get("ci95") or (None, None)
        writer.writerow(
            row | {"accuracy": dev.get("accuracy"), "low": low, "high": high, "n": dev.get("n")}
        )
    return stream.getvalue()
