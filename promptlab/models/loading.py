"""From a name or a folder to a `LocalModel`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import torch

from promptlab.engine.generation.sequence import decoder_start_token
from promptlab.engine.kv_cache.budget import kv_cache_bytes
from promptlab.engine.kv_cache.compatibility import check_cache_layers
from promptlab.engine.kv_cache.radix_cache import RadixKVCache
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.engine import VERSION, Engine
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.reference import LocalFamily
from promptlab.engine.self_check import CheckedModel, choose_runner
from promptlab.errors import InputError
from promptlab.files.cache import cache_dir, print_to_stderr
from promptlab.files.provenance import package_version
from promptlab.models.base import Family
from promptlab.models.builtin import BUILTIN_MODELS, model_folder
from promptlab.models.causal import CausalModel
from promptlab.models.checkpoints.capability_check import find_missing_capabilities
from promptlab.models.checkpoints.config import context_window, model_family
from promptlab.models.checkpoints.folder import check_folder
from promptlab.models.checkpoints.gguf_file import find_gguf, gguf_folder, is_converted
from promptlab.models.checkpoints.no_pickles import no_pickles
from promptlab.models.checkpoints.pretrained import (
    check_weights,
    copy_weights,
    folder_errors,
    pretrained,
)
from promptlab.models.checkpoints.tokenizer_check import (
    check_tokenizer,
    describe_tokenizer_mismatch,
)
from promptlab.models.content_hash import weights_key
from promptlab.models.encoding import Encoding
from promptlab.models.local import LocalModel
from promptlab.models.masked import MaskedModel
from promptlab.models.model_name import check_model_name
from promptlab.models.precision import choose_device, choose_dtype
from promptlab.models.seq2seq import Seq2SeqModel, sentinel_id

CUDA_BUDGET = 65_536
CPU_BUDGETS = {torch.float32: 512, torch.bfloat16: 2048}
"""Tokens a forward, by measurement: in fp32 larger batches only fall out of the cache."""
NARROW, MOST_NARROW = 512, 4096
"""A narrower network takes more tokens at a time, but no more than so many."""
MOST_COPIED = 500_000_000
"""Models of at most so many weights are tried as a copy in fp32."""
_CLASSES: dict[str, type[LocalModel]] = {
    "causal": CausalModel,
    "masked": MaskedModel,
    "seq2seq": Seq2SeqModel,
}


def load(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    family: Family | None = None,
    deterministic: bool = False,
    cache: bool = True,
    thinking: bool = False,
) -> LocalModel:
    """Load a pinned model, a folder, a GGUF file (or a folder with one), or a Hugging Face id.

    ``deterministic`` computes in fp32, one row at a time without sharing, so that a result never
    depends on what it was batched with. ``cache=False`` keeps slot features in memory alone.
    ``thinking`` lets a model whose chat template knows reasoning reason before it writes a reply;
    before answers that are scored, and without it, a block of reasoning is off or closed.
    What prompts share between calls is kept in memory, up to ``$PROMPTLAB_KEPT_BYTES`` (by default
    a twentieth of the machine's memory, at most 1 GiB, or a tenth of a CUDA device's).
    Raises `InputError` for a folder without weights, `AssetError` when nothing can be fetched.
    """
    with no_pickles(name), folder_errors(name):
        return _loaded(
            name,
            _source(name),
            revision,
            family,
            device=choose_device(device),
            dtype="float32" if deterministic and dtype == "auto" else dtype,
            deterministic=deterministic,
            cache=cache,
            thinking=thinking,
        )


def _loaded(
    name: str,
    source: str,
    revision: str | None,
    family: Family | None,
    *,
    device: torch.device,
    dtype: str,
    **options: bool,
) -> LocalModel:
    before = weights_key(source, revision) if Path(source).is_dir() else None
    config = pretrained("config", source, revision)
    chosen = choose_dtype(dtype, device)
    kind = family or model_family(config, source)
    model = pretrained(kind, source, revision, dtype=chosen)
    copy_weights(model)
    check_weights(model, source)
    # By the model's type transformers would build the tokenizer anew, by rules of its own.
    part = "converted tokenizer" if is_converted(source) else "tokenizer"
    tokenizer = pretrained(part, source, revision)
    if (told := describe_tokenizer_mismatch(source, tokenizer)) is not None:
        print_to_stderr(told)
    weights = weights_key(source, revision)
    if before not in (None, weights):
        raise InputError(f"the files of {source} have changed while they were read; load it again")
    made = from_transformers(
        model.to(device), tokenizer, name=name, family=kind, weights=weights, **options
    )
    if made.thinking == "closed":
        print_to_stderr(
            f"{name}: its chat template opens a block of reasoning whatever it is told; it is "
            "closed before answers are scored and replies written (thinking: true opens it)"
        )
    return made


def check_source(name: str, *, revision: str | None = None) -> None:
    """Find out whether `load` would find a model of this name, without its weights.

    Raises `InputError` or `AssetError`, as `load` does.
    """
    with no_pickles(name), folder_errors(name):
        model_family(pretrained("config", _source(name), revision), name)


def _source(name: str) -> str:
    """The folder or the Hugging Face id that a name stands for. Raises `InputError`."""
    check_model_name(name)
    source = str(model_folder(name)) if name in BUILTIN_MODELS else name
    if (file := find_gguf(source)) is not None:
        source = str(gguf_folder(file))
    folder = Path(source).expanduser()
    if folder.is_dir():
        source = str(folder)
        check_folder(folder)
    elif source.startswith((".", "/", "~")):
        state = "is a file, no folder" if folder.exists() else "does not exist"
        raise InputError(f"the model folder {source} {state}; name one that holds config.json")
    return source


def from_transformers(
    model: Any,
    tokenizer: Any,
    *,
    name: str = "model",
    family: Family | None = None,
    weights: str | None = None,
    deterministic: bool = False,
    cache: bool = False,
    thinking: bool = False,
) -> LocalModel:
    """Wrap a transformers model that is already in memory.

    ``weights`` is a content hash of its weights; without it they are hashed here.
    """
    kind = family or model_family(model.config, name, type(model).__name__)
    if weights is None:
        check_weights(model, name)
    check_cache_layers()
    check_tokenizer(model, tokenizer, kind, name)
    network = _network(model, name)
    on_gpu = network.device.type == "cuda"
    tokens = CUDA_BUDGET if on_gpu else _cpu_budget(network)
    budget = TokenBudget(1 if deterministic else tokens)
    examined = _examination(network, tokenizer, kind, name)
    runner = choose_runner(examined, budget, deterministic=deterministic)
    cannot = find_missing_capabilities(
        examined, Engine(examined.network, runner, FeatureStore(None)), tokenizer
    )
    if examined.network is not network:
        network.adopt_checks(examined.network)
        runner = runner.with_network(network)
    runner.computed_tokens = 0
    shares = runner.can_share_prefixes
    facts = [str(network.dtype), budget.tokens, shares, *(["alone"] if runner.single_rows else [])]
    content = weights or _tensor_key(model)
    key = _key(content, *facts)
    path = cache_dir() / "features" / f"{_store_key(key, network)}.db" if cache else None
    engine = Engine(network, runner, FeatureStore(path), deterministic=deterministic)
    if (room := kv_cache_bytes(network.device) if shares else 0) > 0:
        engine.runner = runner.with_kv_cache(RadixKVCache(room))
    return _CLASSES[kind](
        name=name,
        key=key,
        tokenizer=tokenizer,
        engine=engine,
        max_tokens=examined.window,
        thinking=thinking,
        cannot=cannot,
        weights=content[:24],
        manner=_manner(budget.tokens, shares, alone=runner.single_rows),
        from_files=weights is not None,
    )


def _store_key(key: str, network: Network) -> str:
    """What kept features depend on: the model, and what has computed them."""
    return _key(key, network.device.type, torch.__version__, package_version("transformers"))


def _manner(tokens: int, shares: bool, *, alone: bool) -> str:
    """How the engine runs a model, in words."""
    rows = "one text at a time" if alone else f"{tokens} tokens at a time"
    return f"version {VERSION}, {rows}, beginnings {'shared' if shares else 'not shared'}"


def _network(model: Any, name: str) -> Network:
    try:
        return Network(model, name)
    except (TypeError, NotImplementedError, AttributeError) as error:
        raise InputError(
            f"{name} ({type(model).__name__}) has no embedding of words and vocabulary head that "
            f"promptlab can read ({str(error).splitlines()[0]}); use another model"
        ) from error


def _weights(network: Network) -> int:
    return sum(parameter.numel() for parameter in network.model.parameters())


def _examination(network: Network, tokenizer: Any, kind: Family, name: str) -> CheckedModel:
    """What is tried at load: the network, or a copy in fp32, where nothing hides in rounding."""
    model = network.model
    start: tuple[int, ...] = ()
    if kind == "seq2seq":
        # Without sentinels the decoder has learned to write whole texts, special tokens (BART's
        # <s>) in front included.
        sentinel = sentinel_id(tokenizer)
        begun = Encoding(tokenizer).before if sentinel is None else (sentinel,)
        first = decoder_start_token(model)
        assert first is not None
        start = (first, *begun)
    if network.dtype != torch.float32 and _weights(network) <= MOST_COPIED:
        network = network.trainable_copy()
    return CheckedModel(
        network,
        cast(LocalFamily, kind),
        name,
        context_window(model, tokenizer, name),
        frozenset(map(int, tokenizer.all_special_ids)),
        start,
        tokenizer.mask_token_id if kind == "masked" else None,
    )


def _cpu_budget(network: Network) -> int:
    """Tokens a forward on a CPU: what fits its cache."""
    base = CPU_BUDGETS.get(network.dtype, 512)
    return max(base, min(MOST_NARROW, base * NARROW // max(1, network.virtual_tokens.width)))


def _tensor_key(model: Any) -> str:
    digest = hashlib.sha256(model.config.to_json_string(use_diff=False).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _key(*parts: object) -> str:
    """What a cached value depends on: weights, dtype, batch budget, sharing, engine version."""
    text = json.dumps([str(part) for part in (*parts, VERSION)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
