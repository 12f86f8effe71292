"""What some work has paid endpoints, written down request by request before a reply is used."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

from promptlab.files.cache import atomic_write, disk_errors, is_disk_full, remove

COUNTS = (
    "requests", "retries", "failed", "cached", "estimated", "unheard", "tokens_in", "tokens_out",
)  # fmt: skip
"""What is counted; the sums of a ledger have ``dollars``, too."""
_SYNC_SECONDS = 0.5
"""A machine that loses power loses the costs of so long at most; a killed process loses none."""
_RESERVE = 1 << 14
"""Bytes that are freed when the disk is full: requests under way can still be written down."""


class CostLedger:
    """Sums of what was paid while it is in force, kept in a file of one JSON line an entry.

    A request is written down when it is sent (``unheard``) and again when something came of it, so
    that what a killed run had under way is known as such. A line that cannot be read is a request
    of which nothing is known. ``before`` are the sums of earlier work, written first into a new
    file. Without ``path`` all is in memory. Used by several threads. Raises `DiskError`.
    """

    def __init__(self, path: Path | None = None, before: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._sums = _Sums()
        self._descriptor: int | None = None
        self._synced = 0.0
        self._full = False
        if path is None:
            self._sums.add(before or {})
            return
        if before and not path.exists():
            with atomic_write(path) as partial:
                partial.write_text(json.dumps(dict(before)) + "\n", encoding="utf-8")
        self._sums = _read(path)

    def __enter__(self) -> CostLedger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def sums(self) -> dict[str, Any] | None:
        """The counts, and ``dollars`` (``None`` if the price of anything is not known).

        ``None`` if nothing was ever written down.
        """
        with self._lock:
            return self._sums.record() if self._sums.entries else None

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write down counts and ``dollars``."""
        line = json.dumps({name: value for name, value in entry.items() if value != 0})
        with self._lock:
            self._sums.add(entry)
            if self.path is not None:
                self._write(self.path, line.encode() + b"\n")

    def close(self) -> None:
        """Nothing more is to come for now."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None and self.path is not None:
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                    remove(_reserve_of(self.path))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While inside, what remote models are asked by this thread is written down here."""
        before = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(before)

    def _write(self, path: Path, data: bytes) -> None:
        with disk_errors(path.parent, f"Writing {path}"):
            if self._descriptor is None:
                self._descriptor = self._opened(path)
            full = None
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except OSError as error:
                    if self._full or not is_disk_full(error):
                        raise
                    self._full, full = True, error
                    remove(_reserve_of(path))
            if full is not None:
                raise full  # it is written down, and nothing more is to be asked
            if time.monotonic() - self._synced > _SYNC_SECONDS:
                os.fsync(self._descriptor)
                self._synced = time.monotonic()

    def _opened(self, path: Path) -> int:
        """The file, its last line closed, and room beside it for when the disk is full."""
        path.parent.mkdir(parents=True, exist_ok=True)
        _reserve_of(path).write_bytes(bytes(_RESERVE))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")
        return descriptor


class _Sums:
    """Counts and dollars, added up."""

    def __init__(self) -> None:
        self.entries = 0
        self._counts = dict.fromkeys(COUNTS, 0)
        self._dollars: float | None = 0.0

    def add(self, entry: Mapping[str, Any]) -> None:
        self.entries += bool(entry)
        for name in COUNTS:
            self._counts[name] += entry.get(name, 0)
        dollars = entry.get("dollars", 0.0)
        known = self._dollars is not None and dollars is not None
        self._dollars = self._dollars + dollars if known else None

    def add_line(self, line: bytes) -> None:
        if line.strip():
            self.add(_entry(line))

    def record(self) -> dict[str, Any]:
        return {**self._counts, "dollars": self._dollars}


class CostLedgerReader:
    """Looks at a ledger that others write; a look reads what was added since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._sums = _Sums()

    def sums(self) -> dict[str, Any] | None:
        """As `CostLedger.sums`; ``None`` without a file."""
        try:
            stream = self._path.open("rb")
        except OSError:
            return None
        with stream:
            if os.fstat(stream.fileno()).st_size < self._offset:  # another one
                self._offset, self._sums = 0, _Sums()
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._offset += len(line)
                self._sums.add_line(line)
        return self._sums.record() if self._sums.entries else None


def current() -> CostLedger | None:
    """The `CostLedger` that is in force in this thread."""
    return _in_force.get()


def _read(path: Path) -> _Sums:
    found = _Sums()
    if not path.exists():
        return found
    with disk_errors(path.parent, f"Reading {path}"), path.open("rb") as stream:
        for line in stream:
            found.add_line(line)
    return found


def _entry(line: bytes) -> dict[str, Any]:
    """An entry; of a line that was cut or damaged is known only that there was one."""
    try:
        found = json.loads(line)
        good = isinstance(found, dict) and all(_is_amount(value) for value in found.values())
    except (ValueError, RecursionError):
        good = False
    return found if good else {"unheard": 1}


def _is_amount(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _reserve_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.reserve")


_in_force: ContextVar[CostLedger | None] = ContextVar("ledger_in_force", default=None)
