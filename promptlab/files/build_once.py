"""Folders and files of the cache that are made once: whole or not at all, and anew when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from promptlab.errors import WorkError
from promptlab.files.atomic import remove, sync, sync_folder
from promptlab.files.cache import Progress, disk_errors, file_lock, warn
from promptlab.files.checksums import UNLISTED, find_damage, write_checksums

MISSING = "it is not there"


def build_once(
    path: Path,
    build: Callable[[Path], None],
    *,
    purpose: str,
    on_progress: Progress | None = None,
    check: Callable[[Path], str | None] | None = None,
) -> Path:
    """Return ``path``, made by ``build(partial)`` if it is not there yet, or damaged.

    ``build`` creates a file or a folder beside ``path``, which is renamed when it is complete:
    ``path`` exists whole or not at all, and two processes never build at once. ``check`` says
    what is wrong with what is there (``None``: nothing); it is told, and made anew. Without one,
    a folder gets a list of its files' checksums, by which it is checked. What is
    there and whole is used without a lock, so that a folder that nobody may write will do. Raises
    `DiskError` when the disk is full or the folder cannot be written.
    """
    look = check or (lambda found: None if found.is_file() else find_damage(found))
    with disk_errors(path.parent, purpose):
        fault = look(path) if path.exists() else MISSING
    if fault is None:
        return path
    try:
        with file_lock(path, purpose, on_progress), disk_errors(path.parent, purpose):
            fault = look(path) if path.exists() else MISSING
            if fault is not None:  # else another process built it while this one waited
                if fault != MISSING:
                    warn(f"{path} is made anew: {fault}")
                _build(path, build, listed=check is None)
    except WorkError as error:
        return _unbuilt(path, fault, error)
    return path


def _build(path: Path, build: Callable[[Path], None], *, listed: bool) -> None:
    """Build beside ``path`` and put it there; the lock is held."""
    partial = path.with_name(f".{path.name}.partial")
    remove(partial)  # what a killed process left behind
    try:
        build(partial)
        if listed and partial.is_dir():
            write_checksums(partial)
        sync(partial)
        remove(path)
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        remove(partial)


def _unbuilt(path: Path, fault: str | None, error: WorkError) -> Path:
    """What is there instead, if it is merely old; raises ``error`` for what is damaged."""
    if fault == UNLISTED:
        warn(f"{path} cannot be checked, and is used as it is: {fault} ({error})")
        return path
    if fault in (MISSING, None):
        raise error
    raise type(error)(f"{path} is damaged ({fault}), and cannot be made anew: {error}") from error
