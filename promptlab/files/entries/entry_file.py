"""A file of entries: shared, checked, begun anew when it is damaged, and read where it may not be
written.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from promptlab.errors import DiskError
from promptlab.files.cache import disk_errors, file_lock, remove, warn
from promptlab.files.entries.fault import FAILURES, Fault, ForeignError, fault_of
from promptlab.files.entries.tables import (
    SEALED,
    Count,
    Earlier,
    EarlierError,
    Row,
    Tables,
    connect,
)

_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""
_MOST_BEGINNINGS = 3
"""So often a process begins a file anew; a disk that goes on damaging it is left alone."""
_PATIENCE = 60.0
"""Seconds in which another process has opened the file, or begun it anew."""


class EntryFile:
    """Bytes by key, of several kinds, in one SQLite file for all threads and processes.

    A checksum covers an entry's value, key, kind and the file's name, so that neither damage nor
    the value of another key is ever given out. Damaged entries are dropped and told with their
    count; of a file that is no good database any more, what is whole goes into a new one. Where
    nothing may be written, what is there is used and what is new stays in memory.

    Args:
        path: The file, ``None`` to keep all in memory.
        kinds: The kinds of entries.
        what: What they are, for people.
        remade: What happens without them, for people: "computed anew".
        earlier: Tables of earlier versions, whose entries go into the first kind.
        most_bytes: Size above which a file is emptied when it is opened.

    Raises:
        DiskError: The disk is full.
    """

    def __init__(
        self,
        path: Path | None,
        kinds: Sequence[str],
        *,
        what: str,
        remade: str,
        earlier: Earlier | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self.path = path
        self._what, self._remade = what, remade
        self._tables = Tables("" if path is None else path.stem, kinds, earlier or {})
        self._lock = threading.RLock()
        self._beginnings = 0
        self._identity: tuple[int, int] | None = None
        self._source: sqlite3.Connection | None = None
        """The file where it can be read and not written; the connection is in memory then."""
        self._unkept: str | None = None
        """Why nothing is written to the file, until it was told."""
        self._is_told = False
        self._connection: sqlite3.Connection
        if path is None:
            self._connection = self._tables.in_memory()
        else:
            self._open(path, most_bytes)

    def find(self, kind: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that are known, and whole, among ``keys``. Raises `DiskError`."""
        with self._lock:
            connection = self._connection
            found = self._whole(connection, kind, keys)
            if connection is not self._connection:  # a new file, with all that was whole
                found = self._whole(self._connection, kind, keys)
            if self._source is not None:
                rest = [key for key in keys if key not in found]
                found |= self._whole(self._source, kind, rest)
        return found

    def keep(self, entries: Mapping[str, Iterable[Row]]) -> None:
        """Keep entries by kind. Raises `DiskError` on a full disk."""
        sealed = {
            kind: [self._tables.sealed(kind, *row) for row in rows]
            for kind, rows in entries.items()
        }
        with self._lock:
            while any(sealed.values()) and not self._is_written(sealed):
                pass  # again, in a file that was begun anew, or in memory

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
            if self._source is not None:
                self._source.close()

    def _whole(
        self, connection: sqlite3.Connection, kind: str, keys: Sequence[bytes]
    ) -> dict[bytes, bytes]:
        """The whole ones among the entries of these keys; others are told and dropped."""
        salt, crc32 = self._tables.salts[kind], zlib.crc32
        try:
            rows = self._tables.rows(connection, kind, keys)
        except FAILURES as error:
            self._mend(connection, error)
            return {}
        found = {
            key: value[:-4]
            for key, value in rows
            if type(value) is bytes and crc32(value, crc32(key, salt)) == SEALED
        }
        if len(found) < len(rows):
            self._drop_damaged(connection)
        return found

    def _is_written(self, sealed: Mapping[str, Sequence[Row]]) -> bool:
        """Whether entries could be written; else they are to be written elsewhere."""
        if self._unkept:
            warn(
                f"{self.path} cannot be written ({self._unkept}): new {self._what} are kept in "
                "memory alone; set PROMPTLAB_CACHE to a folder of your own to keep them"
            )
            self._unkept = ""
        try:
            with self._connection:
                for kind, rows in sealed.items():
                    self._tables.write(self._connection, kind, rows)
        except FAILURES as error:
            self._mend(self._connection, error)
            return False
        return True

    def _drop_damaged(self, connection: sqlite3.Connection) -> None:
        """Put a new file in the place of one with damaged entries, and tell their number once."""
        assert self.path is not None
        if connection is self._source:  # there they stay
            if not self._is_told:
                self._is_told = True
                self._tell_damaged(self._tables.count(connection))
            return
        connection.close()
        if not self._begin_anew(self.path, ""):
            self._do_without(self.path, "it holds damaged entries, and cannot be begun anew")

    def _tell_damaged(self, count: Count) -> None:
        warn(
            f"{count.seen - count.whole} of {count.seen} {self._what} in {self.path} were damaged "
            f"(their checksums do not fit): they are not used, but {self._remade}"
        )

    def _mend(self, connection: sqlite3.Connection, error: Exception) -> None:
        """Go on after an error: in a new file, or in memory. Raises `DiskError` on a full disk."""
        fault, told = fault_of(error)
        if self.path is None or (self._unkept is not None and connection is self._connection):
            raise error  # of what is in memory
        if fault is Fault.FULL:
            raise self._full(told) from error
        if connection is self._source:
            warn(f"{self.path} cannot be read any more ({told}): its {self._what} are not used")
            connection.close()
            self._source = None
            return
        connection.close()
        if fault is not Fault.DAMAGED or not self._begin_anew(self.path, told):
            self._do_without(self.path, told)

    def _full(self, told: str) -> DiskError:
        return DiskError(
            f"cannot write the {self._what} to {self.path}: {told}; make room on that disk or set "
            "PROMPTLAB_CACHE to a folder that has some"
        )

    def _open(self, path: Path, most_bytes: int | None) -> None:
        """Open the file, begin it anew, or do without it."""
        try:
            with self._alone(path):
                if most_bytes is not None and path.is_file() and path.stat().st_size > most_bytes:
                    _drop(path)
                self._connect(path)
        except (*FAILURES, DiskError) as error:
            fault, told = fault_of(error)
            if fault is Fault.FULL:
                raise self._full(told) from error
            earlier = isinstance(error, EarlierError)
            if fault is Fault.DAMAGED and self._begin_anew(path, told, earlier=earlier):
                return
            self._do_without(path, told)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Nobody else opens or replaces the file meanwhile. Raises `DiskError`."""
        with disk_errors(path.parent, f"Keeping {self._what}"), file_lock(path, patience=_PATIENCE):
            yield

    def _connect(self, path: Path) -> None:
        """Open the file, which is made if it is not there; the lock is held."""
        if os.path.lexists(path) and not path.is_file():
            raise ForeignError("it is no file")
        for each in _beside(path):
            if os.path.lexists(each) and not each.is_file():
                remove(each)
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if not self._tables.are_in(connection):
                self._tables.create(connection)
            stat = path.stat()
        except BaseException:
            connection.close()
            raise
        self._identity = (stat.st_dev, stat.st_ino)
        self._connection = connection

    def _begin_anew(self, path: Path, told: str, *, earlier: bool = False) -> bool:
        """Put a new file in the place of a damaged one; whether that went well.

        Another process may have done so meanwhile: its file is used.
        """
        self._beginnings += 1
        if self._beginnings > _MOST_BEGINNINGS:
            return False
        try:
            with self._alone(path):
                if self._is_the_damaged_one(path):
                    self._replace(path, told, earlier)
                self._connect(path)
        except (*FAILURES, DiskError) as error:
            fault, why = fault_of(error)
            if fault is Fault.FULL:
                raise self._full(why) from error
            return False
        return True

    def _is_the_damaged_one(self, path: Path) -> bool:
        if self._identity is None or not path.exists():
            return True
        stat = path.stat()
        return self._identity == (stat.st_dev, stat.st_ino)

    def _replace(self, path: Path, told: str, earlier: bool) -> None:
        """Put a new file with all that is whole in the place of the old one; the lock is held.

        ``told`` is what is wrong with the file; empty, if that is entries alone.
        """
        new = path.with_name(path.name + ".new")
        _drop(new)
        try:
            count = self._copied(path, new)
            _drop(path)
            new.replace(path)
        finally:
            _drop(new)
        if told or count.whole >= count.seen:  # from one side not all of it can be read
            told = told or "it is damaged"
            rest = "" if earlier and count.whole else f"; what is missing is {self._remade}"
            how = "taken over, unchecked" if earlier else "whole and kept"
            number = count.whole or "none"
            warn(f"{path} is begun anew ({told}): {number} of its {self._what} are {how}{rest}")
        else:
            self._tell_damaged(count)

    def _copied(self, path: Path, new: Path) -> Count:
        """Copy what is whole into a new file; how much that was."""
        target = connect(new)
        try:
            self._tables.create(target)
            source = _reading(path)
            if source is None:
                return Count(0, 0)
            try:
                return self._tables.copy_whole(source, target)
            finally:
                source.close()
        finally:
            target.close()

    def _do_without(self, path: Path, told: str) -> None:
        """Read the file if that can be done, and keep what is new in memory."""
        self._unkept = told
        self._connection = self._tables.in_memory()
        source = _reading(path)
        try:
            if source is not None and self._tables.are_in(source):
                self._source, source = source, None
        except FAILURES as error:
            warn(f"{path} cannot be used ({error}): its {self._what} are {self._remade}")
        finally:
            if source is not None:
                source.close()


def _beside(path: Path) -> Iterator[Path]:
    return (path.with_name(path.name + suffix) for suffix in _BESIDE)


def _drop(path: Path) -> None:
    """Delete a database with the files that SQLite keeps beside it."""
    for each in (path, *_beside(path)):
        remove(each)


def _reading(path: Path) -> sqlite3.Connection | None:
    """A connection that writes nothing, not even beside the file; ``None`` if it cannot be had."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        connection: sqlite3.Connection | None = None
        try:
            if not path.is_file():
                return None
            connection = connect(path, mode)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (*FAILURES, OSError):
            if connection is not None:
                connection.close()
            continue
        return connection
    return None
