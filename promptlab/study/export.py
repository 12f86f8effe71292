"""Results copied out of a study's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from promptlab.errors import StudyError
from promptlab.files.cache import atomic_write
from promptlab.study.folder.documents import DECIDE_AGAIN, check_unchanged
from promptlab.study.folder.folder import StudyFolder, read_leaderboard


def export_study(folder: Path, to: Path, *, trial: int | None = None) -> list[Path]:
    """Write ``to``: the leaderboard (.json, .csv), predictions (.jsonl), or the winner (a folder).

    Predictions are those of ``trial`` on dev, or the winner's on test. Returns what was written.
    Raises `StudyError` for an unknown ending or trial, or when ``to`` exists already.
    """
    read_leaderboard(folder)
    if to.exists():
        raise StudyError(f"{to} exists already; give another name or remove it")
    source = _source(StudyFolder(folder), to, trial)
    if not source.exists():
        raise StudyError(f"the study in {folder} has no {source.name}; trials are listed by show")
    if not source.is_dir() and not source.is_file():
        raise StudyError(f"{source} is no plain file; remove it, and {DECIDE_AGAIN}")
    if source.is_file():
        check_unchanged(folder, str(source.relative_to(folder)), DECIDE_AGAIN)
    with atomic_write(to) as partial:
        if source.is_dir():
            _copy_folder(source, partial)
        else:
            shutil.copyfile(source, partial)
    return sorted(to.iterdir()) if to.is_dir() else [to]


def _copy_folder(source: Path, to: Path) -> None:
    """Copy a folder. Raises `StudyError` naming what is no plain file in it."""
    try:
        shutil.copytree(source, to)
    except shutil.Error as error:
        path, _, reason = error.args[0][0]
        raise StudyError(f"{path} cannot be copied ({reason}); {DECIDE_AGAIN}") from error


def _source(folder: StudyFolder, to: Path, trial: int | None) -> Path:
    match to.suffix:
        case ".json":
            return folder.leaderboard_file
        case ".csv":
            return folder.path / "leaderboard.csv"
        case ".jsonl":
            return folder.predictions_file("test" if trial is None else trial)
        case ".html":
            return folder.report_file
        case "":
            return folder.best_folder
    raise StudyError(
        f"cannot export to {to.name}: use .json or .csv (leaderboard), .jsonl (predictions), "
        ".html (report), or a folder (the winning prompt)"
    )
