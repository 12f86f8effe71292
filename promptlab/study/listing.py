"""Which studies there are: shipped ones, and those in an output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from promptlab.study.curve_spec import LEARNING_CURVE
from promptlab.study.folder import StudyFolder
from promptlab.study.spec import SEARCH, shipped_studies


def study_rows(out: Path) -> list[dict[str, Any]]:
    """One row a study: name, kind, state, trials, best prompt's name, its test accuracy, path.

    ``state`` is *shipped*, *unfinished*, *undecided* (for want of answers) or *decided*. A
    learning curve's cells count as its trials; it has no best.
    """
    rows = [
        _row(name, "shipped", str(path), kind=_kind(path))
        for name, path in shipped_studies().items()
    ]
    folders = sorted(path.parent for path in out.glob("*/study.yaml"))
    return rows + [_folder_row(folder) for folder in folders]


def _folder_row(path: Path) -> dict[str, Any]:
    board = StudyFolder(path).read_json("leaderboard.json")
    if board is None:
        kind = _kind(path / "study.yaml")
        done = "cells/*.json" if kind == LEARNING_CURVE else "predictions/[0-9]*.jsonl"
        return _row(
            path.name, "unfinished", str(path), kind=kind, trials=len(list(path.glob(done)))
        )
    if board.get("kind") == LEARNING_CURVE:
        return _row(
            path.name, "decided", str(path), kind=LEARNING_CURVE, trials=len(board["cells"])
        )
    test = board["best"].get("test") or {}
    return _row(
        path.name,
        "undecided" if board.get("gaps") else "decided",
        str(path),
        trials=len(board["trials"]),
        best=board["best"]["name"],
        accuracy=test.get("accuracy"),
    )


def _kind(file: Path) -> str:
    """The kind that a study file names."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):  # listed all the same; running it says what is wrong
        return SEARCH
    named = document.get("kind") if isinstance(document, dict) else None
    return named if isinstance(named, str) else SEARCH


def _row(
    name: str,
    state: str,
    path: str,
    *,
    kind: str = SEARCH,
    trials: int | None = None,
    best: str | None = None,
    accuracy: float | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "state": state,
        "trials": trials,
        "best": best,
        "accuracy": accuracy,
        "path": path,
    }
