"""Configurations of any transformers architecture, small enough to build in a moment."""

from __future__ import annotations

import dataclasses
from typing import Any

WINDOW = 48
"""Sliding windows are wider than the inputs on which a model is tried at load, and narrower than
the longest prompts of the sweep."""

_ALIKE: dict[int, tuple[str, ...]] = {
    32: (
        "hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embed_dim", "embedding_size",
        "encoder_embed_dim", "decoder_embed_dim", "word_embed_proj_dim", "embed_size",
        "block_out_channels", "width", "lru_width", "hidden_dim", "d_latents", "key_value_size",
        "attention_hidden_size", "intermediate_hidden_size", "projection_dim", "output_dim",
        "encoder_hidden_size", "decoder_hidden_size", "text_hidden_size", "audio_hidden_size",
        "model_dim", "mlp_dim", "moe_latent_size",
    ),
    64: (
        "intermediate_size", "ffn_dim", "d_ff", "ffn_hidden_size", "n_inner", "d_inner",
        "encoder_ffn_dim", "decoder_ffn_dim", "feed_forward_size", "dim_ff", "ff_dim",
        "mlp_hidden_size", "ffn_intermediate_size", "block_ff_dim", "expansion_dim",
        "encoder_intermediate_size", "decoder_intermediate_size", "dense_intermediate_size",
    ),
    16: (
        "moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size",
        "shared_intermediate_size", "moe_shared_expert_intermediate_size", "kv_lora_rank",
        "q_lora_rank", "ssm_state_size", "mamba_d_state", "state_size", "expert_dim",
        "moe_ffn_hidden_size", "shared_expert_dim", "linear_key_head_dim", "linear_value_head_dim",
        "o_lora_rank", "compressor_dim", "mamba_dt_rank", "time_step_rank",
    ),
    8: (
        "head_dim", "d_kv", "attention_head_size", "qk_nope_head_dim", "v_head_dim", "kv_channels",
        "qk_rope_head_dim", "index_head_dim", "swa_head_dim", "hidden_size_per_layer_input",
        "mamba_head_dim", "global_head_dim", "rope_head_dim", "nope_head_dim", "d_head",
    ),
    4: (
        "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
        "decoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads",
        "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts",
        "num_hidden_experts", "linear_num_key_heads", "linear_num_value_heads", "index_n_heads",
        "swa_num_attention_heads", "num_routed_experts",
    ),
    2: (
        "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers",
        "num_encoder_layers", "num_key_value_heads",
        "num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_top_k", "top_k_experts",
        "n_kv_heads", "num_kv_heads", "depth", "encoder_num_hidden_layers",
        "decoder_num_hidden_layers", "swa_num_key_value_heads", "moe_topk",
    ),
    3: ("decoder_layers", "num_decoder_layers"),
    1: (
        "first_k_dense_replace", "n_shared_experts", "num_shared_experts", "n_group", "topk_group",
        "moe_num_shared_experts", "num_nextn_predict_layers", "num_dense_layers",
        "num_mem_blocks", "num_expert_groups", "n_groups", "mamba_n_groups",
        "moe_layer_start_index",
    ),
    WINDOW: (
        "sliding_window", "window_size", "attention_chunk_size", "attention_window_size",
        "sliding_window_size", "local_attention_window", "attention_window", "local_attention",
    ),
    256: (
        "max_position_embeddings", "n_positions", "max_source_positions", "max_target_positions",
        "max_sequence_length", "max_seq_len", "max_encoder_position_embeddings",
        "max_decoder_position_embeddings", "context_length", "n_ctx",
    ),
}  # fmt: skip
_FOUR = {"num_hidden_layers": 4}
_AS_MANY = {"decoder_layers": 2, "num_decoder_layers": 2}
"""Of an encoder-decoder's decoder alone transformers counts the layers of the encoder."""
_DECODER = {"is_decoder": True}
LEFT = object()
"""Stands for what the configuration says by itself."""
OWN: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            "bailing_hybrid",
            "jamba",
            "kimi_linear",
            "lfm3",
            "qwen3_next",
            "qwen3_5_text",
            "qwen3_5_moe_text",
            "qwen4_exp_text",
            "recurrent_gemma",
            "lfm2_moe",
        ),
        _FOUR,
    ),
    **{
        f"causal {name}": _DECODER
        for name in (
            "bert",
            "bert-generation",
            "big_bird",
            "camembert",
            "data2vec-text",
            "electra",
            "ernie",
            "megatron-bert",
            "rembert",
            "roberta",
            "roberta-prelayernorm",
            "roc_bert",
            "roformer",
            "xlm-roberta",
            "xlm-roberta-xl",
            "reformer",
        )
    },
    **{
        f"causal {name}": _AS_MANY | {"is_decoder": True, "is_encoder_decoder": False}
        for name in (
            "bart",
            "bigbird_pegasus",
            "blenderbot",
            "blenderbot-small",
            "marian",
            "mbart",
            "mvp",
            "pegasus",
            "plbart",
            "prophetnet",
            "whisper",
        )
    },
    "seq2seq prophetnet": {"num_decoder_layers": 2},
    "encoder-decoder": {"decoder:": {"is_decoder": True, "add_cross_attention": True}},
    "qwen3_5": {"text_config:": _FOUR},
    "qwen3_5_moe": {"text_config:": _FOUR},
    "qwen4_exp": {"text_config:": _FOUR},
    "causal whisper": _AS_MANY
    | {"is_decoder": True, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
    "jamba": _FOUR | {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "kimi_linear": {
        "layer_types": ["linear_attention", "full_attention"],
        "mlp_layer_types": ["dense", "sparse"],
        "linear_head_dim": 8,
        "linear_num_heads": 4,
        "num_key_value_heads": 4,
    },
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "hybrid"] * 2,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
        "use_mamba_kernels": False,
    },
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid"],
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
        "use_mamba_kernels": False,
        "hybrid_layer_ids": [1],
    },
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}},
    },
    "zaya": {"num_experts_per_tok": 1},
    "esmc": {"num_key_value_heads": LEFT},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "dots3_note": {"text_config:": {"per_layer_config": None}, "per_layer_config": None},
    "dots3_note_text": {"per_layer_config": None},
    "causal xmod": _DECODER | {"default_language": "en_XX"},
    "masked xmod": {"default_language": "en_XX"},
    "causal xlm": {"causal": True},
    "codegen": {"rotary_dim": 4},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
    "bamba": {"mamba_expand": 2, "mamba_d_head": 16, "mamba_n_heads": 4, "attn_layer_indices": [1]},
    "mamba2": {"expand": 2, "head_dim": 16, "num_heads": 4, "n_groups": 1},
    "granitemoehybrid": {
        "mamba_expand": 2,
        "mamba_d_head": 16,
        "mamba_n_heads": 4,
        "layer_types": ["mamba", "attention"],
    },
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16},
    "esm": {"mask_token_id": 4, "position_embedding_type": "rotary"},
    "reformer": {
        "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [16, 16],
        "attn_layers": ["local", "lsh"],
        "attention_head_size": 8,
        "num_buckets": 4,
        "hash_seed": 0,
        "lsh_attn_chunk_length": 16,
        "local_attn_chunk_length": 16,
    },
    "xlstm": {"num_heads": 4, "qk_dim_factor": 1.0, "v_dim_factor": 1.0, "num_blocks": 2},
    "causal cohere2": {"logit_scale": 1.0},
}
"""Sizes that an architecture has of its own, by its name (or ``family name``); those of a part
under ``part:``."""
_SIZE = {name: size for size, names in _ALIKE.items() for name in names}
_WIDE = ("initializer_range", "init_std", "initializer_std")


def tiny(kind: Any, vocabulary: int, special: dict[str, int | None], **own: Any) -> Any:
    """A small configuration of the class ``kind``; ``own`` are a family's sizes of its own."""
    parts = getattr(kind, "sub_configs", {}) or {}
    given: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        name = field.name
        if own.get(name) is LEFT:
            continue
        if name in own:
            given[name] = own[name]
        elif name in parts:
            continue
        elif name == "vocab_size" or ("vocab_size" in name and isinstance(_default(field), int)):
            given[name] = vocabulary
        elif name in special:
            given[name] = special[name]
        elif name in _WIDE:
            given[name] = 0.3
        elif name in _SIZE and _is_number(_default(field)):
            given[name] = _SIZE[name]
    if "kv_lora_rank" in given:  # latent attention has as many key heads as others
        given |= {k: 4 for k in ("num_key_value_heads",) if k in given and k not in own}
    for name, part in parts.items():
        if name in own:
            given[name] = own[name]
            continue
        if not dataclasses.is_dataclass(part):  # any of several; what it is by default
            part = type(getattr(kind(), name, None))
        if dataclasses.is_dataclass(part):
            given[name] = tiny(part, vocabulary, special, **own.get(f"{name}:", {}))
    given |= {
        name: value for name, value in own.items() if not name.endswith(":") and value is not LEFT
    }
    if "decoder_start_token_id" in special:  # not every such configuration has it as a field
        given.setdefault("decoder_start_token_id", special["decoder_start_token_id"])
    return kind(**given)


def _default(field: Any) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
