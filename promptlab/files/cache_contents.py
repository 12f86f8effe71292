"""The parts of the cache folder: what each holds, how large it is, and clearing it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.cache import cache_dir, disk_errors, remove

CONTENTS = {
    "assets": ("downloaded packages with models and data", "fetched again"),
    "models": ("models converted for use", "converted again, minutes"),
    "data": ("pinned data sets", "unpacked again"),
    "features": ("scores that models gave", "computed again"),
    "replies": ("replies of endpoints", "asked and paid again"),
    "corpora": ("which sentences of a corpus name which pairs", "the corpus is read again"),
    "hashes": ("which weights a file holds", "read again, seconds"),
    "machine.json": ("how fast this machine is", "measured again, seconds"),
}
"""What promptlab keeps, by the name of a file or folder in the cache folder."""


@dataclass(frozen=True)
class CachePart:
    """One part of the cache: ``size`` in bytes, ``rebuilding`` what happens without it."""

    name: str
    path: str
    size: int
    files: int
    content: str
    rebuilding: str

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def cache_parts() -> list[CachePart]:
    """What is kept now, in the order of `CONTENTS`; other files in the folder are nobody's.

    Raises `DiskError` where the cache folder may not be read.
    """
    with disk_errors(cache_dir(), "Looking at what is kept"):
        return [_part(name) for name in CONTENTS if _is_there(cache_dir() / name)]


def choose_parts(names: Sequence[str], *, everything: bool = False) -> list[CachePart]:
    """The parts of these names that are kept now.

    Args:
        names: Names of `CONTENTS`.
        everything: All parts; then no names are given.

    Returns:
        The parts, without those of which nothing is kept.

    Raises:
        InputError: For an unknown name, none at all, or names beside ``everything``.
    """
    known = ", ".join(CONTENTS)
    if everything == bool(names):
        raise InputError(f"name the parts to clear ({known}), or give --all")
    for name in names:
        if name not in CONTENTS:
            raise InputError(f"the cache has no part {name!r}; its parts are {known}")
    return [part for part in cache_parts() if everything or part.name in names]


def clear_parts(parts: Sequence[CachePart]) -> None:
    """Remove these parts; work that needs one makes it again. Raises `DiskError`."""
    for part in parts:
        path = Path(part.path)
        with disk_errors(path, f"Clearing {part.name}"):
            remove(path)


def _is_there(path: Path) -> bool:
    """Whether there is anything at a path, be it a link that leads nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _part(name: str) -> CachePart:
    path = cache_dir() / name
    sizes = list(_sizes(path))
    return CachePart(name, str(path), sum(sizes), len(sizes), *CONTENTS[name])


def _sizes(path: Path) -> Iterator[int]:
    """The sizes of a file, or of all files in a folder; no link is followed."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        yield found.st_size
        return
    for each in os.scandir(path):
        try:
            if each.is_dir(follow_symlinks=False):
                yield from _sizes(Path(each))
            else:
                yield each.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue  # removed by another process meanwhile
