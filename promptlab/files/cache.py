"""The user's cache folder: where downloads, converted models and data sets are kept."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from promptlab import events
from promptlab.errors import DiskError
from promptlab.files.atomic import make_folders, partial_path, remove, sync, sync_folder

__all__ = [
    "Progress",
    "atomic_write",
    "cache_dir",
    "disk_errors",
    "file_lock",
    "format_size",
    "free_space_text",
    "is_disk_full",
    "print_to_stderr",
    "remove",
    "require_disk_space",
    "show_progress",
    "warn",
]

Progress = Callable[[str], None]
"""Receives one line of text about work that takes a while."""


def cache_dir() -> Path:
    """The cache folder: ``$PROMPTLAB_CACHE`` if set, else the platform's user cache.

    Raises `DiskError` for a user without a home: no folder would be theirs alone.
    """
    chosen = os.environ.get("PROMPTLAB_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        from platformdirs import user_cache_path

        found = user_cache_path("promptlab", appauthor=False)
        if not found.is_absolute():
            raise RuntimeError
    except RuntimeError as error:
        raise DiskError(
            "no home folder is known to keep models, data and results in; set PROMPTLAB_CACHE to "
            "the whole path of a folder of your own"
        ) from error
    return found


_shows_progress = True


def show_progress(shown: bool) -> None:
    """Whether `print_to_stderr` writes; a quiet command has it silent."""
    global _shows_progress
    _shows_progress = shown


def print_to_stderr(message: str) -> None:
    """The default `TrainProgress`: one line on standard error."""
    if _shows_progress:
        print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Tell what the user should know: to the `Events` in force, else on standard error."""
    listening = events.current_events()
    if listening is not None:
        listening.emit(events.Warned(message))
    else:
        print(message, file=sys.stderr, flush=True)


def format_size(size: int) -> str:
    """A number of bytes for people: ``"93 MB"`` (decimal units)."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def free_space_text(folder: Path) -> str:
    """How much room ``folder`` (or the nearest folder above it that exists) has."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return f"{folder} has {format_size(shutil.disk_usage(folder).free)} free"


def require_disk_space(folder: Path, size: int, purpose: str) -> None:
    """Raise `DiskError` before work starts when ``folder`` has fewer than ``size`` bytes free."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if shutil.disk_usage(existing).free < size:
        raise DiskError(
            f"{purpose} needs {format_size(size)} of disk, but {free_space_text(existing)}: make "
            "room, or set PROMPTLAB_CACHE to a folder on a larger disk"
        )


_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_IN_THE_WAY = frozenset(
    {
        errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENXIO,
        errno.ENAMETOOLONG, errno.EIO, errno.ESTALE, errno.EBUSY, errno.ETXTBSY, errno.EFBIG,
    }
)  # fmt: skip
"""A file where a folder should be, a link that leads nowhere, a disk that fails."""


@contextmanager
def disk_errors(folder: Path, purpose: str) -> Iterator[None]:
    """Turn a full disk, a forbidden folder or one that is none into a `DiskError`."""
    try:
        yield
    except OSError as error:
        elsewhere = "set PROMPTLAB_CACHE to" if _inside_cache(folder) else "name"
        place = error.filename or folder
        if is_disk_full(error):
            raise DiskError(
                f"{purpose}: the disk is full ({free_space_text(folder)}); make room, or "
                f"{elsewhere} a folder on a larger disk"
            ) from error
        if error.errno in _FORBIDDEN:
            raise DiskError(
                f"{purpose}: {place} cannot be written ({error.strerror}); "
                f"{elsewhere} a folder of your own"
            ) from error
        if error.errno in _IN_THE_WAY:
            raise DiskError(
                f"{purpose}: {place} cannot be used ({error.strerror}); move away what is in its "
                f"place, or {elsewhere} another folder"
            ) from error
        raise


def is_disk_full(error: OSError) -> bool:
    """Whether the disk or the user's quota has no room left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _inside_cache(folder: Path) -> bool:
    try:
        return folder.absolute().is_relative_to(cache_dir())
    except DiskError:
        return False


@contextmanager
def atomic_write(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """A path beside ``path`` to write a file or folder to, which takes its name at the end.

    ``path`` appears whole or not at all, also when the power fails (unless not ``synced``: for
    what is cheap to make again and checked when it is read). Nothing is left of what failed or
    was killed, and processes that write the same path do not disturb each other: the last one's
    stays. Raises `DiskError`.
    """
    with disk_errors(path.parent, f"Writing {path}"):
        make_folders(path.parent, synced=synced)
        with partial_path(path.parent) as partial:
            yield partial
            if synced:
                sync(partial)
            partial.replace(path)
            if synced:
                sync_folder(path.parent)


@contextmanager
def file_lock(
    path: Path,
    purpose: str | None = None,
    on_progress: Progress | None = None,
    *,
    patience: float = -1,
) -> Iterator[None]:
    """Hold the lock that belongs to ``path``; a second process waits, and says so for a purpose.

    The operating system drops the lock of a process that dies, so none is ever stale. Raises
    `DiskError` where there can be none, or when it was waited for as many seconds as ``patience``
    (negative: for ever).
    """
    from filelock import FileLock, Timeout

    with disk_errors(path.parent, purpose or f"Locking {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.parent / f".{path.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if purpose:
                (on_progress or print_to_stderr)(f"{purpose}: waiting for another process doing it")
            try:
                lock.acquire(timeout=patience)
            except Timeout as error:
                raise DiskError(f"another process holds {lock.lock_file}; end it") from error
    try:
        yield
    finally:
        lock.release()
