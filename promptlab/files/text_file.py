"""Text files that somebody else may have written, damaged or put another thing in place of."""

from __future__ import annotations

import stat
from pathlib import Path

from promptlab.errors import InputError, StudyError


def is_there(path: Path) -> bool:
    """Whether there is anything of that name; a name that no file can have names none."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, half a character, a loop of links
        return False


def is_file(path: Path) -> bool:
    """Whether there is a plain file of that name."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def find_beside(name: str, other: str) -> Path:
    """The file of a name as it stands, or else beside another file, such as the study's."""
    path = Path(name)
    beside = Path(other).parent / path
    return path if is_there(path) or not is_there(beside) else beside


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_text_file(
    path: Path, mend: str, *, most: int | None = None, fault: type[InputError] = StudyError
) -> str:
    """The text of a file.

    Args:
        path: The file.
        mend: What to do about a damaged one, for messages.
        most: Bytes that it may have.
        fault: The error to raise.

    Returns:
        Its text; a mark of the byte order at its beginning is none of it.

    Raises:
        InputError: Naming the file, and the line of what is no UTF-8, when it cannot be read, is
            no plain file (a folder, a pipe) or too large.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise fault(f"{path} is no plain file but {_kind(found.st_mode)}; {mend}")
        if most is not None and found.st_size > most:
            raise fault(f"{path}: {found.st_size:,} bytes are too many, at most {most:,}; {mend}")
        data = path.read_bytes()
    except OSError as error:
        raise fault(f"{path}: cannot be read: {error.strerror or error}; {mend}") from error
    except ValueError as error:  # half a character or a zero byte in the name
        raise fault(f"{str(path)!r:.200} is no name of a file: {error}; {mend}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fault(f"{path}, line {line}: holds bytes that are no UTF-8 text; {mend}") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise fault(f"{path}, line {line}: holds a zero byte, so it is no text; {mend}")
    return text


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
