"""Which studies there are: shipped ones, and those in an output folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlab.study.folder import StudyFolder
from promptlab.study.spec import shipped_studies


def study_rows(out: Path) -> list[dict[str, Any]]:
    """One row a study: name, state, trials, best prompt's name, its test accuracy, path.

    ``state`` is *shipped*, *unfinished* or *decided*.
    """
    rows = [_row(name, "shipped", str(path)) for name, path in shipped_studies().items()]
    folders = sorted(path.parent for path in out.glob("*/study.yaml"))
    return rows + [_folder_row(folder) for folder in folders]


def _folder_row(path: Path) -> dict[str, Any]:
    board = StudyFolder(path).read_json("leaderboard.json")
    if board is None:
        trials = len(list((path / "predictions").glob("[0-9]*.jsonl")))
        return _row(path.name, "unfinished", str(path), trials=trials)
    return _row(
        path.name,
        "decided",
        str(path),
        trials=len(board["trials"]),
        best=board["best"]["name"],
        accuracy=board["best"]["test"]["accuracy"],
    )


def _row(
    name: str,
    state: str,
    path: str,
    *,
    trials: int | None = None,
    best: str | None = None,
    accuracy: float | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "trials": trials,
        "best": best,
        "accuracy": accuracy,
        "path": path,
    }
