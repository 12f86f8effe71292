"""Content hashes of model folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Set
from pathlib import Path

from promptlab.files.file_hash import file_hash, file_state

_READ = {
    ".safetensors", ".json", ".model", ".txt", ".jinja", ".tiktoken", ".bpe", ".vocab", ".spm",
    ".codes",
}  # fmt: skip
"""Endings of the files that a model is made of: weights, adapters, settings, tokenizer, chats."""


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
        digest.update(path.relative_to(folder).as_posix().encode() + file_hash(path))
    if (base := _adapted(folder, source)) is not None:
        digest.update(weights_key(base).encode())
    return digest.hexdigest()


def _adapted(folder: Path, source: str) -> str | None:
    """The model that an adapter in the folder is for: its weights lie elsewhere."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        return None
    try:
        base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None  # whoever loads it says what is wrong with it
    if not isinstance(base, str) or base in ("", source):
        return None
    other = _folder(base, None)
    return None if other is not None and _is_adapter(other) else base


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def folder_state(name: str, revision: str | None = None) -> str:
    """What changes when a model's files do, without reading them whole; empty if it has none."""
    folder = _folder(name, revision)
    if folder is None:
        return ""
    state = hashlib.sha256()
    for path in _files(folder, also={".gguf"}):
        state.update(file_state(path).encode())
    if (base := _adapted(folder, name)) is not None:
        state.update(folder_state(base).encode())
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
