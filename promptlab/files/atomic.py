"""Files and folders that appear whole or not at all, also when the power fails."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

PLACE = ".partial"
"""The hidden folder beside a file that is being written, in which it lies until it is whole."""
_UNKNOWN_TO_THE_SYSTEM = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF})
"""What file systems answer that cannot sync a folder, or lock one."""


@contextmanager
def partial_path(folder: Path) -> Iterator[Path]:
    """A path in ``folder`` that no other process writes to; what is left there is removed.

    It lies in a folder of its own, which is locked as long as this process lives: by that the
    leftovers of killed processes are told from what others are writing, and cleared.
    """
    place = folder / PLACE
    _remove_leftovers(place)
    own, lock = _own_folder(place)
    try:
        yield own / "part"
    finally:
        remove(own)
        if lock is not None:
            os.close(lock)
        with suppress(OSError):  # others are writing there, too
            place.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Clear what killed processes have left in a folder, and in those inside of it."""
    for place in list(folder.rglob(PLACE)):
        _remove_leftovers(place)
        with suppress(OSError):  # somebody is writing there
            place.rmdir()


def sync(path: Path) -> None:
    """Have the disk keep a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        for each in path.iterdir():
            sync(each)
        sync_folder(path)
    elif path.is_file() and not path.is_symlink():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder; where the system knows no such thing, nothing."""
    if fcntl is None:
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _UNKNOWN_TO_THE_SYSTEM:
            raise
    finally:
        os.close(opened)


def make_folders(folder: Path, *, synced: bool = True) -> None:
    """Create a folder and those above it, and have the disk keep their names."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder == folder.parent:
            break
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        if synced:
            sync_folder(each.parent)


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _own_folder(place: Path) -> tuple[Path, int | None]:
    """A new folder in ``place`` and its lock, ``None`` where folders cannot be locked."""
    while True:
        own = place / secrets.token_hex(6)
        try:
            _make_place(place)
            own.mkdir()
            if fcntl is None:
                return own, None
            lock = os.open(own, os.O_RDONLY)
        except FileNotFoundError:  # another process has cleared what was empty
            if not place.parent.is_dir():
                raise
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            os.close(lock)
            if error.errno not in _UNKNOWN_TO_THE_SYSTEM:
                raise
            return own, None
        if own.is_dir():
            return own, lock
        os.close(lock)  # taken for a leftover before it was locked


def _make_place(place: Path) -> None:
    """Create the folder, in the place of anything else that has its name."""
    try:
        place.mkdir()
    except FileExistsError:
        if not stat.S_ISDIR(place.lstat().st_mode):
            place.unlink()
            place.mkdir(exist_ok=True)


def _remove_leftovers(place: Path) -> None:
    """Clear what killed processes have left."""
    if fcntl is None or place.is_symlink():
        return
    try:
        left = list(place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for each in left:
        if not each.is_dir() or each.is_symlink():
            remove(each)
            continue
        try:
            lock = os.open(each, os.O_RDONLY)
        except OSError:
            continue  # cleared by another process meanwhile, or not ours to clear
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(each, ignore_errors=True)
        except OSError:
            continue  # somebody is writing there
        finally:
            os.close(lock)
