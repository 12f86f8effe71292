"""How far a training is, on disk: whole or not at all, so that it can be killed at any moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from promptlab.cache import written_whole

FORMAT = "1"
"""Version of the file; another one is not read."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON data) as one safetensors file, with their hash."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = json.dumps(facts)
    metadata = {"format": FORMAT, "facts": told, "hash": _hash(kept, told)}
    with written_whole(path) as partial:
        save_file(kept, partial, metadata=metadata)


def load_checkpoint(path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `save_checkpoint` wrote; ``None`` if there is none that can be read."""
    if path is None or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                return None
            # copies: else writing into the file would change what is in memory
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        facts = json.loads(metadata["facts"])
        # Those of earlier versions have no hash.
        is_whole = metadata.get("hash") in (None, _hash(tensors, metadata["facts"]))
        return (tensors, facts) if is_whole and isinstance(facts, dict) else None
    except (OSError, ValueError, KeyError, RecursionError, RuntimeError, SafetensorError):
        # A damaged checkpoint costs time, nothing else: training begins anew.
        return None


def _hash(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
