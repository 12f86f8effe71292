"""The tables of a file of entries: what is written into them, and what is believed of them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from promptlab.files.entries.fault import FAILURES, ForeignError

Row = tuple[bytes, bytes]
"""A key and its value."""
Earlier = Mapping[str, Callable[[sqlite3.Connection], Iterable[Row]]]
"""By its table, how an earlier version's entries are read."""

SEALED = 0x2144DF1C
"""The CRC-32 of anything that ends in its own CRC-32: one pass over an entry checks it."""
_CHUNK = 500
_SECONDS = 60.0
"""So long another process may hold the file."""


@dataclass(frozen=True)
class Count:
    """How many entries were ``seen``, and how many of them were ``whole``."""

    seen: int
    whole: int


class Tables:
    """One table a kind of entries; a checksum covers value, key, kind and the file's name."""

    def __init__(self, stem: str, kinds: Sequence[str], earlier: Earlier) -> None:
        self.names = {kind: f"checked_{kind}" for kind in kinds}
        self.salts = {kind: zlib.crc32(f"{stem}/{kind}".encode()) for kind in kinds}
        self._earlier = earlier

    def sealed(self, kind: str, key: bytes, value: bytes) -> Row:
        """An entry with its checksum."""
        check = zlib.crc32(value, zlib.crc32(key, self.salts[kind]))
        return key, value + check.to_bytes(4, "little")

    def is_whole(self, kind: str, key: object, value: object) -> bool:
        """Whether what stands in a table is what was written there."""
        return (
            type(key) is bytes
            and type(value) is bytes
            and len(value) >= 4
            and zlib.crc32(value, zlib.crc32(key, self.salts[kind])) == SEALED
        )

    def rows(self, connection: sqlite3.Connection, kind: str, keys: Sequence[bytes]) -> list[Row]:
        """What stands under these keys, checked or not."""
        found: list[Row] = []
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT key, value FROM {self.names[kind]} WHERE key IN ({marks})"  # noqa: S608 - ours
            found += connection.execute(query, chunk).fetchall()
        return found

    def all_rows(
        self, connection: sqlite3.Connection, kind: str, *, backwards: bool = False
    ) -> Iterator[tuple[object, object]]:
        """All that stands in a kind's table."""
        order = " ORDER BY key DESC" if backwards else ""
        yield from connection.execute(f"SELECT key, value FROM {self.names[kind]}{order}")  # noqa: S608 - ours

    def write(self, connection: sqlite3.Connection, kind: str, sealed: Iterable[Row]) -> None:
        """Put sealed entries into a kind's table, instead of those that stand there."""
        statement = f"INSERT OR REPLACE INTO {self.names[kind]} VALUES (?, ?)"  # noqa: S608 - ours
        connection.executemany(statement, sealed)

    def create(self, connection: sqlite3.Connection) -> None:
        """Make the tables."""
        with connection:
            for kind in self.names:
                connection.execute(self._schema(kind))

    def are_in(self, connection: sqlite3.Connection) -> bool:
        """Whether a database has these tables; one without any has none of them.

        Raises `ForeignError` for one that has others, `EarlierError` for an earlier version's.
        """
        ours = {name: self._schema(kind).encode() for kind, name in self.names.items()}
        found: dict[str, bytes] = {}
        for sort, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
            text = name.decode(errors="replace") if isinstance(name, bytes) else ""
            if sort == b"table":
                found[text] = sql
            elif sort != b"index":  # triggers and views are nothing of ours
                raise ForeignError("it holds more than tables")
        if ours.items() <= found.items():
            return True
        if found and not ours.keys() & found.keys() and found.keys() <= self._earlier.keys():
            raise EarlierError("it comes from a version without checksums")
        if found:
            raise ForeignError("it holds other tables")
        return False

    def in_memory(self) -> sqlite3.Connection:
        """A new database that is nowhere else."""
        connection = connect(":memory:")
        self.create(connection)
        return connection

    def count(self, connection: sqlite3.Connection) -> Count:
        """How many entries there are, as far as they can be read."""
        seen, whole = 0, 0
        for kind in self.names:
            with suppress(*FAILURES):
                for row in self.all_rows(connection, kind):
                    seen += 1
                    whole += self.is_whole(kind, *row)
        return Count(seen, whole)

    def copy_whole(self, source: sqlite3.Connection, target: sqlite3.Connection) -> Count:
        """Copy all whole entries that can be read, and those of an earlier version.

        Args:
            source: A database that may be damaged.
            target: A new one.

        Returns:
            How many could be read, and how many were copied.
        """
        seen = self.count(source).seen
        for kind in self.names:
            for backwards in (False, True):  # from either side up to what cannot be read
                with suppress(*FAILURES):
                    rows = self.all_rows(source, kind, backwards=backwards)
                    self._copy(target, kind, self._whole(kind, rows))
                    break
        for read in self._earlier.values():
            kind = next(iter(self.names))
            with suppress(*FAILURES):
                self._copy(target, kind, (self.sealed(kind, *row) for row in read(source)))
        counts = (
            target.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - ours
            for name in self.names.values()
        )
        return Count(seen, sum(counts))  # more than seen, if what was seen is not all

    def _whole(self, kind: str, rows: Iterable[tuple[object, object]]) -> Iterator[Row]:
        for key, value in rows:
            if self.is_whole(kind, key, value):
                assert isinstance(key, bytes) and isinstance(value, bytes)
                yield key, value

    def _copy(self, target: sqlite3.Connection, kind: str, sealed: Iterable[Row]) -> None:
        """Write entries in parts, so that those before a failure stay."""
        part: list[Row] = []
        try:
            for row in sealed:
                part.append(row)
                if len(part) == _CHUNK:
                    self.write(target, kind, part)
                    part = []
        finally:
            self.write(target, kind, part)
            target.commit()

    def _schema(self, kind: str) -> str:
        return f"CREATE TABLE {self.names[kind]} (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"


class EarlierError(ForeignError):
    """The file was written by a version that kept no checksums."""


def connect(place: Path | str, mode: str = "") -> sqlite3.Connection:
    """A connection that takes nothing in a file on trust; ``mode`` as in SQLite's URIs."""
    where = f"file:{quote(str(place))}?{mode}" if mode else str(place)
    connection = sqlite3.connect(where, timeout=_SECONDS, check_same_thread=False, uri=bool(mode))
    connection.text_factory = bytes  # what is damaged need not be UTF-8
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
    except BaseException:
        connection.close()
        raise
    return connection
