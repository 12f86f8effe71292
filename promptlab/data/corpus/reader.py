"""A corpus read as a stream: a document or a sentence a line, or JSON Lines with a text field."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from promptlab.data.readers import READERS
from promptlab.data.readers.content import refuse_stand_in
from promptlab.errors import DataError
from promptlab.files.settings import has_no_text

TEXT = "text"
"""The field of JSON Lines that holds the text."""
MAX_LINE_BYTES = 16 * 2**20
"""A longer line is left out, so that memory stays bounded; a book has one or two million."""
_JSON_LINES = (".jsonl", ".ndjson")
_PACKED: dict[str, Callable[[Any], Any]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_BEGINNING = 64 * 2**10
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive (or an office document)",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "packed by gzip, without the ending .gz",
    b"BZh": "packed by bzip2, without the ending .bz2",
    b"\xfd7zXZ\x00": "packed by xz, without the ending .xz",
    b"\xff\xfe": "UTF-16 or UTF-32, which is read in no corpus",
    b"\xfe\xff": "UTF-16, which is read in no corpus",
}


@dataclass(frozen=True)
class CorpusProgress:
    """How far some work on a corpus is.

    Args:
        stage: The work, such as *reading the corpus*.
        done: How much of ``total`` is done, in bytes of the file or in sentences.
        total: All of it.
        sentences: Sentences seen so far.

    Example:
        >>> str(CorpusProgress("reading the corpus", 30, 60, 1200))
        'reading the corpus: 50 %, 1,200 sentences'
    """

    stage: str
    done: int
    total: int
    sentences: int

    def __str__(self) -> str:
        share = 100 * self.done // max(self.total, 1)
        return f"{self.stage}: {share} %, {self.sentences:,} sentences"


OnCorpusProgress = Callable[[CorpusProgress], None]


class CorpusReader:
    """The documents of a corpus, one after the other; what cannot be read is counted and left out.

    Files that end in ``.jsonl`` or ``.ndjson`` hold a JSON object a line, all others a text a
    line, which may be a whole document; ``.gz``, ``.bz2`` and ``.xz`` are unpacked while they are
    read. A line at a time is in memory.

    Args:
        path: The file.
        column: The field of JSON Lines that holds the text.

    Raises:
        DataError: When there is no such file, or it holds no text.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "corpus.jsonl"
        >>> _ = file.write_text('{"text": "One."}\\n{"text": 2}\\n{"text"\\n')
        >>> reader = CorpusReader(file)
        >>> list(reader), dict(reader.left_out)
        (['One.'], {'without a text in the field': 1, 'of broken JSON': 1})
    """

    def __init__(self, path: str | Path, column: str = TEXT) -> None:
        self.path = Path(path)
        self.column = column
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        self._packing = suffixes.pop() if suffixes and suffixes[-1] in _PACKED else None
        ending = suffixes[-1] if suffixes else ""
        self.is_json_lines = ending in _JSON_LINES
        self.documents = 0
        self.left_out: Counter[str] = Counter()
        self._fields: tuple[str, ...] = ()
        self._raw: IO[bytes] | None = None
        if ending in READERS and not self.is_json_lines:
            raise DataError(
                f"{self.path}: a corpus is a text with a document or a sentence a line, or JSON "
                f"Lines (.jsonl) with a text field; write it as one of these, found {ending!r}"
            )
        self._check_beginning()

    @property
    def size(self) -> int:
        """Bytes of the file as it lies on the disk."""
        return self.path.stat().st_size

    @property
    def position(self) -> int:
        """Bytes of the file that are read."""
        if self._raw is None:
            return 0
        return self.size if self._raw.closed else self._raw.tell()

    def __iter__(self) -> Iterator[str]:
        """The texts, NFC-normalised. Raises `DataError` when a packed file is damaged."""
        self.documents, self.left_out = 0, Counter()
        with self.path.open("rb") as self._raw:
            for line in self._lines(self._raw):
                text = self._text(line)
                if text is not None:
                    self.documents += 1
                    yield text if text.isascii() else unicodedata.normalize("NFC", text)

    def describe_left_out(self) -> str:
        """What was left out, in words; with the fields that the first object has, if it matters."""
        told = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        if self._fields and self.column not in self._fields:
            told += f" {self.column!r} (the first object has {', '.join(self._fields)})"
        return told

    def _check_beginning(self) -> None:
        """Raise `DataError` for what is no text, before gigabytes of it are read."""
        if not self.path.exists():
            raise DataError(f"{self.path}: there is no such corpus; check the path")
        if not self.path.is_file():
            raise DataError(f"{self.path} is no file; name one file as the corpus")
        if not self.size:
            raise DataError(f"{self.path} is empty; name a corpus that holds sentences")
        with self.path.open("rb") as raw:
            beginning = self._unpacked(raw, lambda stream: stream.read(_BEGINNING))
        refuse_stand_in(self.path, beginning)
        kind = next((kind for magic, kind in _NO_TEXT.items() if beginning.startswith(magic)), None)
        if kind is None and b"\0" in beginning:
            kind = "binary: it holds zero bytes"
        if kind is not None:
            raise DataError(
                f"{self.path} is no text but {kind}; a corpus is UTF-8 text with a document or a "
                "sentence a line, or JSON Lines"
            )

    def _unpacked(self, raw: IO[bytes], read: Callable[[IO[bytes]], bytes]) -> bytes:
        """What ``read`` takes from the unpacked file."""
        stream = raw if self._packing is None else _PACKED[self._packing](raw)
        try:
            return read(cast(IO[bytes], stream))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
            raise DataError(
                f"{self.path} cannot be read: {error}; fetch or pack it again"
            ) from error

    def _lines(self, raw: IO[bytes]) -> Iterator[bytes]:
        stream = raw if self._packing is None else _PACKED[self._packing](raw)
        first = True
        while line := self._read_line(stream):
            if len(line) > MAX_LINE_BYTES:
                self.left_out[f"of more than {MAX_LINE_BYTES:,} bytes"] += 1
                while line and not line.endswith(b"\n"):
                    line = self._read_line(stream)
                continue
            yield line.removeprefix(b"\xef\xbb\xbf") if first else line
            first = False

    def _read_line(self, stream: Any) -> bytes:
        try:
            line: bytes = stream.readline(MAX_LINE_BYTES + 1)
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.path} is damaged after {self.documents:,} documents: {error}; fetch or "
                "pack it again"
            ) from error
        return line

    def _text(self, line: bytes) -> str | None:
        """The text of a line, ``None`` for what is empty or counted as left out."""
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            self.left_out["that are no UTF-8"] += 1
            return None
        if not text:
            return None
        if self.is_json_lines:
            return self._field(text)
        if "\0" in text:
            self.left_out["with a zero byte"] += 1
            return None
        return text

    def _field(self, line: str) -> str | None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            self.left_out["of broken JSON"] += 1
            return None
        self._fields = self._fields or tuple(map(str, record))
        text = record.get(self.column)
        if not isinstance(text, str) or has_no_text(text):
            self.left_out["without a text in the field"] += 1
            return None
        return text.strip() or None
