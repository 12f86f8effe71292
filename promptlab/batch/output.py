"""Where predicted rows go: a CSV or JSONL file that appears whole or not at all, or a pipe."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from promptlab.data.readers import text_of
from promptlab.errors import DataError, DiskError, InputError, WorkError
from promptlab.files.atomic import sync_folder
from promptlab.files.cache import free_space_text, is_disk_full
from promptlab.files.spreadsheet import spreadsheet_safe
from promptlab.security.redaction import hide_secrets
from promptlab.security.terminal import data_output
from promptlab.security.untrusted_text import json_text, make_printable


class Format(StrEnum):
    """How rows are written."""

    csv = "csv"
    jsonl = "jsonl"


def choose_format(asked: Format | None, out: Path | None, source: str) -> Format:
    """The asked format, else the one that ``out`` ends in, else CSV for CSV, JSONL for the rest.

    Raises `InputError` for an ending that is neither.
    """
    if asked is not None:
        return asked
    if out is None:
        return Format.csv if source.lower().endswith(".csv") else Format.jsonl
    ending = out.suffix.lower().lstrip(".")
    if ending not in list(Format):
        raise InputError(
            f"{out}: cannot tell the format from the ending {out.suffix or 'nothing'!r}; end it in "
            ".csv or .jsonl, or name the format"
        )
    return Format(ending)


class RowWriter:
    """Writes rows as they come; values stay what they were.

    With a ``path`` the rows go into a hidden file beside it, which takes its name on `commit`;
    leaving the context without one removes it. Without a path they go to standard output. A cell
    that begins with ``=``, ``+``, ``-`` or ``@`` is written as it was read, because programs read
    these files too; with ``safe`` the cells of a CSV file that a spreadsheet would run are made
    text by `spreadsheet_safe`, and ``made_text`` counts them. What a model wrote was never read:
    in a CSV file it is made text always, and printable. No secret is written. Raises
    `InputError` when the file cannot be created, `DiskError` when the disk is full, `WorkError`
    when it cannot be written otherwise.
    """

    def __init__(self, path: Path | None, form: Format, *, safe: bool = False) -> None:
        self.path = path
        self.form = form
        self.safe = safe
        self.made_text = 0
        self._columns: list[str] = []
        self._written: frozenset[str] = frozenset()
        self._partial: Path | None = None
        self._stream: TextIO = data_output()

    def __enter__(self) -> Self:
        if self.path is None:
            return self
        target = self.path
        if target.is_dir():
            raise InputError(f"{target} is a folder; name a file in it")
        if not target.exists() or target.is_file():  # else a device or a pipe, written as it is
            resolved = target.resolve()
            self._partial = resolved.with_name(f".{resolved.name}.{os.getpid()}.partial")
            target = self._partial
        try:
            self._stream = target.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror or error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.path is not None:
            try:
                self._stream.close()
            except OSError as failed:
                if error is None:
                    raise self._failed(failed) from failed
            finally:
                if self._partial is not None:
                    self._partial.unlink(missing_ok=True)

    def start(self, columns: Sequence[str], written: Collection[str] = ()) -> None:
        """Fix the columns of a CSV file and write its header.

        What stands in ``written`` was written by a model or said by an endpoint.
        """
        self._columns = list(columns)
        self._written = frozenset(written)
        if self.form is Format.csv:
            self._write([dict(zip(columns, columns, strict=True))])

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a block of rows and pass it on to the operating system."""
        self._write(rows)

    def commit(self) -> None:
        """Give the file its name."""
        if self._partial is None or self.path is None:
            return
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._partial.replace(self.path.resolve())
            sync_folder(self._partial.parent)
        except OSError as error:
            raise self._failed(error) from error

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        try:
            if self.form is Format.csv:
                cells = self._csv_rows(rows)
                csv.writer(_UnixLines(self._stream)).writerows(cells)
            else:
                self._stream.writelines(format_json_line(row) for row in rows)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from error

    def _csv_rows(self, rows: Iterable[Mapping[str, Any]]) -> list[list[str]]:
        known = set(self._columns)
        found = []
        for row in rows:
            for name in row:
                if name not in known:
                    raise DataError(
                        f"the key {name!r} comes up after the header of the CSV was written "
                        f"({', '.join(self._columns)}); write jsonl, or give every row all keys"
                    )
            found.append([self._cell(name, row.get(name)) for name in self._columns])
        return found

    def _cell(self, name: str, value: Any) -> str:
        text = hide_secrets(text_of(value))
        is_written = name in self._written
        if not (self.safe or is_written) or isinstance(value, int | float):
            return text
        made: str = spreadsheet_safe(make_printable(text) if is_written else text)
        self.made_text += made != text
        return made

    def _failed(self, error: OSError) -> WorkError:
        where = self.path or "standard output"
        if is_disk_full(error):
            room = "" if self.path is None else f" ({free_space_text(self.path.absolute().parent)})"
            return DiskError(
                f"{where} cannot be written: {error.strerror}{room}; no output was kept. Make "
                "room, or write to another disk"
            )
        return WorkError(
            f"{where} cannot be written: {error.strerror or error}; no output was kept"
        )


class _UnixLines:
    """Ends rows by a line feed alone.

    The writer itself is left to end them by carriage return and line feed, because it quotes only
    cells that hold a character of its line ends.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        """Write one row."""
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def format_json_line(row: Mapping[str, Any]) -> str:
    """A row as one line of strict JSON."""
    return json_text(to_plain_value(row)) + "\n"


def to_plain_value(value: Any) -> Any:
    """``value`` as JSON data: what is not a number becomes null, dates and the like text."""
    if isinstance(value, Mapping):
        return {str(key): to_plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
