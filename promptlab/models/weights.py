"""Content hashes of model folders."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Set
from pathlib import Path

from promptlab.cache import cache_dir, written_whole

_READ = {".safetensors", ".json", ".model", ".txt", ".jinja", ".tiktoken", ".bpe", ".vocab"}
"""Endings of the files that a model is made of: weights, adapters, settings, tokenizer, chats."""
_SETTLED = 2.0
"""Seconds after which a file's times tell a later change; before, its hash is not remembered."""
_SAMPLES, _SAMPLE = 64, 4096
"""Blocks of a file, and their bytes, that are looked at before a remembered hash is believed."""


def weights_key(source: str, revision: str | None = None) -> str:
    """A hash of the content of a model's folder: weights, configuration, tokenizer, chat template.

    A hub id stands for the folder that was fetched for it, so what its branch has moved to is
    another model; one that is not in the hub's cache goes by id and revision.

    Hashing is remembered by place, size, times and samples of a file, so a second start does not
    read the weights again.
    """
    folder = _folder(source, revision)
    if folder is None:
        return hashlib.sha256(json.dumps([source, revision]).encode()).hexdigest()
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + file_key(path))
    return digest.hexdigest()


def folder_state(name: str, revision: str | None = None) -> str:
    """What changes when a model's files do, without reading them whole; empty if it has none."""
    folder = _folder(name, revision)
    if folder is None:
        return ""
    state = hashlib.sha256()
    for path in _files(folder, also={".gguf"}):
        state.update(_state(path).encode())
    return state.hexdigest()


def _folder(source: str, revision: str | None) -> Path | None:
    """The folder of a path or a hub id, or the file itself of a path."""
    path = Path(source).expanduser()
    if path.exists():
        return path
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, "config.json", revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def _files(folder: Path, also: Set[str] = frozenset()) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    for path in sorted((*folder.iterdir(), *folder.glob("additional_chat_templates/*"))):
        if path.suffix in _READ | also and path.is_file():
            yield path


def file_key(path: Path) -> bytes:
    """The SHA-256 of a file's content, remembered."""
    known = cache_dir() / "hashes" / _state(path)
    if known.exists():
        return bytes.fromhex(known.read_text())
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").digest()
    if max(path.stat().st_mtime, path.stat().st_ctime) < time.time() - _SETTLED:
        with written_whole(known) as partial:
            partial.write_text(found.hex())
    return found


def _state(path: Path) -> str:
    """What says that a file is the one that was read before."""
    stat = path.stat()
    facts = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    digest = hashlib.sha256(f"{path.resolve()} {facts}".encode())
    with path.open("rb") as stream:
        for number in range(_SAMPLES):
            stream.seek(number * max(0, stat.st_size - _SAMPLE) // (_SAMPLES - 1), os.SEEK_SET)
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()
