"""JSON files that somebody else may have written: read whole, or refused with the place."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, NoReturn

from promptlab.errors import InputError
from promptlab.files.cache import format_size

MOST_BYTES = 128 * 1024**2
"""A larger document is refused before it is read: in memory it would be many times as large."""
_SORTS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_file(path: Path, most_bytes: int | None = None) -> None:
    """Refuse what is no file before anything opens it: reading a pipe would never end.

    Args:
        path: The file; links are followed.
        most_bytes: A larger one is refused.

    Raises:
        InputError: For a pipe, a folder, a device, a link that leads nowhere, and a file that is
            too large.
    """
    try:
        found = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(f"{path} is a link that leads nowhere; put the file there") from error
        raise InputError(f"there is no file {path}; copy the whole folder") from error
    except (OSError, ValueError) as error:  # links in a circle, names that are no names
        raise InputError(f"{path} cannot be read ({error}); put a file there") from error
    if not stat.S_ISREG(found.st_mode):
        sort = _SORTS.get(stat.S_IFMT(found.st_mode), "something else")
        raise InputError(f"{path} is {sort}, no file; put the file there")
    if most_bytes is not None and found.st_size > most_bytes:
        raise InputError(
            f"{path} has {format_size(found.st_size)} and at most {format_size(most_bytes)} are "
            "read of such a file; write it anew"
        )


def read_json(
    path: Path,
    *,
    mend: str = "save it again",
    most_bytes: int = MOST_BYTES,
    allow_nan: bool = False,
) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        mend: What can be done about a damaged one, for the message.
        most_bytes: A larger one is refused.
        allow_nan: Whether NaN and infinity, which JSON does not know, are read all the same.

    Returns:
        The value.

    Raises:
        InputError: In one sentence that names the file and the place.
    """
    check_file(path, most_bytes)

    def refuse(constant: str) -> NoReturn:
        raise InputError(f"{path} holds {constant}, which is no number; {mend}")

    try:
        text = path.read_text(encoding="utf-8-sig")
        value = json.loads(text, parse_constant=None if allow_nan else refuse)
        _check_characters(value)
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply to be read; {mend}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); {mend}") from error
    except UnicodeError as error:
        raise InputError(f"{path} is no text in UTF-8 ({error}); {mend}") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); {mend}") from error
    return value


def read_object(path: Path, **options: Any) -> dict[str, Any]:
    """`read_json` of a file that holds an object. Raises `InputError` for anything else."""
    value = read_json(path, **options)
    if not isinstance(value, dict):
        mend = options.get("mend", "save it again")
        raise InputError(f"{path} holds {_sort(value)} and not an object of keys; {mend}")
    return value


def _sort(value: Any) -> str:
    sorts = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return sorts.get(type(value), "a number")


def _check_characters(value: Any) -> None:
    """Halves of surrogate pairs are no characters and could never be written again."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")
