"""The bytes of a data file: unpacked where it is compressed, refused where it is something else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from promptlab.errors import DataError

_MOST_BYTES, _MOST_TIMES, _SMALL = 4 * 2**30, 50, 256 * 2**20
"""What a compressed file may unpack to: so many bytes, so many times its own size, or a little."""

_PACKED: dict[str, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"PK\x03\x04": ".zip"}
_SHEETS = {".xlsx", ".xlsm", ".xls", ".ods", ".numbers"}
_SAVE_AS = (
    "save the sheet as CSV (Excel: File, Save As, CSV UTF-8; LibreOffice: File, Save As, Text CSV; "
    "Numbers and Google Sheets: export as CSV) and name that file"
)


@dataclass(frozen=True)
class Content:
    """What stands in a data file: its bytes, and the ending that says how they are read."""

    ending: str
    data: bytes


def data_ending(path: Path, endings: Sequence[str]) -> str | None:
    """The ending that says how ``path`` is read, looking under ``.gz`` and its like; or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (*_PACKED, ".zip"):
        suffixes.pop()
        if not suffixes and path.suffix.lower() == ".zip":
            return ".zip"
        if path.suffix.lower() == ".zip" and suffixes[-1] not in endings:
            return ".zip"
    return suffixes[-1] if suffixes and suffixes[-1] in endings else None


def read_content(path: Path, endings: Sequence[str]) -> Content:
    """The bytes of a data file, unpacked. Raises `DataError` for what is no data."""
    if path.suffix.lower() in _SHEETS:
        raise DataError(
            f"{path} ends in {path.suffix!r}; data files end in {', '.join(endings)}. It is a "
            f"spreadsheet: {_SAVE_AS}"
        )
    ending = data_ending(path, endings)
    if ending is None:
        raise DataError(
            f"{path}: cannot tell how to read a file that ends in {path.suffix or 'nothing'!r}; "
            f"data files end in {', '.join(endings)}, maybe with .gz, .bz2, .xz or .zip behind"
        )
    data = path.read_bytes()
    if not data:
        raise DataError(f"{path} is empty; fill it with rows, or name another file")
    refuse_stand_in(path, data)
    packing = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
    if packing == ".zip":
        ending, data = _unzipped(path, data, ending, endings)
    elif packing is not None:
        data = _unpacked(path, data, packing)
    elif path.suffix.lower() in (*_PACKED, ".zip"):
        raise DataError(f"{path} is not compressed, though it ends in {path.suffix}; rename it")
    refuse_stand_in(path, data)
    if data.startswith(b"PAR1") and ending != ".parquet":
        raise DataError(f"{path} is a Parquet file; rename it so that it ends in .parquet")
    return Content(ending, data)


def refuse_stand_in(path: Path, data: bytes) -> None:
    """Raise `DataError` for files that only stand for the data."""
    begin = data[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith(b"version https://git-lfs"):
        raise DataError(
            f"{path} is a Git LFS pointer, not the data itself; fetch the data: git lfs pull"
        )
    if begin.startswith((b"/annex/objects/", b"../.git/annex", b".git/annex")):
        raise DataError(
            f"{path} is a git-annex pointer, not the data itself; fetch the data: git annex get"
        )
    if begin.startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{path} is a web page, not the data itself; download the file again (on GitHub: Raw)"
        )
    if begin.startswith(b"<?xml"):
        raise DataError(f"{path} is an XML file; convert it to CSV or JSON Lines")
    if begin.startswith(b"sqlite format 3"):
        raise DataError(f"{path} is an SQLite database; export the table as CSV")
    if begin.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{path} is an old Excel workbook under another name; {_SAVE_AS}")


def _unpacked(path: Path, data: bytes, packing: str) -> bytes:
    try:
        with _PACKED[packing](io.BytesIO(data)) as stream:
            return _whole(path, stream, len(data))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}; fetch or pack it again") from error


def _unzipped(path: Path, data: bytes, ending: str, endings: Sequence[str]) -> tuple[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise DataError(f"{path} is an Excel workbook under another name; {_SAVE_AS}")
            members = [
                name
                for name in names
                if Path(name).suffix.lower() in endings
                and not Path(name).name.startswith(".")
                and not name.startswith("__MACOSX")
            ]
            if len(members) != 1:
                found = ", ".join((members or names)[:5]) or "nothing"
                raise DataError(
                    f"{path} holds {len(members)} data files ({found}); unpack it and name the "
                    "file to read"
                )
            with archive.open(members[0]) as stream:
                return Path(members[0]).suffix.lower(), _whole(path, stream, len(data))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}; unpack it yourself") from error


def _whole(path: Path, stream: io.BufferedIOBase | IO[bytes], packed: int) -> bytes:
    most = min(_MOST_BYTES, max(_SMALL, _MOST_TIMES * packed))
    data = stream.read(most + 1)
    if len(data) > most:
        raise DataError(f"{path} unpacks to more than {most:,} bytes; unpack and divide it")
    if not data:
        raise DataError(f"{path} is empty once unpacked; name another file")
    return data
