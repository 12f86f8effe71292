"""A trial as a row of the leaderboard, while the study runs and when it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.evaluation.statistics import Comparison
from promptlab.study.decision.verdict import ALPHA
from promptlab.study.folder.provenance import RESTS_ON
from promptlab.study.trials.learning_curve_pruner import learning_curve
from promptlab.study.trials.trials import trial_record


def trial_row(
    trial: FrozenTrial, p_value: float | None = None, vs_best: Comparison | None = None
) -> dict[str, Any]:
    """All that is told of a trial; ``p_value`` is that of the test against the best one.

    It is corrected; ``vs_best`` is the test itself.
    """
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    facts = trial_record(trial)
    notes = facts.get("notes")
    return ({"notes": notes} if notes else {}) | {
        "number": trial.number,
        "state": state,
        "kind": facts.get("kind"),
        "name": facts.get("name"),
        "candidate": facts.get("candidate"),
        "params": trial.params,
        "prompt": facts.get("prompt"),
        "dev": facts.get("dev"),
        "unparsed_rate": facts.get("unparsed_rate"),
        "errors": facts.get("errors", 0),
        "cut": facts.get("cut"),
        "tokens_per_example": facts.get("tokens_per_example"),
        "learning_tokens": facts.get("learning_tokens", 0),
        "seconds": facts.get("seconds"),
        "p_vs_best": p_value,
        "vs_best": None if vs_best is None else vs_best.record(),
        "distinguishable": None if p_value is None else p_value < ALPHA,
        "reason": facts.get("reason"),
        "curve": learning_curve(trial),
        RESTS_ON: facts.get(RESTS_ON),
    }


def rank_rows(
    rows: Sequence[dict[str, Any]], objective: str, maximise: bool
) -> list[dict[str, Any]]:
    """Complete rows best first (among equals the cheaper, then the earlier), then the others."""
    sign = -1 if maximise else 1

    def rank(row: dict[str, Any]) -> tuple[int, float, float, int]:
        place = ("complete", "pruned", "failed").index(row["state"])
        value = (row["dev"] or {}).get(objective)
        if place or value is None:
            return max(place, 1), 0.0, 0.0, row["number"]
        return 0, sign * value, row["tokens_per_example"] or 0.0, row["number"]

    return sorted(rows, key=rank)
