"""Text encodings: UTF-8 is read; others where they are named, else refused with line and byte."""

from __future__ import annotations

import codecs
from pathlib import Path

from promptlab.errors import DataError

# UTF-32's mark begins with UTF-16's, so it has to be looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(path: Path, raw: bytes, encoding: str | None = None) -> str:
    """The text of a file: UTF-8, UTF-16 and UTF-32 with their byte order mark, or ``encoding``.

    A byte order mark at the beginning of a line (files put together) is dropped. Raises
    `DataError` with line and byte when the bytes are something else or change half-way.
    """
    mark, found = next(((m, e) for m, e in _MARKS if raw.startswith(m)), (b"", "utf-8"))
    body = raw[len(mark) :]
    if encoding is not None and not mark:
        text = _decoded_as(path, body, encoding)
    else:
        text = _decoded(path, body, found, len(mark))
    if "\0" in text:
        raise DataError(_zero_byte(path, text.count("\n", 0, text.index("\0")) + 1))
    return text.replace("\n\ufeff", "\n")


def _decoded(path: Path, body: bytes, encoding: str, begin: int) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(
                f"{path}: begins with the byte order mark of {encoding.upper()}, but byte "
                f"{error.start + begin} does not fit it ({error.reason}); save it as UTF-8"
            ) from error
        if b"\0" in body:
            fault = _zero_byte(path, body.count(b"\n", 0, body.index(b"\0")) + 1)
        else:
            fault = _not_utf8(path, body, error)
        raise DataError(fault) from error


def _zero_byte(path: Path, line: int) -> str:
    return (
        f"{path}, line {line}: holds a zero byte, so it is no text file, or UTF-16 without its "
        "byte order mark. Say so (encoding: utf-16-le), or convert it: "
        f"iconv -f UTF-16 -t UTF-8 {path} > utf8-{path.name}"
    )


def _decoded_as(path: Path, body: bytes, encoding: str) -> str:
    """The text in the encoding that the user names, unless it is plainly UTF-8."""
    wide = codecs.lookup(encoding).name.startswith("utf-")
    if not wide and not body.isascii() and _is_utf8(body):
        raise DataError(
            f"{path} is UTF-8, in which {encoding!r} would read wrong letters without an error; "
            "leave encoding out"
        )
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{body[error.start]:02X} does not fit the encoding "
            f"{encoding!r}; name another one, or leave encoding out"
        ) from error


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _not_utf8(path: Path, body: bytes, error: UnicodeDecodeError) -> str:
    line = body.count(b"\n", 0, error.start) + 1
    begin = body.rfind(b"\n", 0, error.start) + 1
    fault = (
        f"{path}, line {line}, byte {error.start - begin + 1} of the line: "
        f"0x{body[error.start]:02X} is not UTF-8"
    )
    if not body[: error.start].isascii():
        return (
            f"{fault}, though the lines before are: the file mixes encodings. Mend that line "
            "(and any like it) in the program it came from, or drop the bytes that do not fit: "
            f"iconv -c -f UTF-8 -t UTF-8 {path} > utf8-{path.name}"
        )
    if _holds_utf8_later(body, error.start):
        return (
            f"{fault}, though lines after it are: the file mixes encodings. Mend that line (and "
            "any like it) in the program it came from, or drop the bytes that do not fit: "
            f"iconv -c -f UTF-8 -t UTF-8 {path} > utf8-{path.name}"
        )
    return (
        f"{fault}; the file is probably Windows-1252 (Latin-1). Say so (encoding: windows-1252), "
        f"or convert it: iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8-{path.name}"
    )


def _holds_utf8_later(body: bytes, start: int) -> bool:
    """Whether a line after ``start`` holds real (not plain ASCII) UTF-8."""
    for line in body[start:].split(b"\n")[1:]:
        if line.isascii():
            continue
        if _is_utf8(line):
            return True
    return False
