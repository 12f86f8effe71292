"""How transformers' models take keys and values that were computed before: its *cache*."""

from __future__ import annotations

import inspect
from functools import cache as once
from typing import Any

import transformers
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput
from transformers.pytorch_utils import Conv1D

from promptlab.compat import inside, tested
from promptlab.errors import CapabilityError, WorkError

__all__ = [
    "BaseModelOutput",
    "Cache",
    "Conv1D",
    "DynamicCache",
    "DynamicLayer",
    "EncoderDecoderCache",
    "cache_inputs",
    "cache_keyword",
    "class_names",
    "forget_origin",
]

CACHE_KEYWORDS = ("cache", "past_key_values")
"""What ``forward`` calls its cache, the newest name first (5.24 renamed it)."""


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
            f'neither name reaches both; run: pip install "{tested("transformers")}"'
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
    module = "transformers.models.auto.modeling_auto"
    found = inside(module, f"MODEL_FOR_{task}_MAPPING_NAMES").values()
    names = (name for known in found for name in ((known,) if isinstance(known, str) else known))
    return frozenset(names)


def forget_origin(config: Any) -> None:
    """Take out of a configuration from where it was loaded, so that it is saved without it."""
    for name in ("_name_or_path", "_model_name_or_path"):
        config.__dict__.pop(name, None)


@once
def _check_names() -> None:
    """Make sure that a model known to have a cache has it under a known name."""
    if _keyword(transformers.GPT2LMHeadModel.forward) is None:
        raise WorkError(
            f"the installed transformers {transformers.__version__} calls a model's cache neither "
            f"{' nor '.join(CACHE_KEYWORDS)}, so nothing could be read with it; run: "
            f'pip install "{tested("transformers")}"'
        )


def _keyword(forward: Any) -> str | None:
    known = inspect.signature(forward).parameters
    return next((name for name in CACHE_KEYWORDS if name in known), None)


def _takes_any(forward: Any) -> bool:
    kinds = {parameter.kind for parameter in inspect.signature(forward).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds
