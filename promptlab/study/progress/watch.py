"""How far a study is, decided or not, whoever runs it: read from its folder alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from promptlab.errors import StudyError
from promptlab.models.remote.cost_ledger import CostLedgerReader
from promptlab.study.decision.trial_row import rank_rows
from promptlab.study.folder.documents import check_file_types, read_study_record
from promptlab.study.folder.event_log import LogReader, storage_is_made
from promptlab.study.folder.folder import StudyFolder, read_leaderboard
from promptlab.study.formatting import COUNTS
from promptlab.study.progress.log import StudyLog
from promptlab.study.progress.trials import CellRows, LoggedRows, StoredTrials
from promptlab.study.spec.curve_spec import LEARNING_CURVE

_WATCHED = 64
"""Studies whose last look is kept."""
_LAST_LINE = 65_536


class StudyWatcher:
    """Looks at one study's folder again and again; reads only what has changed since."""

    def __init__(self, folder: Path) -> None:
        self._folder = StudyFolder(folder)
        self._lock = threading.Lock()
        self._stamp: tuple[Any, ...] = ()
        self._known: dict[str, Any] = {}
        self._reset()

    def poll(self) -> dict[str, Any]:
        """What `Study.progress` tells. Raises `StudyError` when there is no study."""
        with self._lock:
            stamp = self._stamps()
            if stamp != self._stamp:
                self._known = self._readable()
                self._stamp = stamp
            return self._known | self._now(self._known)

    def _reset(self) -> None:
        self._log, self._reader = StudyLog(), LogReader(self._folder.path)
        self._logged = LoggedRows(self._folder.path)
        self._cells = CellRows(self._folder.path)
        self._about: dict[str, Any] = {}
        self._stored: StoredTrials | None = None
        self._paid = CostLedgerReader(self._folder.ledger_file)

    def _stamps(self) -> tuple[Any, ...]:
        """What tells whether anything was written since."""
        path = self._folder.path
        names = ("study.yaml", "log.jsonl", "leaderboard.json", "study.db", "study.db-wal", "cells")
        files = [path / name for name in (*names, self._folder.ledger_file.name)]
        files += [self._folder.steps_folder / f"{number}.jsonl" for number in self._log.running]
        return tuple(_stamp(file) for file in files)

    def _readable(self) -> dict[str, Any]:
        """What is there, if it is a study's. Raises `StudyError`."""
        try:
            return self._read()
        except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise StudyError(
                f"{self._folder.path} holds files that no study of this version has written "
                f"({type(error).__name__}: {error})"
            ) from error

    def _read(self) -> dict[str, Any]:
        check_file_types(self._folder.path)
        self._read_log()
        self._about = self._read_about()
        started = self._log.started or {}
        objective = str(started.get("objective") or self._about["objective"] or "")
        if self._folder.is_decided:
            return self._decided_progress(read_leaderboard(self._folder.path))
        maximise = bool(started.get("maximise", True))
        rows, finished = self._rows(objective or "accuracy")
        objective = objective or _guess_objective(rows)
        curve = self._about["kind"] == LEARNING_CURVE
        trials = rows if curve else rank_rows(rows, objective, maximise)
        planned = started.get("planned") or self._planned()
        return self._common_facts(objective, maximise, trials) | {
            "planned": max(planned, finished),
            "finished": finished,
            "examples": started.get("examples"),
            "statements": [],
        }

    def _read_log(self) -> None:
        rows, again = self._reader.read_new()
        if again:
            self._reset()
            rows, _ = self._reader.read_new()
        for row in rows:
            try:
                self._log.add_events(row)
            except (AttributeError, KeyError, TypeError, ValueError):
                continue  # a damaged line tells nothing; what is finished stands in the storage

    def _read_about(self) -> dict[str, Any]:
        """What the study's own file says."""
        path = self._folder.spec_file
        self._folder.require()
        if self._about.get("stamp") == _stamp(path):
            return self._about
        found = read_study_record(path)
        objectives = found.get("objectives") or [None]
        return {
            "stamp": _stamp(path),
            "study": found["study"],
            "kind": found.get("kind", "search"),
            "description": found.get("description") or "",
            "task": found["task"]["data"],
            "model": found["model"]["name"],
            "objective": objectives[0],
            "document": found,
        }

    def _planned(self) -> int:
        document = self._about["document"]
        if self._about["kind"] == LEARNING_CURVE:
            return len(document["methods"]) * len(document["sizes"]) * len(document["seeds"])
        queued = self._stored.planned if self._stored is not None else None
        return int(queued or document["budget"]["trials"])

    def _rows(self, objective: str) -> tuple[list[dict[str, Any]], int]:
        """Rows of what is finished, and how many trials or cells that are."""
        if self._about["kind"] == LEARNING_CURVE:
            rows = self._cells.rows(objective)
            return rows, len(rows)
        if storage_is_made(self._folder.path):
            if self._stored is None:
                self._stored = StoredTrials(self._folder.path, self._about["study"])
            return self._stored.rows()
        return self._logged.rows(self._log.finished, objective), len(self._log.finished)

    def _decided_progress(self, board: Mapping[str, Any]) -> dict[str, Any]:
        if self._stored is not None:
            self._stored.close()
        curve = board.get("kind") == LEARNING_CURVE
        objective = str(board.get("objective") or board["task"]["metric"])
        trials = self._cells.rows(objective) if curve else list(board["trials"])
        maximise = bool((self._log.started or {}).get("maximise", True))
        return self._common_facts(objective, maximise, trials) | {
            "planned": len(trials),
            "finished": len(trials),
            "examples": board["task"].get("n_test" if curve else "n_dev"),
            "statements": list(board.get("statements") or ()),
            "gaps": list(board.get("gaps") or ()),
            "cost": board.get("cost"),
            "worked": board.get("seconds"),
        }

    def _common_facts(
        self, objective: str, maximise: bool, trials: list[dict[str, Any]]
    ) -> dict[str, Any]:
        stored = self._stored
        first = trials[0] if trials and trials[0]["state"] == "complete" else None
        about = {key: self._about[key] for key in ("study", "kind", "description", "task", "model")}
        curve = self._about["kind"] == LEARNING_CURVE
        return about | {
            "folder": str(self._folder.path),
            "objective": objective,
            "maximise": maximise,
            "trials": trials,
            "best": None if first is None or curve else first["number"],
            "curves": self._cells.curves() if curve else [],
            "open": [self._with_steps(row) for row in self._log.running.values()],
            "phase": self._log.phase,
            "cost": self._paid.sums()
            or self._log.cost
            or (stored.cost if stored is not None else None),
            "worked": stored.seconds if stored is not None and not self._log.seen else None,
        }

    def _with_steps(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """An open trial with its learner's last step, if it has one."""
        last = _last_line(self._folder.steps_folder / f"{row['number']}.jsonl") or {}
        return {**row, "step": last.get("step"), "values": last.get("values") or {}}

    def _now(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """What changes with time alone; the folder's lock says whether somebody is at work."""
        now = time.time()
        log, stopped = self._log, self._log.stopped
        state = "interrupted"
        if self._folder.is_decided:
            state = "undecided" if known.get("gaps") else "decided"
        message = ""
        if self._folder.is_held:
            state = "running"
        elif state == "interrupted" and stopped is not None:
            state = "stopped" if stopped["cancelled"] else "failed"
            message = "" if stopped["cancelled"] else str(stopped["reason"])
        working = state == "running"
        left = log.seconds_left(now, known["planned"], known["finished"]) if working else None
        seconds = known["worked"]
        return {
            "state": state,
            "message": message,
            "running": known["open"] if working else [],
            "seconds": log.seconds(now if working else None) if seconds is None else seconds,
            "seconds_left": left,
        }


@lru_cache(maxsize=_WATCHED)
def watch_study(folder: Path) -> StudyWatcher:
    """The one watch of a study's absolute ``folder``; it knows what it has seen."""
    return StudyWatcher(folder)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _guess_objective(rows: list[dict[str, Any]]) -> str:
    """The objective of a study without a log: what its trials were measured by beside accuracy."""
    for row in rows:
        others = [
            k for k in row["dev"] or () if k != "accuracy" and k not in COUNTS and "ci95" not in k
        ]
        if others:
            return str(others[0])
    return "accuracy"


def _last_line(path: Path) -> dict[str, Any] | None:
    """The last whole JSON object of a file of lines."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _LAST_LINE))
            lines = stream.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            return row
    return None
