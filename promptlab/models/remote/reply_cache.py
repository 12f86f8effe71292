"""Replies kept on disk, each as soon as it is there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from promptlab.files.entries import EntryFile, Row

_KIND = "replies"


class ReplyStore:
    """Replies as JSON data by content hash, in one file; used by threads and processes.

    Every reply is written by itself, so that a killed process loses none that has come. A damaged
    one is told and asked anew; those of a version without checksums are taken over, because they
    were paid for. Raises `DiskError` when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = EntryFile(
            path,
            (_KIND,),
            what="kept replies",
            remade="asked anew",
            earlier={"replies": _earlier_replies},
        )

    def find(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """The replies that are known among ``keys``."""
        found = self._entries.find(_KIND, keys)
        return {key: json.loads(value) for key, value in found.items()}

    def keep(self, key: bytes, reply: dict[str, Any]) -> None:
        """Keep a reply. Raises `DiskError` when the disk is full."""
        value = json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._entries.keep({_KIND: [(key, value)]})

    def close(self) -> None:
        """Close the file."""
        self._entries.close()


def _earlier_replies(connection: sqlite3.Connection) -> Iterator[Row]:
    """What a version without checksums kept, as far as it can be a reply."""
    for key, value in connection.execute("SELECT key, value FROM replies"):
        try:
            record = json.loads(value)
        except (TypeError, ValueError):
            continue
        if type(key) is bytes and isinstance(record, dict):
            yield key, value
