"""The list of checksums in a folder that was made in the cache, as ``sha256sum`` writes one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from promptlab.files.file_hash import file_hash

LIST = "checksums.sha256"
UNLISTED = "it comes from an earlier version, without checksums"
"""What `find_damage` says of a folder that has no list."""
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


def write_checksums(folder: Path) -> None:
    """List the files of a new folder with their SHA-256."""
    lines = []
    for name in sorted(_files(folder)):
        with (folder / name).open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {name}\n")
    (folder / LIST).write_text("".join(lines), encoding="utf-8")


def find_damage(folder: Path) -> str | None:
    """What is wrong with a folder that has a list of checksums.

    Args:
        folder: The folder.

    Returns:
        The fault in words, `UNLISTED` for a folder without a list, ``None`` for one that is whole.
    """
    if not folder.is_dir():
        return "it is no folder"
    kept = folder / LIST
    if not kept.is_file():
        return f"{LIST} is no file" if kept.exists() or kept.is_symlink() else UNLISTED
    try:
        lines = kept.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return f"{LIST} cannot be read: {error}"
    entries = [_LINE.fullmatch(line) for line in lines]
    if not entries or not all(entries):
        return f"{LIST} is no list of checksums"
    return compare_files(folder, {entry[2]: entry[1] for entry in entries if entry})


def compare_files(folder: Path, wanted: Mapping[str, str]) -> str | None:
    """How a folder's files differ from those ``wanted``, which are given with their SHA-256."""
    if missing := sorted(wanted.keys() - _files(folder)):
        return f"{missing[0]} is missing"
    if strange := sorted(_files(folder) - wanted.keys()):
        return f"{strange[0]} does not belong to it"
    return next(
        (told for name in wanted if (told := find_difference(folder / name, wanted[name]))), None
    )


def find_difference(path: Path, sha256: str) -> str | None:
    """Whether a file's content is another than its SHA-256 says, in words."""
    try:
        if not path.is_file():
            return f"{path.name} is no file"
        found = file_hash(path).hex()
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    return None if found == sha256 else f"{path.name} has not the content that it was made with"


def _files(folder: Path) -> set[str]:
    """The names of all that is in a folder but its list and hidden files."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir() and path.name != LIST and not path.name.startswith(".")
    }
