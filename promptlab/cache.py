"""The user's cache folder: where downloads, converted models and data sets are kept."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from promptlab.errors import DiskError

Progress = Callable[[str], None]
"""Receives one line of text about work that takes a while."""


def cache_dir() -> Path:
    """The cache folder: ``$PROMPTLAB_CACHE`` if set, else the platform's user cache."""
    chosen = os.environ.get("PROMPTLAB_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("promptlab", appauthor=False)


_shows_progress = True


def show_progress(shown: bool) -> None:
    """Whether `to_stderr` writes; a quiet command has it silent."""
    global _shows_progress
    _shows_progress = shown


def to_stderr(message: str) -> None:
    """The default `Progress`: one line on standard error."""
    if _shows_progress:
        print(message, file=sys.stderr, flush=True)


def size_text(size: int) -> str:
    """A number of bytes for people: ``"93 MB"`` (decimal units)."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def room_text(folder: Path) -> str:
    """How much room ``folder`` (or the nearest folder above it that exists) has."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return f"{folder} has {size_text(shutil.disk_usage(folder).free)} free"


def require_room(folder: Path, size: int, purpose: str) -> None:
    """Raise `DiskError` before work starts when ``folder`` has fewer than ``size`` bytes free."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if shutil.disk_usage(existing).free < size:
        raise DiskError(
            f"{purpose} needs {size_text(size)} of disk, but {room_text(existing)}: make room, "
            "or set PROMPTLAB_CACHE to a folder on a larger disk"
        )


@contextmanager
def disk_errors(folder: Path, purpose: str) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into a `DiskError` that says what to do."""
    elsewhere = "set PROMPTLAB_CACHE to" if _inside_cache(folder) else "name"
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise DiskError(
                f"{purpose}: the disk is full ({room_text(folder)}); make room, or {elsewhere} "
                "a folder on a larger disk"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DiskError(
                f"{purpose}: {error.filename or folder} cannot be written ({error.strerror}); "
                f"{elsewhere} a folder of your own"
            ) from error
        raise


def is_full(error: OSError) -> bool:
    """Whether the disk or the user's quota has no room left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _inside_cache(folder: Path) -> bool:
    return folder.absolute().is_relative_to(cache_dir())


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write a file or folder to, which takes its name at the end.

    ``path`` appears whole or not at all; nothing is left of what failed. Raises `DiskError`.
    """
    with disk_errors(path.parent, f"Writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        remove(partial)  # what a killed process left behind
        try:
            yield partial
            partial.replace(path)
        finally:
            remove(partial)


@contextmanager
def locked(
    path: Path, purpose: str | None = None, on_progress: Progress | None = None
) -> Iterator[None]:
    """Hold the lock that belongs to ``path``; a second process waits, and says so for a purpose.

    The operating system drops the lock of a process that dies, so none is ever stale.
    """
    from filelock import FileLock, Timeout

    with disk_errors(path.parent, purpose or f"Locking {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.parent / f".{path.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if purpose:
                (on_progress or to_stderr)(f"{purpose}: waiting for another process doing it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def build_once(
    path: Path,
    build: Callable[[Path], None],
    *,
    purpose: str,
    on_progress: Progress | None = None,
) -> Path:
    """Return ``path``, made by ``build(partial)`` if it is not there yet.

    ``build`` creates a file or a folder beside ``path``, which is renamed when it is complete:
    ``path`` exists whole or not at all, and two processes never build at once. Raises
    `DiskError` when the disk is full or the folder cannot be written.
    """
    if path.exists():
        return path
    with locked(path, purpose, on_progress):
        if path.exists():  # another process built it while this one waited
            return path
        partial = path.with_name(f".{path.name}.partial")
        with disk_errors(path.parent, purpose):
            remove(partial)  # what a killed process left behind
            try:
                build(partial)
                partial.replace(path)
            finally:
                remove(partial)
    return path


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
