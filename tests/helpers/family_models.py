"""A tiny folder of any model class that transformers maps, with weights drawn wide."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import nn

from promptlab.models.base import Family
from tests.helpers import tiny_models
from tests.helpers.family_sizes import OWN, tiny

SPARE = 7
"""Rows of the embedding beyond the tokenizer's vocabulary, as many models have them."""
WIDTHS = {"hrm_text": 0.15, "zamba": 0.2}
"""Narrower for models whose loops make more of every rounding."""
_MAPPINGS: dict[Family, str] = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "masked": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "seq2seq": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
}


def classes(family: Family) -> dict[str, str]:
    """Every architecture that transformers maps to the family, and its class's name."""
    from transformers.models.auto import modeling_auto

    return dict(getattr(modeling_auto, _MAPPINGS[family]))


def tokenizer_of(family: Family, architecture: str) -> Any:
    """A tokenizer as such models have it."""
    if family == "masked":
        return tiny_models.byte_tokenizer(
            specials={
                "bos_token": "<s>",
                "cls_token": "<s>",
                "pad_token": "<pad>",
                "eos_token": "</s>",
                "sep_token": "</s>",
                "mask_token": "<mask>",
            },
            around="<s> $A </s>",
        )
    if "t5" in architecture or architecture == "switch_transformers":
        return tiny_models.sentinel_tokenizer()
    specials = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>"}
    around = "<s> $A </s>" if family == "seq2seq" else "<s> $A"
    return tiny_models.byte_tokenizer(specials=specials, around=around)


def built(family: Family, architecture: str, **settings: Any) -> tuple[Any, Any]:
    """The class of an architecture's model and a model of it; raises what building raises."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    name = classes(family)[architecture]
    if family == "seq2seq" and not _has_encoder(getattr(transformers, name)):
        family = "causal"
    tokenizer = tokenizer_of(family, architecture)
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if family == "seq2seq":
        special["decoder_start_token_id"] = tokenizer.eos_token_id
    own = OWN.get(architecture, {}) | OWN.get(f"{family} {architecture}", {}) | settings
    if "mask_token_id" in {field.name for field in fields(CONFIG_MAPPING[architecture])}:
        special["mask_token_id"] = tokenizer.mask_token_id
    config = tiny(CONFIG_MAPPING[architecture], len(tokenizer) + SPARE, special, **own)
    kind = getattr(transformers, name)
    words = config.get_text_config(decoder=True)
    if type(config) is not kind.config_class is type(words):
        config = words  # the model of the words of one that sees or hears, too
    torch.manual_seed(20)
    model = kind(config).eval()
    draw_wide(model, WIDTHS.get(architecture, 0.3))
    settings = getattr(model, "generation_config", None)
    if settings is not None and settings.forced_eos_token_id is not None:
        settings.forced_eos_token_id = None
    model.config.architectures = [kind.__name__]
    return kind, model


def saved(family: Family, architecture: str, folder: Path, **settings: Any) -> Any:
    """Write such a model and its tokenizer into ``folder``; the model's class."""
    kind, model = built(family, architecture, **settings)
    model.save_pretrained(folder)
    reads = "causal" if family == "seq2seq" and not _has_encoder(kind) else family
    tokenizer_of(reads, architecture).save_pretrained(folder)
    return kind


def _has_encoder(kind: Any) -> bool:
    """Models that hear are listed with encoder-decoders, though one decoder reads all."""
    return "decoder_input_ids" in signature(kind.forward).parameters


@torch.no_grad()
def draw_wide(model: Any, width: float = 0.3) -> None:
    """Draw weights so wide that a wrong token, place or mask moves scores by whole nats."""
    torch.manual_seed(21)
    drawn = set()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding) and id(module.weight) not in drawn:
            drawn.add(id(module.weight))
            module.weight.normal_(0.0, width)
    for name, parameter in model.named_parameters():
        if id(parameter) in drawn:
            continue
        if name.endswith("bias") or (parameter.dim() == 3 and "expert" in name):
            parameter.normal_(0.0, 0.3)
        elif "norm" in name.lower() and parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter) * 0.3)
