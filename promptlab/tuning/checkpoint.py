"""How far a training is, on disk: whole or not at all, so that it can be killed at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from promptlab.cache import written_whole

FORMAT = "1"
"""Version of the file; another one is not read."""


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON data) as one safetensors file."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written_whole(path) as partial:
        save_file(kept, partial, metadata={"format": FORMAT, "facts": json.dumps(facts)})


def load_checkpoint(path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `save_checkpoint` wrote; ``None`` if there is none that can be read."""
    if path is None or not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(metadata["facts"])
    except (OSError, ValueError, KeyError, SafetensorError):
        # A damaged checkpoint costs time, nothing else: training begins anew.
        return None
