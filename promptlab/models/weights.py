"""Content hashes of model folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from promptlab.cache import cache_dir, written_whole


def weights_key(source: str, revision: str | None = None) -> str:
    """A hash of a folder's weights, configuration and tokenizer, or of a hub id and revision.

    Hashing is remembered by path, size and time of change, so a second start does not read the
    weights again.
    """
    folder = Path(source)
    if not folder.is_dir():
        return hashlib.sha256(json.dumps([source, revision]).encode()).hexdigest()
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".safetensors", ".json", ".model", ".txt", ".jinja"}:
            digest.update(path.name.encode() + _file_key(path))
    return digest.hexdigest()


def _file_key(path: Path) -> bytes:
    stat = path.stat()
    name = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    known = cache_dir() / "hashes" / name.hexdigest()
    if known.exists():
        return bytes.fromhex(known.read_text())
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").digest()
    with written_whole(known) as partial:
        partial.write_text(found.hex())
    return found
