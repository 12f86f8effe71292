"""Tiny GGUF files, written with the library that llama.cpp's converters use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.helpers.tiny_models import CHAT, Pair, byte_tokenizer

_CONTROL, _NORMAL = 3, 1


def qwen2(*, begins: bool = False) -> Pair:
    """A tiny causal model of an architecture whose tensors stand in a GGUF file as they are.

    ``begins``: whether texts begin with a start token.
    """
    from transformers import Qwen2Config, Qwen2ForCausalLM

    specials = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>"}
    specials |= {"bos_token": "<|begin|>"} if begins else {}
    tokenizer = byte_tokenizer(specials=specials, around="<|begin|> $A" if begins else "$A")
    tokenizer.chat_template = CHAT
    torch.manual_seed(3)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        initializer_range=0.3, tie_word_embeddings=False, eos_token_id=tokenizer.eos_token_id,
        rms_norm_eps=1e-6,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval(), tokenizer


def write_gguf(path: Path, pair: Pair, *, left_out: str = "", rule: str | None = None) -> Path:
    """The model and its tokenizer as a GGUF file in float32; ``left_out`` names a tensor."""
    import gguf

    model, tokenizer = pair
    config = model.config
    writer: Any = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    writer.add_tokenizer_model("gpt2")
    if rule is not None:
        writer.add_tokenizer_pre(rule)
    writer.add_token_list(names)
    special = set(tokenizer.all_special_tokens)
    writer.add_token_types([_CONTROL if name in special else _NORMAL for name in names])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.bos_token is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
        writer.add_add_bos_token(True)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    places = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        stored = places.get_name(name, try_suffixes=(".weight", ".bias"))
        if stored != left_out:
            writer.add_tensor(stored, tensor.detach().float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
