"""What every group of candidates gains over the cheap one that the study names as its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.evaluation.statistics import holm
from promptlab.study.decision.verdict import ALPHA
from promptlab.study.folder.saved_predictions import read_trial_predictions
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import trial_record


@dataclass(frozen=True)
class GroupGain:
    """A group's best trial on dev beside the baseline group's best, on the same dev examples.

    ``p_value`` is corrected by Holm over the groups; ``tokens_ratio`` says how many times as many
    tokens an example takes, ``None`` if the baseline takes none. Being the best of a group
    flatters the larger group on dev: what decides is the comparison on test.
    """

    group: str
    trial: int
    name: str
    value: float
    baseline_value: float
    difference: float
    p_value: float
    tokens_ratio: float | None
    maximise: bool = True

    @property
    def verdict(self) -> str:
        """Better, worse, or neither, in words."""
        if self.p_value >= ALPHA:
            return "no measurable gain over"
        better = (self.difference > 0) == self.maximise
        return "measurably better than" if better else "measurably worse than"

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self) | {"verdict": self.verdict}

    def sentence(self, baseline: str) -> str:
        """The gain as a sentence."""
        return (
            f"On dev {self.group} ({self.name}) has {self.value:.3f} beside "
            f"{self.baseline_value:.3f}: {self.verdict} {baseline} "
            f"(difference {self.difference:+.3f}, Holm-corrected p = {self.p_value:.2g}) "
            f"{self._cost}."
        )

    @property
    def _cost(self) -> str:
        if self.tokens_ratio is None:
            return "and the baseline asks no model"
        return f"for {self.tokens_ratio:.1f} times the tokens"


def group_gains(context: StudyContext, complete: Sequence[FrozenTrial]) -> list[GroupGain]:
    """One a group beside the study's ``baseline`` group; none without such a group.

    ``complete`` is sorted, best first.
    """
    first: dict[str, FrozenTrial] = {}
    for trial in complete:
        first.setdefault(context.group_of(trial), trial)
    baseline = first.pop(context.spec.baseline or "", None)
    if baseline is None or not first:
        return []
    rows = read_trial_predictions(context.folder, context.study, baseline)
    cost = trial_record(baseline)["tokens_per_example"]
    found = [
        context.compare_on_dev(read_trial_predictions(context.folder, context.study, t), rows)
        for t in first.values()
    ]
    p_values = holm([comparison.p_value for comparison in found])
    return [
        GroupGain(
            group=group,
            trial=trial.number,
            name=str(trial_record(trial)["name"]),
            value=trial.values[0],
            baseline_value=baseline.values[0],
            difference=comparison.difference,
            p_value=p_value,
            tokens_ratio=trial_record(trial)["tokens_per_example"] / cost if cost else None,
            maximise=context.objectives[0].maximise or comparison.measure == "accuracy",
        )
        for (group, trial), comparison, p_value in zip(first.items(), found, p_values, strict=True)
    ]
