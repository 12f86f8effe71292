"""How many rows are written at once: by memory, and by what still gains speed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from promptlab.compat.transformers import config_value
from promptlab.engine.batch import TokenBudget
from promptlab.engine.network import Network

MOST_ROWS = {"cpu": 48, "cuda": 256}
"""Rows at once, by measurement: more make a step as much longer as they add."""
MOST_BYTES = 2 * 1024**3
"""Keys and values of the rows at work on a CPU take no more."""


def writing_budget(network: Network) -> TokenBudget:
    """Tokens whose keys and values may be held by the rows at work."""
    if network.device.type == "cuda":
        room = int(torch.cuda.mem_get_info(network.device)[0]) // 3
    else:
        room = MOST_BYTES
    return TokenBudget(max(1, room // _token_bytes(network)))


def rows_at_once(network: Network, budget: TokenBudget, lengths: Sequence[int]) -> int:
    """Rows for texts of so many tokens, prompts included."""
    most = MOST_ROWS.get(network.device.type, MOST_ROWS["cuda"])
    return max(1, min(most, budget.tokens // max(lengths), len(lengths)))


def _token_bytes(network: Network) -> int:
    """Bytes of one token's keys and values, about, by the model's configuration."""
    config = network.model.config.get_text_config(decoder=True)
    heads = config_value(config, "num_attention_heads")
    kept = config_value(config, "num_key_value_heads") or heads
    size = config_value(config, "head_dim")
    width = network.virtual.width
    if isinstance(heads, int) and isinstance(kept, int):
        width = kept * (size or width // heads)
    return int(max(1, network.layers) * 2 * width * network.dtype.itemsize)
