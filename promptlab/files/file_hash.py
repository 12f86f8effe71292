"""Content hashes of files, remembered so that large ones are not read at every start."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from promptlab.errors import DiskError
from promptlab.files.cache import atomic_write, cache_dir, remove, warn

SETTLED = 2.0
"""Seconds after which a file's times tell a later change; before, its hash is not remembered."""
_SAMPLES, _SAMPLE = 64, 4096
"""Blocks of a file, and their bytes, that are looked at before a remembered hash is believed."""
_ENTRY = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{16})\n?")
_in_memory: dict[str, bytes] = {}
"""What could not be kept on disk."""


def file_hash(path: Path) -> bytes:
    """The SHA-256 of a file's content, remembered by its place, size, times and samples.

    What is remembered has a checksum: a damaged entry is told, and the file is read again.
    """
    state = file_state(path)
    found = _remembered(state, path)
    if found is not None:
        return found
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").digest()
    stat = path.stat()
    if max(stat.st_mtime, stat.st_ctime) < time.time() - SETTLED and file_state(path) == state:
        _remember(state, found)
    return found


def file_state(path: Path) -> str:
    """What says that a file is the one that was read before."""
    stat = path.stat()
    facts = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    digest = hashlib.sha256(f"{path.resolve()} {facts}".encode(errors="surrogateescape"))
    with path.open("rb") as stream:
        for number in range(_SAMPLES):
            stream.seek(number * max(0, stat.st_size - _SAMPLE) // (_SAMPLES - 1), os.SEEK_SET)
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


def _remembered(state: str, path: Path) -> bytes | None:
    """The hash that is kept for a state, if it is whole."""
    if state in _in_memory:
        return _in_memory[state]
    kept = _place(state)
    try:
        if not os.path.lexists(kept):
            return None
        content = kept.read_bytes() if kept.is_file() else b""
    except OSError:
        return None  # it cannot be read: the file itself is read, which is merely slower
    if (entry := _ENTRY.fullmatch(content)) and entry[2].decode() == _check(state, entry[1]):
        return bytes.fromhex(entry[1].decode())
    warn(f"the kept hash {kept} is damaged: {path} is read again")
    return None


def _remember(state: str, found: bytes) -> None:
    text = found.hex()
    kept = _place(state)
    try:
        if kept.is_dir():
            remove(kept)
        with atomic_write(kept, synced=False) as partial:
            partial.write_text(f"{text} {_check(state, text.encode())}\n")
    except (DiskError, OSError) as error:
        if not _in_memory:
            warn(f"hashes of files are not kept, so that they are read at every start: {error}")
        _in_memory[state] = found


def _place(state: str) -> Path:
    """Where the hash is kept; the bare name is that of earlier versions, without a checksum."""
    return cache_dir() / "hashes" / f"{state}.txt"


def _check(state: str, text: bytes) -> str:
    """The checksum of an entry: of its name, too, lest one stand for another."""
    return hashlib.blake2b(state.encode() + text, digest_size=8).hexdigest()
