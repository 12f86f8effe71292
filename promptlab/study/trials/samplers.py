"""Samplers and pruners by the names that study files use."""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

import optuna

from promptlab.study.spec.spec import StudySpec


def make_sampler(spec: StudySpec, number: int) -> optuna.samplers.BaseSampler:
    """The sampler for the trial of this ``number``.

    Every trial has one of its own, so that what it is asked to be follows from the study's seed,
    its number and the trials before it, and from nothing that a killed process had in memory.
    """
    seed = trial_seed(spec.seed, number)
    match spec.sampler:
        case "random" | "exhaustive":
            return optuna.samplers.RandomSampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
        case "nsga2":
            return optuna.samplers.NSGAIISampler(seed=seed)
        case _:
            return optuna.samplers.TPESampler(seed=seed)


def trial_seed(seed: int, number: int) -> int:
    """The seed of one trial's sampler: 32 bits, as NumPy wants them."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])


def make_pruner(spec: StudySpec, blocks: int) -> optuna.pruners.BasePruner:
    """Optuna's pruner; its steps are blocks of dev examples.

    `SequentialPruner` is ours: it compares predictions, which Optuna does not see.
    """
    return _pruner("none" if spec.pruner == "sequential" else spec.pruner, max(blocks, 1))


def make_learning_pruner(spec: StudySpec) -> optuna.pruners.BasePruner:
    """The pruner within learning; its steps are evaluations on dev.

    Tests of paired examples say nothing here: nothing is pruned, then.
    """
    paired = spec.pruner in ("wilcoxon", "sequential")
    return _pruner("none" if paired else spec.pruner, "auto")


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
