"""What a model's configuration says of it: its family and its context window."""

from __future__ import annotations

from typing import Any, cast

from promptlab.compat.transformers import config_value, model_classes_of
from promptlab.errors import InputError
from promptlab.models.base import Family


def model_family(config: Any, source: str, architecture: str = "") -> Family:
    """Masked, causal or seq2seq, by the architecture that the folder names (or the class)."""
    architecture = architecture or (config.architectures or [""])[0]
    if config.is_encoder_decoder:
        return "seq2seq"
    found = model_classes_of(architecture, config.model_type)
    if found == {"causal", "masked"}:  # XLM's one class is trained either way
        return "causal" if getattr(config, "causal", False) else "masked"
    if len(found) == 1:
        return cast(Family, found.pop())
    raise InputError(
        f"{source} has the architecture {architecture or 'unknown'}, which is no language model "
        "with a vocabulary head; pick a causal, masked or seq2seq one, or say which it is "
        "with family="
    )


_UNLIMITED = -1
"""What XLNet's configuration says of its window."""


def context_window(model: Any, tokenizer: Any, name: str) -> int:
    """The context window in tokens."""
    text = model.config.get_text_config()
    limit = config_value(text, "max_position_embeddings") or config_value(text, "n_positions")
    given = (limit, tokenizer.model_max_length)
    limits = [int(n) for n in given if n and n != _UNLIMITED and n < 10**9]
    for module, table in model.named_modules():
        # RoBERTa counts positions from the padding's on, so it has fewer than its table has rows.
        if (
            module.endswith("position_embeddings")
            and getattr(table, "padding_idx", None) is not None
        ):
            limits.append(int(table.weight.shape[0]) - table.padding_idx - 1)
    window = min(limits, default=512)
    if window < 1:
        raise InputError(
            f"{name} has a context window of {window} tokens by its config.json; save or download "
            "the model again"
        )
    return window
