"""Text encodings: UTF-8 is read, anything else is refused with the line, the byte and the mend."""

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


def decode(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 and UTF-32 with their byte order mark.

    Raises `DataError` with line and byte when the bytes are something else or change half-way.
    """
    raw = path.read_bytes()
    mark, encoding = next(((m, e) for m, e in _MARKS if raw.startswith(m)), (b"", "utf-8"))
    body = raw[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(
                f"{path}: begins with the byte order mark of {encoding.upper()}, but byte "
                f"{error.start + len(mark)} does not fit it ({error.reason}); save it as UTF-8"
            ) from error
        raise DataError(_not_utf8(path, body, error)) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path}, line {line}: holds a zero byte, so it is no text file, or UTF-16 without "
            f"its byte order mark. Convert it: iconv -f UTF-16 -t UTF-8 {path} > utf8-{path.name}"
        )
    return text


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
        f"{fault}; the file is probably Windows-1252 (Latin-1). Convert it: "
        f"iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8-{path.name}"
    )


def _holds_utf8_later(body: bytes, start: int) -> bool:
    """Whether a line after ``start`` holds real (not plain ASCII) UTF-8."""
    for line in body[start:].split(b"\n")[1:]:
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            continue
        return True
    return False
