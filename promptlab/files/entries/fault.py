"""What a failure of SQLite means: damage, a full disk, or a file that cannot be had."""

from __future__ import annotations

import sqlite3
from enum import Enum

from promptlab.errors import DiskError
from promptlab.files.cache import is_disk_full


class Fault(Enum):
    """What is to be done about a failure."""

    DAMAGED = "the file is to be begun anew"
    FULL = "the disk needs room"
    UNREACHABLE = "the file cannot be used now"


class ForeignError(sqlite3.DatabaseError):
    """The file is no database of entries."""


FAILURES = (sqlite3.Error, MemoryError, UnicodeDecodeError)
"""What SQLite raises for damaged files (whose names need not be UTF-8), or for want of room."""
_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTFOUND, sqlite3.SQLITE_EMPTY, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip


def fault_of(error: Exception) -> tuple[Fault, str]:
    """What a failure means, and its words.

    Args:
        error: An error of SQLite, or the `DiskError` of what was done around it.

    Returns:
        The fault and the message in one line.

    Raises:
        ProgrammingError: It was one, such as for a file that was closed.
    """
    if isinstance(error, sqlite3.ProgrammingError):
        raise error
    told = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, DiskError):
        cause = error.__cause__
        full = isinstance(cause, OSError) and is_disk_full(cause)
        return (Fault.FULL if full else Fault.UNREACHABLE), told
    if isinstance(error, ForeignError | UnicodeDecodeError):
        return Fault.DAMAGED, told
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return (Fault.FULL if "full" in told else Fault.UNREACHABLE), told
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return Fault.FULL, told
    return (Fault.DAMAGED if code & 0xFF in _DAMAGED else Fault.UNREACHABLE), told
