"""What happened in a study, with the time: written line by line, read at any moment."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from promptlab.errors import Cancelled, PromptlabError
from promptlab.events import BlockScored, Event, Step, Stopped
from promptlab.files.cache import disk_errors
from promptlab.security.untrusted_text import json_text

LOG = "log.jsonl"
_BLOCK_SECONDS = 1.0
"""Between two blocks that are written."""
_CHUNK = 65_536


class EventLog:
    """A listener that appends events to ``<folder>/log.jsonl``: a JSON object with a UTC time each.

    Steps have files of their own (`StepLog`); of blocks at most one a second is written. As a
    context manager it notes what stops the study, and hears nothing more after its end.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self._stream: BinaryIO | None = None
        self._last_block = -math.inf
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with disk_errors(self.path.parent, f"Writing {self.path}"):
            self._stream = self.path.open("ab+", buffering=0)
            end_line(self._stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if isinstance(error, Exception):
                self(Stopped(_error_text(error), isinstance(error, Cancelled)))
        finally:
            with self._lock:
                stream, self._stream = self._stream, None
            if stream is not None:
                stream.close()

    def __call__(self, event: Event) -> None:
        """Write an event. Raises `DiskError`."""
        if isinstance(event, Step) or (isinstance(event, BlockScored) and not self._due()):
            return
        line = json_text({"time": _now()} | _finite(event.record()))
        with self._lock, disk_errors(self.path.parent, f"Writing {self.path}"):
            if self._stream is not None:
                self._stream.write(line.encode() + b"\n")

    def _due(self) -> bool:
        """Whether the last block that was written is long enough ago."""
        now = time.monotonic()
        if now - self._last_block < _BLOCK_SECONDS:
            return False
        self._last_block = now
        return True


class LogReader:
    """Reads what was appended to a log since the last look."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self._inode = -1
        self._offset = 0

    def read_new(self) -> tuple[list[dict[str, Any]], bool]:
        """The lines that came since, and whether the log is another one than at the last look."""
        try:
            stream = self.path.open("rb")
        except FileNotFoundError:
            again, self._inode, self._offset = self._offset > 0, -1, 0
            return [], again
        with stream:
            found = os.fstat(stream.fileno())
            inode, size = found.st_ino, found.st_size
            again = (self._inode not in (-1, inode)) or size < self._offset
            if again:
                self._offset = 0
            self._inode = inode
            stream.seek(self._offset)
            data = stream.read(size - self._offset)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return _rows(whole), again


def read_log(folder: Path | str, tail: int | None = None) -> list[dict[str, Any]]:
    """The events of a study's folder in order, or the last ``tail`` of them.

    Each has ``time`` (UTC, ISO 8601), ``event`` (the type's name) and the event's own fields. A
    line that a killed process left unfinished is passed over; without a log there are none.
    """
    path = Path(folder) / LOG
    if not path.exists():
        return []
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        start = 0 if tail is None else max(0, size - _CHUNK)
        while True:
            stream.seek(start)
            data = stream.read(size - start)
            rows = _rows(data if start == 0 else data.partition(b"\n")[2])
            if tail is None or start == 0 or len(rows) >= tail:
                return rows if tail is None else rows[max(0, len(rows) - tail) :]
            start = max(0, size - 4 * (size - start))


def storage_is_made(folder: Path) -> bool:
    """Whether others may open the storage in a study's folder.

    Opening one makes its tables, so two that open it while it is made stop each other. The log
    tells the study's start once the storage is there; studies without a log are older than that.
    """
    if not (folder / "study.db").exists():
        return False
    path = folder / LOG
    if not path.exists():
        return True
    with path.open("rb") as stream:
        return any(row.get("event") == "StudyStarted" for row in _rows(stream.read(_CHUNK)))


def end_line(stream: Any) -> None:
    """Close the line that a killed process may have left open."""
    if stream.seek(0, 2):
        stream.seek(-1, 2)
        if stream.read(1) != b"\n":
            stream.write(b"\n")


def _rows(data: bytes) -> list[dict[str, Any]]:
    """The lines that are JSON objects."""
    rows = []
    for line in data.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error_text(error: Exception) -> str:
    return str(error) if isinstance(error, PromptlabError) else f"{type(error).__name__}: {error}"


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN: such a value is null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }
