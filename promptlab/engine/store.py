"""Slot features and tail scores on disk, by content hash.

The feature at the slot does not depend on the verbalizer: kept once, every later verbalizer and
calibration is a small product. One SQLite file per model key; a crash loses at most the block
that was being written.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.cache import disk_errors
from promptlab.engine.question import Context, Reply
from promptlab.errors import DiskError

_CHUNK = 500
MAX_BYTES = 4 * 1024**3
"""Size above which a store is emptied when it is opened."""
MEMORY_BYTES = 256 * 1024**2
"""How much of it is kept at hand in memory."""


def context_key(context: Context, learned: str = "") -> bytes:
    """Content hash of a context: its token ids, the place read, and what was learned (a hash)."""
    return _digest(learned, context.ids, _place(context))


def tail_key(context: Context, continuation: tuple[int, ...], learned: str = "") -> bytes:
    """Content hash of a context with a continuation."""
    return _digest(learned, context.ids, _place(context), continuation)


def _place(context: Context) -> tuple[int, ...]:
    return (context.position, *(() if context.begun is None else context.begun))


def _digest(learned: str, *parts: Sequence[int]) -> bytes:
    digest = hashlib.sha256(learned.encode())
    for part in parts:
        digest.update(len(part).to_bytes(4, "little"))
        digest.update(np.asarray(part, dtype=np.int32).tobytes())
    return digest.digest()[:16]


class FeatureStore:
    """Features ``[dim]`` in fp32 and log-normalisers by context, tail scores by continuation.

    ``path`` ``None`` keeps them in memory alone. Raises `DiskError` when the disk is full.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._memory: dict[bytes, Reply] = {}
        self._lock = threading.RLock()
        if path is not None:
            with disk_errors(path.parent, "Keeping features"):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists() and path.stat().st_size > MAX_BYTES:
                    _remove(path)
        try:
            self._connection = self._opened()
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError:  # damaged, and nothing but a cache: begin anew
            assert path is not None
            _remove(path)
            self._connection = self._opened()

    def _opened(self) -> sqlite3.Connection:
        place = ":memory:" if self.path is None else self.path
        connection = sqlite3.connect(place, timeout=60, check_same_thread=False)
        try:
            if self.path is not None:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
            for table, kind in (("slots", "BLOB"), ("tails", "REAL")):
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, value {kind}) "
                    "WITHOUT ROWID"
                )
            connection.commit()
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _unwritable(self, error: Exception) -> DiskError:
        return DiskError(
            f"cannot write the feature cache {self.path}: {error}; make room on that disk or "
            "set PROMPTLAB_CACHE to a folder that has some"
        )

    def slots(self, keys: Sequence[bytes]) -> dict[bytes, Reply]:
        """The replies (without tails) that are known among ``keys``."""
        with self._lock:  # what is kept may be dropped by another thread
            found = {key: self._memory[key] for key in keys if key in self._memory}
        for key, value in self._select("slots", [key for key in keys if key not in found]):
            numbers = np.frombuffer(value, dtype=np.float32)
            found[key] = self._remember(key, Reply(numbers[:-1], float(numbers[-1])))
        return found

    def _remember(self, key: bytes, reply: Reply) -> Reply:
        """Keep a reply at hand; when there are too many, forget the older half."""
        with self._lock:
            if len(self._memory) * reply.feature.nbytes > MEMORY_BYTES:
                for old in list(self._memory)[: len(self._memory) // 2]:
                    del self._memory[old]
            self._memory[key] = reply
        return reply

    def tails(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        """The tail scores in nats that are known among ``keys``."""
        return dict(self._select("tails", keys))

    def save(
        self, slots: Iterable[tuple[bytes, Reply]], tails: Iterable[tuple[bytes, float]]
    ) -> None:
        """Keep what was computed."""
        rows = []
        for key, reply in slots:
            kept = self._remember(key, Reply(reply.feature, reply.log_normaliser))
            value = np.append(kept.feature, np.float32(kept.log_normaliser)).tobytes()
            rows.append((key, value))
        try:
            with self._lock, self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO slots VALUES (?, ?)", rows)
                self._connection.executemany("INSERT OR REPLACE INTO tails VALUES (?, ?)", tails)
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, table: str, keys: Sequence[bytes]) -> list[tuple[bytes, Any]]:
        rows: list[tuple[bytes, Any]] = []
        with self._lock:
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, value FROM {table} WHERE key IN ({marks})"  # noqa: S608 - ours
                rows += self._connection.execute(query, chunk).fetchall()
        return rows


def _remove(path: Path) -> None:
    """Delete a database with the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
