"""How transformers' models take keys and values that were computed before: its *cache*."""

from __future__ import annotations

import inspect
from functools import cache as once
from typing import Any

import transformers
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    EncoderDecoderCache,
)
from transformers.modeling_outputs import MoEModelOutput as EncoderOutput
from transformers.pytorch_utils import Conv1D

from promptlab.compat import library_internal, tested_versions
from promptlab.errors import CapabilityError, WorkError

__all__ = [
    "Cache",
    "Conv1D",
    "DynamicCache",
    "DynamicLayer",
    "EncoderDecoderCache",
    "EncoderOutput",
    "accepts_argument",
    "accepts_positions",
    "block_attention_reason",
    "cache_inputs",
    "cache_keyword",
    "class_names",
    "config_value",
    "forget_origin",
    "is_full_length_cache",
    "is_lossless_cache",
    "model_classes_of",
]

_AUTO = "transformers.models.auto.modeling_auto"
CACHE_KEYWORDS = ("cache", "past_key_values")
"""What ``forward`` calls its cache, the newest name first (5.24 renamed it)."""
_BLOCKS = (
    "attention_window", "block_size", "local_radius", "local_attn_chunk_length",
    "lsh_attn_chunk_length", "window_size", "num_landmarks", "chunk_size", "block_per_row",
)  # fmt: skip


def cache_keyword(model: Any) -> str | None:
    """The keyword under which a model's ``forward`` takes a cache; ``None`` if it keeps none.

    Raises `WorkError` when the installed transformers has another name for it than those known
    here, or when the model and its body have different ones.
    """
    _check_names()
    own = _keyword(model.forward)
    body = model.get_decoder() if model.config.is_encoder_decoder else model.base_model
    inner = _keyword(body.forward)
    if own is None and not _takes_any(model.forward):
        return None
    if own is not None and inner is not None and own != inner:
        raise WorkError(
            f"{type(model).__name__} calls its cache {own} and its body calls it {inner}, so "
            f'neither name reaches both; run: pip install "{tested_versions("transformers")}"'
        )
    return own or inner


def cache_inputs(keyword: str | None, cache: Any, name: str) -> dict[str, Any]:
    """The argument that gives a model ``cache``; ``name`` is the model's, for the message.

    Raises `CapabilityError` for a model that takes none.
    """
    if keyword is None:
        raise CapabilityError(
            f"{name} takes no keys and values of earlier tokens (its forward has no parameter "
            f"{' or '.join(CACHE_KEYWORDS)}), so it can attend no learned prefix; use a soft prompt"
        )
    return {keyword: cache}


def class_names(task: str) -> frozenset[str]:
    """The model classes that transformers has for a task, such as ``MASKED_LM``."""
    found = library_internal(_AUTO, f"MODEL_FOR_{task}_MAPPING_NAMES").values()
    names = (name for known in found for name in ((known,) if isinstance(known, str) else known))
    return frozenset(names)


def forget_origin(config: Any) -> None:
    """Take out of a configuration from where it was loaded, so that it is saved without it."""
    for name in ("_name_or_path", "_model_name_or_path"):
        config.__dict__.pop(name, None)


def config_value(config: Any, name: str) -> Any:
    """What a configuration says of ``name``; ``None`` if it says nothing.

    The largest value where its layers have one each (the head size of Gemma 4).
    """
    try:
        return getattr(config, name, None)
    except RuntimeError:  # transformers refuses to name one value for all layers
        layers = [getattr(layer, name, None) for layer in config.per_layer_config]
        return max((value for value in layers if isinstance(value, int)), default=None)


def model_classes_of(architecture: str, model_type: str) -> set[str]:
    """How models of a class are read, by transformers' own lists: *causal*, *masked*, or both.

    Of a model that sees or hears, too, transformers lists the part that reads and writes words
    under its ``model_type``.
    """
    lists = {"causal": class_names("CAUSAL_LM"), "masked": class_names("MASKED_LM")}
    named = {reading for reading, classes in lists.items() if architecture in classes}
    if named:
        return named
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return {"causal"}
    if architecture.endswith("ForMaskedLM"):
        return {"masked"}
    listed = library_internal(_AUTO, "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES")
    has_words = architecture.endswith("ForConditionalGeneration") and model_type in listed
    return {"causal"} if has_words else set()


def is_full_length_cache(config: Any, window: int) -> bool:
    """Whether every layer that transformers makes keeps the keys and values of ``window`` tokens.

    Sliding windows keep the last ones, chunks their own, linear attention a sum of all.
    """
    layers = DynamicCache(config=config.get_text_config(decoder=True)).layers
    return all(
        type(layer) is DynamicLayer
        or (type(layer) is DynamicSlidingWindowLayer and layer.sliding_window >= window)
        for layer in layers
    )


def is_lossless_cache(config: Any) -> bool:
    """Whether the cache that transformers makes keeps all that the model's own forward attends.

    Moshi's has a sliding window that its forward does not have.
    """
    return config.get_text_config(decoder=True).model_type not in {"moshi"}


def accepts_positions(model: Any) -> bool:
    """Whether a model puts tokens where it is told, and does not count them by itself.

    Models with ALiBi take distances from the columns of the row.
    """
    for settings in (model.config, config_value(model.config, "attn_config")):
        if getattr(settings, "alibi", False):
            return False
    return accepts_argument(model.base_model.forward, "position_ids") or model.base_model is model


def block_attention_reason(config: Any, window: int) -> str | None:
    """The setting by which a model cuts its input into blocks or windows of its own, if it does.

    What such a model gives for a row depends on how far the row is padded, beyond the sizes on
    which it can be tried in a moment.
    """
    for name in _BLOCKS:
        size = config_value(config, name)
        sizes = size if isinstance(size, list | tuple) else [size]
        if any(isinstance(n, int) and not isinstance(n, bool) and n < window for n in sizes):
            return name
    return None


def hub_file(source: str, name: str, revision: str | None) -> str | None:
    """The path of a model's file as it is kept here, fetched if need be; ``None`` without one."""
    from transformers.utils.hub import cached_file

    found: str | None = cached_file(
        source,
        name,
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return found


@once
def _check_names() -> None:
    """Make sure that a model known to have a cache has it under a known name."""
    if _keyword(transformers.GPT2LMHeadModel.forward) is None:
        raise WorkError(
            f"the installed transformers {transformers.__version__} calls a model's cache neither "
            f"{' nor '.join(CACHE_KEYWORDS)}, so nothing could be read with it; run: "
            f'pip install "{tested_versions("transformers")}"'
        )


def _keyword(forward: Any) -> str | None:
    known = inspect.signature(forward).parameters
    return next((name for name in CACHE_KEYWORDS if name in known), None)


def accepts_argument(forward: Any, name: str) -> bool:
    """Whether a forward has a parameter of that name."""
    return name in inspect.signature(forward).parameters


def _takes_any(forward: Any) -> bool:
    kinds = {parameter.kind for parameter in inspect.signature(forward).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds
