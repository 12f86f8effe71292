"""What a study must know before it decides: candidates with too many examples unanswered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.data.example import Example
from promptlab.evaluation.predictions import Predictions
from promptlab.study.decision.ranking import Ranking
from promptlab.study.spec.objective import Objective
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.trials import trial_record


@dataclass(frozen=True)
class AnswerGap:
    """``missing`` of a candidate's ``examples`` of ``split`` have no answer; ``reason``: the first.

    ``trial`` is its number.
    """

    split: str
    trial: int
    name: str
    missing: int
    examples: int
    reason: str

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def answer_gap(
    split: str, trial: FrozenTrial, rows: Predictions, allowed: float
) -> AnswerGap | None:
    """The gap in a trial's predictions, if it is larger than the ``allowed`` share."""
    if rows.n_missing <= allowed * len(rows):
        return None
    name = str(trial_record(trial)["name"])
    return AnswerGap(split, trial.number, name, rows.n_missing, len(rows), rows.errors[0])


def dev_answer_gaps(
    spec: StudySpec,
    objectives: Sequence[Objective],
    examples: Sequence[Example],
    ranking: Ranking,
    failed: Sequence[FrozenTrial],
) -> list[AnswerGap]:
    """Gaps of the candidates that could still be the best; those never answered at all are, too.

    Others have lost whatever their missing answers would be.
    """
    allowed = spec.decision.missing
    objective = objectives[0]
    least = _bounds(objective, ranking.tables[ranking.best.number])
    found = []
    for trial in ranking.trials:
        rows = ranking.tables[trial.number]
        most = _bounds(objective, rows)
        if trial.number != ranking.best.number and least and most and most[1] < least[0]:
            continue
        found.append(answer_gap("dev", trial, rows, allowed))
    size = len(examples)
    if allowed < 1:
        found += [
            AnswerGap(
                "dev",
                t.number,
                str(trial_record(t)["name"]),
                size,
                size,
                str(trial_record(t)["reason"]),
            )
            for t in failed
            if trial_record(t).get("unanswered")
        ]
    return [gap for gap in found if gap is not None]


def _bounds(objective: Objective, rows: Predictions) -> tuple[float, float] | None:
    """The least and the most that a trial's value can be, whatever its missing answers are.

    Larger is better. ``None`` for what is no mean of values between 0 and 1.
    """
    values = objective.per_example(rows.answered)
    if values is None or any(not 0 <= value <= 1 for value in values):
        return None
    known = sum(values if objective.maximise else [1 - value for value in values])
    return known / len(rows), (known + rows.n_missing) / len(rows)
