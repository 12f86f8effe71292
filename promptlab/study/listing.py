"""Which studies there are: shipped ones, and those in an output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlab.errors import StudyError
from promptlab.files.safe_yaml import read_yaml
from promptlab.files.text_file import read_text_file
from promptlab.study.folder.documents import BRING_BACK, MOST_BYTES, find_leaderboard, use_document
from promptlab.study.spec.curve_spec import LEARNING_CURVE
from promptlab.study.spec.load import shipped_studies
from promptlab.study.spec.spec import SEARCH

DAMAGED = "damaged"


def study_rows(out: Path) -> list[dict[str, Any]]:
    """One row a study: name, kind, state, trials, best prompt's name, its test accuracy, path.

    ``state`` is *shipped*, *unfinished*, *undecided* (for want of answers), *decided* or *damaged*:
    a file in the folder cannot be read, and `promptlab study show` says which. A
    learning curve's cells count as its trials; it has no best.
    """
    rows = [
        _row(name, "shipped", str(path), kind=_kind(path))
        for name, path in shipped_studies().items()
    ]
    folders = sorted(path.parent for path in out.glob("*/study.yaml"))
    return rows + [_folder_row(folder) for folder in folders]


def _folder_row(path: Path) -> dict[str, Any]:
    try:
        return _read_row(path, find_leaderboard(path))
    except StudyError:  # which `study show` and `study run` tell
        return _row(path.name, DAMAGED, str(path))


def _read_row(path: Path, board: dict[str, Any] | None) -> dict[str, Any]:
    if board is None:
        kind = _kind(path / "study.yaml")
        done = "cells/*.json" if kind == LEARNING_CURVE else "predictions/[0-9]*.jsonl"
        return _row(
            path.name, "unfinished", str(path), kind=kind, trials=len(list(path.glob(done)))
        )
    place = path / "leaderboard.json"
    return use_document(lambda: _decided_row(path, board), place)


def _decided_row(path: Path, board: dict[str, Any]) -> dict[str, Any]:
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
        document = read_yaml(read_text_file(file, BRING_BACK, most=MOST_BYTES), str(file))
    except StudyError:  # listed all the same; running it says what is wrong
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
