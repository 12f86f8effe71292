"""The steps that learners of a study have taken, read from its folder while they take more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import promptlab as pl

Steps = Sequence[Mapping[str, Any]]


def learning_folders(runs: Path) -> list[str]:
    """Names of the studies in which something has been learned, the latest first."""
    found: dict[str, float] = {}
    for path in runs.glob("*/steps/*.jsonl"):
        name = path.parent.parent.name
        found[name] = max(found.get(name, 0.0), path.stat().st_mtime)
    return sorted(found, key=lambda name: (-found[name], name))


def learning_trials(runs: Path, name: str) -> list[int]:
    """Numbers of the trials of a study that have taken steps; `InputError` for other names."""
    if name not in learning_folders(runs):
        raise pl.InputError(f"{runs} holds no study named {name!r} in which something was learned")
    found: list[int] = pl.Study(runs / name).learned()
    return found


def read_steps(runs: Path, name: str, trial: int) -> list[dict[str, Any]]:
    """The steps of a trial so far. Raises `InputError` for a study or a trial without any."""
    if trial not in learning_trials(runs, name):
        raise pl.InputError(f"trial {trial} of {name!r} has taken no steps")
    return known(runs / name / "steps" / f"{trial}.jsonl")


def known(path: Path) -> list[dict[str, Any]]:
    """The steps of a file; one that was not written since is not read again."""
    steps: list[dict[str, Any]] = pl.Study(path.parents[1]).steps(int(path.stem))
    return steps


def curve_points(steps: Steps, key: str) -> list[tuple[float, float]]:
    """(step, value) where the value is known and finite."""
    found = [(float(row["step"]), (row.get("values") or {}).get(key)) for row in steps]
    return [
        (step, float(value))
        for step, value in found
        if isinstance(value, int | float) and math.isfinite(value)
    ]
