"""What the answers of a model on this machine rest on: its files, its format, how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from promptlab.files.provenance import Provenance, content_hash, package_versions
from promptlab.models.processor import this_processor

if TYPE_CHECKING:
    from promptlab.models.local import LocalModel

COMPUTES = ("torch", "transformers", "tokenizers", "sentencepiece", "safetensors")
"""What a local model computes with."""


def local_provenance(model: LocalModel) -> Provenance:
    """Weights, format, kind of device, engine and libraries; the very processor is noted."""
    device = model.engine.network.device
    fixed = {
        "weights": model.weights,
        "dtype": model.dtype,
        "device": device.type,
        "engine": model.run_mode,
        "thinking": str(model.thinking or "none"),
        **package_versions(*COMPUTES),
    }
    if model.learned is not None:
        fixed["learned parts"] = model.learned.key
    if not model.from_files:  # else they are among the files whose content is hashed
        fixed["tokenizer"] = _tokenizer_hash(model)
    noted = {
        "processor": this_processor().name,
        "threads": str(torch.get_num_threads()),
        "instructions": str(torch.backends.cpu.get_cpu_capability()),
        "precision of products": torch.get_float32_matmul_precision(),
    }
    if device.type == "cuda":
        noted["CUDA device"] = torch.cuda.get_device_name(device)
    return Provenance(fixed, noted)


def _tokenizer_hash(model: LocalModel) -> str:
    """A hash of what a tokenizer in memory does to texts."""
    tokenizer = model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    own = backend.to_str() if backend is not None else str(sorted(tokenizer.get_vocab().items()))
    return content_hash(f"{own}\n{tokenizer.chat_template}")
