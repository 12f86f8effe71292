"""How much each dimension of a study matters to its first objective."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState


def importance_options(study: optuna.Study, maximise: bool) -> dict[str, Any]:
    """Arguments of Optuna's importances and of their plot.

    Conditional PED-ANOVA (Watanabe et al. 2023). Its top trials are a tenth of all but five at
    least, below which it is not stable.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    quantile = max(0.1, min(0.5, 5 / max(1, len(complete))))
    sign = -1 if maximise else 1  # it looks at what makes values small

    def target(trial: FrozenTrial) -> float:
        return float(sign * trial.values[0])

    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    return {"evaluator": evaluator, "target": target}


def importances(study: optuna.Study, maximise: bool) -> dict[str, float]:
    """Shares by dimension, largest first. Raises `ValueError` when they cannot be said."""
    options = importance_options(study, maximise)
    found = unwarned(lambda: optuna.importance.get_param_importances(study, **options))
    return {name: float(value) for name, value in found.items()}


def unwarned(compute: Callable[[], Any]) -> Any:
    """What ``compute`` gives; Optuna warns of the direction that `importance_options` sets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return compute()
