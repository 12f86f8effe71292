"""Replies kept on disk, each as soon as it is there."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptlab.cache import disk_errors
from promptlab.errors import DiskError

_CHUNK = 500


class ReplyStore:
    """Replies as JSON data by content hash, in one SQLite file; used by threads and processes.

    Every reply is written by itself, so that a killed process loses none that has come. Raises
    `DiskError` when the disk is full or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with disk_errors(path.parent, "Keeping replies"):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._opened()
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except sqlite3.DatabaseError as error:
            raise DiskError(
                f"the kept replies in {path} cannot be read ({error}); move that file away"
            ) from error

    def find(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """The replies that are known among ``keys``."""
        found: dict[bytes, dict[str, Any]] = {}
        with self._lock:
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT key, value FROM replies WHERE key IN ({marks})"  # noqa: S608 - ours
                rows = self._connection.execute(query, chunk).fetchall()
                found |= {key: json.loads(value) for key, value in rows}
        return found

    def keep(self, key: bytes, reply: dict[str, Any]) -> None:
        """Keep a reply."""
        value = json.dumps(reply, ensure_ascii=False)
        try:
            with self._lock, self._connection:
                self._connection.execute(
                    "INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, value)
                )
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, value TEXT)"
            )
            connection.commit()
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _unwritable(self, error: Exception) -> DiskError:
        return DiskError(
            f"cannot keep replies in {self.path}: {error}; make room on that disk, set "
            "PROMPTLAB_CACHE to a folder that has some, or switch it off (cache: false)"
        )
