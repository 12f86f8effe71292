"""The candidate that the winner is compared with on test, beside the majority class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import Comparison
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import trial_record


@dataclass(frozen=True)
class Reference:
    """A complete trial, chosen on dev alone, and why."""

    trial: FrozenTrial
    why: str

    @property
    def name(self) -> str:
        """The candidate's name."""
        return str(trial_record(self.trial)["name"])

    def record(self, comparison: Comparison) -> dict[str, Any]:
        """The comparison for the result document."""
        about = {"baseline": self.name, "trial": self.trial.number, "why": self.why}
        return about | comparison.record()

    def baseline(self, context: StudyContext, test: Predictions) -> dict[str, Any]:
        """Its row among the baselines."""
        return {
            "name": self.name,
            "dev": trial_record(self.trial)["dev"],
            "test": context.test_summary(test),
            "note": self.why,
        }

    def untested(self, reason: str) -> dict[str, Any]:
        """Its row when there are no predictions of test."""
        note = f"{self.why}; not measured on test, {reason}"
        return {
            "name": self.name,
            "dev": trial_record(self.trial)["dev"],
            "test": None,
            "note": note,
        }


def choose_reference(
    context: StudyContext, complete: Sequence[FrozenTrial], best: FrozenTrial
) -> Reference | None:
    """The best trial on dev of the group that the study names as its ``baseline``.

    When the winner is of that group itself, the best of all other groups: is the dearer one worth
    anything? Without a name, a winner that was learned is compared with the best candidate that was
    not: what did learning buy? ``complete`` is sorted, best first.
    """
    wanted = context.spec.baseline
    if wanted is None:
        kind = context.space.kinds[context.group_of(best)]
        if not kind.saves_fitted:
            return None
        groups = {name for name, kind in context.space.kinds.items() if not kind.saves_fitted}
        why = "the best candidate on dev of those that learn nothing by gradient"
    elif context.group_of(best) != wanted:
        groups, why = {wanted}, f"the best candidate on dev of the group {wanted!r}"
    else:
        groups = set(context.space.kinds) - {wanted}
        why = f"the best candidate on dev outside of the baseline group {wanted!r}"
    for trial in complete:
        if trial.number != best.number and context.group_of(trial) in groups:
            return Reference(trial, why)
    return None


def reference_sentence(reference: Reference, comparison: Comparison, verdict: str) -> str:
    """The comparison as a sentence."""
    return (
        f"On test it is {verdict} {reference.name}, {reference.why} ({comparison.test}, "
        f"difference {comparison.difference:+.3f}, p = {comparison.p_value:.2g}, "
        f"{comparison.n_discordant} discordant examples)."
    )
