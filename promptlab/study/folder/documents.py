"""Files of a study's folder, read as if somebody had damaged them: named, with what to do.

``checksums.json`` is written with a decision: the hash of every file that tells the result. Folders
of earlier versions have none, and are read all the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from promptlab.errors import StudyError
from promptlab.files.safe_yaml import read_yaml
from promptlab.files.text_file import is_there, read_text_file

CHECKSUMS = "checksums.json"
DECIDE_AGAIN = "remove leaderboard.json, and `promptlab study run` decides the study again"
TRIAL_AGAIN = f"{DECIDE_AGAIN}, and judges the trial again"
TEST_AGAIN = f"{DECIDE_AGAIN}, and predicts test again by the same prompt"
BRING_BACK = "bring a copy of it back, or give this study another --name"
_WHILE_WRITTEN = 0.05
"""Seconds after which a result is looked at again that does not fit its checksum."""
MOST_BYTES = 1_000_000_000
"""Of one file."""
_FILES = (
    "study.yaml", "study.db", "leaderboard.json", "leaderboard.csv", "test.lock.json",
    "failures.jsonl", "unanswered.jsonl", "repeats.json", "log.jsonl", "report.html", "cost.jsonl",
    "corrections.jsonl", ".lock", CHECKSUMS,
)  # fmt: skip
_FOLDERS = ("predictions", "fitted", "checkpoints", "steps", "cells", "best", "cheaper", "given")


def read_json_file(path: Path, mend: str) -> Any:
    """A JSON document, ``None`` if there is none. Raises `StudyError` naming the file."""
    if not is_there(path):
        return None
    text = read_text_file(path, mend, most=MOST_BYTES)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path} is no JSON document ({error}); {mend}") from error


def read_study_record(path: Path) -> dict[str, Any]:
    """What a run has written about its study (``study.yaml``): its spec, and ``resolved``.

    Raises `StudyError` naming the file when it is not as a run writes it.
    """
    found = read_yaml(read_text_file(path, BRING_BACK, most=MOST_BYTES), str(path))
    wrong = _wrong_in(found)
    if wrong:
        raise StudyError(f"{path}: {wrong}, so no run of promptlab wrote it; {BRING_BACK}")
    record: dict[str, Any] = found
    return record


def _wrong_in(found: Any) -> str:
    """What is not as in a record; empty if all is."""
    if not isinstance(found, dict):
        return "it is no mapping"
    for key in ("task", "model"):
        if not isinstance(found.get(key), dict):
            return f"{key} is no mapping"
    if not isinstance(found.get("study"), str):
        return "study is no text"
    lists = ("methods", "sizes", "seeds") if "methods" in found else ("candidates",)
    if any(not isinstance(found.get(key), list) for key in lists):
        return f"{', '.join(lists)} should be lists"
    resolved = found.get("resolved")
    hashes = resolved.get("hashes") if isinstance(resolved, dict) else None
    if not isinstance(hashes, dict) or not all(
        isinstance(hashes.get(key), str) for key in ("study", "task")
    ):
        return "the hashes of the study and its task are missing under resolved"
    return ""


def check_file_types(folder: Path) -> None:
    """Raise `StudyError` where a folder or a pipe stands in place of a study's file, or other way.

    Opening a pipe would wait for ever.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError:  # whoever reads a file of it says what is wrong
        return
    for name in (*_FILES, *_FOLDERS):
        if name not in names:
            continue
        path = folder / name
        if path.is_symlink() and not is_there(path):
            raise StudyError(f"{path} is a link that leads nowhere; remove it")
        if name in _FILES and not path.is_file():
            raise StudyError(
                f"{path} should be a plain file, and is none; remove it, and bring back the file"
            )
        if name in _FOLDERS and not path.is_dir():
            raise StudyError(f"{path} should be a folder, and is none; remove it")


def file_checksum(path: Path) -> str:
    """The hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The hashes of the files of these names that are there, in a fixed order."""
    return {n: file_checksum(folder / n) for n in sorted(names) if (folder / n).is_file()}


def check_unchanged(folder: Path, name: str, mend: str) -> None:
    """Raise `StudyError` when a file is not as the study's decision left it."""
    known = read_json_file(folder / CHECKSUMS, f"remove it, and {DECIDE_AGAIN}")
    if known is None:
        return
    if not isinstance(known, dict):
        raise StudyError(f"{folder / CHECKSUMS} is no mapping; remove it, and {DECIDE_AGAIN}")
    path, expected = folder / name, known.get(name)
    if expected is not None and path.is_file() and file_checksum(path) != expected:
        raise StudyError(
            f"{path} is not as the study wrote it (its checksum is another one); {mend}"
        )


def find_leaderboard(folder: Path) -> dict[str, Any] | None:
    """The result of a decided study, ``None`` without one.

    Raises `StudyError` for one that is damaged, or was changed since it was written.
    """
    try:
        return _read_board(folder)
    except StudyError:
        time.sleep(_WHILE_WRITTEN)  # a run that decides right now writes two files
        return _read_board(folder)


def _read_board(folder: Path) -> dict[str, Any] | None:
    path = folder / "leaderboard.json"
    board = read_json_file(path, DECIDE_AGAIN)
    if board is None and not is_there(path):
        return None
    kind = board.get("kind") if isinstance(board, dict) else None
    rows = "cells" if kind == "learning_curve" else "trials"
    if not isinstance(board, dict) or not isinstance(board.get(rows), list):
        raise StudyError(
            f"{path} is no result of a study: it holds no list of {rows}; {DECIDE_AGAIN}"
        )
    check_unchanged(folder, path.name, DECIDE_AGAIN)
    return board


def use_document(make: Callable[[], Any], path: Path, mend: str = DECIDE_AGAIN) -> Any:
    """What ``make`` gives of a document; what it cannot use in it becomes a `StudyError`."""
    try:
        return make()
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path} is not as this version writes it ({type(error).__name__}: {error}); {mend}"
        ) from error


def is_number(value: Any) -> bool:
    """Whether a value of a JSON document is a finite number."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value)


def is_test_lock(found: Any) -> bool:
    """Whether a document says who has looked at test, as ``test.lock.json`` does."""
    return (
        isinstance(found, Mapping)
        and isinstance(found.get("trial"), int)
        and isinstance(found.get("candidate"), str)
        and isinstance(found.get("reference", ""), str)
    )
