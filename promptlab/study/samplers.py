"""Samplers and pruners by the names that study files use."""

from __future__ import annotations

import warnings
from typing import Any

import optuna

from promptlab.study.spec import StudySpec


def make_sampler(spec: StudySpec, started: int) -> optuna.samplers.BaseSampler:
    """The sampler; its seed moves on with the trials started, so a continued study does too."""
    seed = spec.seed + started
    match spec.sampler:
        case "random" | "exhaustive":
            return optuna.samplers.RandomSampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
        case "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed)
        case _:
            return optuna.samplers.TPESampler(seed=seed)


def make_pruner(spec: StudySpec, blocks: int) -> optuna.pruners.BasePruner:
    """The pruner; its steps are blocks of dev examples."""
    return _pruner(spec.pruner, max(blocks, 1))


def make_learning_pruner(spec: StudySpec) -> optuna.pruners.BasePruner:
    """The pruner within learning; its steps are evaluations on dev.

    Wilcoxon's test is about paired examples and says nothing here: nothing is pruned, then.
    """
    return _pruner("none" if spec.pruner == "wilcoxon" else spec.pruner, "auto")


def _pruner(name: str, most: int | str) -> optuna.pruners.BasePruner:
    """A pruner of at ``most`` so many steps (``auto``: as the first complete trial has)."""
    makers: dict[str, Any] = {
        "none": optuna.pruners.NopPruner,
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        "wilcoxon": lambda: optuna.pruners.WilcoxonPruner(p_threshold=0.1),
        "halving": optuna.pruners.SuccessiveHalvingPruner,
        "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=most),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner: optuna.pruners.BasePruner = makers[name]()
    return pruner
