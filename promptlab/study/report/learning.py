"""What the report shows of learning: curves, accepted trigger steps, and words of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.predictors.candidate import Candidate
from promptlab.study import formatting
from promptlab.study.folder.documents import read_json_file, use_document
from promptlab.study.folder.step_log import read_steps
from promptlab.study.report.learning_plots import LearnedTrial, dev_plot, loss_plot, tones

FACTS = "learned.json"
"""Beside the learned parts of a predictor; their own module loads torch, which no report needs."""
_MOST_STEPS = 200
"""Accepted steps of one search that are shown."""


def learning_page(board: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """The section *Learning* of a report; ``None`` when no trial of the study has learned.

    ``folder`` is the study's, with ``steps/`` and ``fitted/``.
    """
    trials = [trial for trial in board["trials"] if trial.get("candidate")]
    steps = {t["number"]: read_steps(folder / "steps" / f"{t['number']}.jsonl") for t in trials}
    learned = [trial for trial in trials if steps[trial["number"]]]
    parts = [(trial, _facts(folder, trial)) for trial in trials]
    words = [_vectors(board, t, facts) for t, facts in parts if facts.get("nearest")]
    if not learned and not words:
        return None
    colours = tones([str(trial.get("kind")) for trial in learned])
    best = next((t["number"] for t in learned if t["state"] == "complete"), None)
    learnt = [
        LearnedTrial(
            trial["number"],
            str(trial.get("name") or ""),
            str(trial.get("kind")),
            steps[trial["number"]],
            colours[str(trial.get("kind"))],
            trial["number"] == best,
        )
        for trial in learned
    ]
    return {
        "loss": loss_plot(learnt),
        "dev": dev_plot(learnt, str(board["objective"])),
        "kinds": list(colours.items()),
        "best": best,
        "searches": [_search(board, one) for one in learnt if _is_search(one)],
        "vectors": words,
    }


def _is_search(one: LearnedTrial) -> bool:
    return any((row.get("notes") or {}).get("tokens") for row in one.steps)


def _search(board: Mapping[str, Any], one: LearnedTrial) -> dict[str, Any]:
    """The accepted steps of a trigger search; ``left`` counts those not shown."""
    objective = str(board["objective"])
    accepted = [row for row in one.steps if "dev" in row["values"]]
    rows = []
    for row in accepted[-_MOST_STEPS:]:
        values = row["values"]
        loss, dev = (
            formatting.as_number(values.get("loss")),
            formatting.as_number(values.get("dev")),
        )
        rows.append(
            {
                "step": row["step"],
                "words": row["notes"].get("words", ""),
                "loss": "" if loss is None else f"{loss:.4f}",
                "dev": "" if dev is None else formatting.format_metric(objective, dev),
            }
        )
    left = len(accepted) - len(rows)
    return {"number": one.number, "name": one.name, "best": one.best, "rows": rows, "left": left}


def _vectors(
    board: Mapping[str, Any], trial: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The nearest words of a trial's vectors, and what they are worth in the vectors' places."""
    key = _key(trial)
    reading = next(
        (
            other
            for other in board["trials"]
            if other.get("kind") == "words" and (other.get("candidate") or {}).get("of") == key
        ),
        None,
    )
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "words": [(_visible(str(token)), f"{cosine:.2f}") for token, cosine in near],
        }
        for place, near in enumerate(facts["nearest"], 1)
    ]
    return {
        "number": trial["number"],
        "name": trial.get("name") or "",
        "rows": rows,
        "score": _score(board, trial),
        "reading": None if reading is None else _score(board, reading),
        "line": " ".join(row["words"][0][0] for row in rows if row["words"]),
        "facts": _about(facts),
    }


def _about(facts: Mapping[str, Any]) -> str:
    """How something was learned, in a line."""
    start = (facts.get("start") or {}).get("init")
    known = [
        f"started from {start}" if start else "",
        f"{facts['steps']} steps" if facts.get("steps") is not None else "",
        f"best at step {facts['best_step']}" if facts.get("best_step") is not None else "",
    ]
    return ", ".join(filter(None, known))


def _score(board: Mapping[str, Any], trial: Mapping[str, Any]) -> str:
    scores = trial.get("dev") or {}
    measure = formatting.leading_metric(scores, board)
    value = formatting.as_number(scores.get(measure))
    if value is None:
        return str(trial["state"])
    return f"{formatting.in_words(measure)} {formatting.format_metric(measure, value)} on dev"


def _facts(folder: Path, trial: Mapping[str, Any]) -> dict[str, Any]:
    """The notes that are kept with a trial's learned parts; none if nothing is kept."""
    path = folder / "fitted" / _key(trial) / FACTS
    if not path.is_file():
        return {}
    read = read_json_file(path, f"remove {path.parent}, and the next run fits it again")
    found: dict[str, Any] = use_document(lambda: read.get("facts") or {}, path)
    return found


def _key(trial: Mapping[str, Any]) -> str:
    return Candidate.of(str(trial.get("kind")), trial["candidate"], "").key


def _visible(token: str) -> str:
    """A token with its white space made visible where it is nothing else."""
    return token.strip() or token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") or "∅"
