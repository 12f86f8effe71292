"""How much memory keys and values may take: kept between calls, and of the rows being written."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from promptlab.compat.transformers import config_value
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.errors import InputError

MAX_BATCH_ROWS = {"cpu": 48, "cuda": 256}
"""Rows at once, by measurement: more make a step as much longer as they add."""
MAX_CPU_GENERATION_BYTES = 2 * 1024**3
"""Keys and values of the rows at work on a CPU take no more."""
KV_CACHE_BYTES_ENV = "PROMPTLAB_KEPT_BYTES"
"""Environment variable: the most bytes of keys and values a model keeps; 0 keeps none."""
MAX_CPU_KV_CACHE_BYTES = 1024**3
"""On a CPU no more is kept unless asked for."""


def kv_cache_bytes(device: torch.device) -> int:
    """Bytes that a model may use to keep keys and values between calls.

    ``$PROMPTLAB_KEPT_BYTES`` if set; else a tenth of the free memory of a CUDA device, or a
    twentieth of the machine's memory, at most 1 GiB. Raises `InputError` for another text than
    a number.
    """
    chosen = os.environ.get(KV_CACHE_BYTES_ENV)
    if chosen:
        if not chosen.isdecimal():
            raise InputError(f"{KV_CACHE_BYTES_ENV} is {chosen!r}; set it to a number of bytes")
        return int(chosen)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 10
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return MAX_CPU_KV_CACHE_BYTES
    return min(MAX_CPU_KV_CACHE_BYTES, whole // 20)


def generation_token_budget(network: Network) -> TokenBudget:
    """Tokens whose keys and values may be held by the rows at work."""
    if network.device.type == "cuda":
        room = int(torch.cuda.mem_get_info(network.device)[0]) // 3
    else:
        room = MAX_CPU_GENERATION_BYTES
    return TokenBudget(max(1, room // _token_bytes(network)))


def max_batch_rows(network: Network, budget: TokenBudget, lengths: Sequence[int]) -> int:
    """Rows for texts of so many tokens, prompts included."""
    most = MAX_BATCH_ROWS.get(network.device.type, MAX_BATCH_ROWS["cuda"])
    return max(1, min(most, budget.tokens // max(lengths), len(lengths)))


def _token_bytes(network: Network) -> int:
    """Bytes of one token's keys and values, about, by the model's configuration."""
    config = network.model.config.get_text_config(decoder=True)
    heads = config_value(config, "num_attention_heads")
    kept = config_value(config, "num_key_value_heads") or heads
    size = config_value(config, "head_dim")
    width = network.virtual_tokens.width
    if isinstance(heads, int) and isinstance(kept, int):
        width = kept * (size or width // heads)
    return int(max(1, network.layer_count) * 2 * width * network.dtype.itemsize)
