"""How a data file is written, where its reader shall not find out by itself."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from promptlab.errors import DataError

_NAMED_MARKS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclass(frozen=True)
class FileFormat:
    r"""How a file is to be read; what is None is found out.

    ``delimiter`` is one character (or ``tab``), ``header`` says whether the first line names the
    columns (without, they are called 1, 2, ...), ``encoding`` is any text encoding of Python,
    ``quotes`` says whether quotation marks enclose fields or are plain characters, ``records`` is
    the key of a JSON document that holds its rows. Raises `DataError` for values that say nothing.
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quotes: bool = True
    records: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            mark = _NAMED_MARKS.get(self.delimiter.lower(), self.delimiter)
            if len(mark) != 1 or mark in '"\r\n':
                raise DataError(
                    f"delimiter is {self.delimiter!r}; give one character, such as ; or |, or tab"
                )
            object.__setattr__(self, "delimiter", mark)
        if self.encoding is not None and not _is_text_encoding(self.encoding):
            raise DataError(
                f"encoding is {self.encoding!r}, which is no text encoding; the usual ones are "
                "utf-8, utf-16, windows-1252 and mac-roman"
            )


def _is_text_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
        "a".encode(name)  # which rot13 and its like cannot do
    except (LookupError, ValueError):
        return False
    return True
