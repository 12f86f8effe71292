"""A GGUF file as a folder that transformers loads without it: plain float32 weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.cache import print_to_stderr

_PLAIN = {None, "default", "gpt-2", "gpt2", "smollm"}
"""Rules for cutting words that need nothing more, or that are put right here."""
_KNOWN = {
    "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
    "jina-v5-nano", "dbrx", "smaug-bpe", "tekken", "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2",
    "megrez", "qwen35", "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2",
}  # fmt: skip
"""Rules that transformers puts right."""


def save_dequantised(path: Path, folder: Path, facts: Mapping[str, Any]) -> None:
    """Save the model, tokenizer and chat template of a GGUF file into ``folder``.

    Args:
        path: The file.
        folder: Where to write.
        facts: The file's own words on its architecture, its rule for cutting words
            (``tokenizer.ggml.pre``) and its end of turn.

    Raises:
        InputError: Weights are missing in the file. What transformers raises about a file that
            it cannot read is passed on.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    source: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    config = AutoConfig.from_pretrained(path.parent, **source)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, **source)
    family: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model, loading = family.from_pretrained(
        path.parent, dtype=torch.float32, output_loading_info=True, **source
    )
    if missing := sorted(map(str, loading["missing_keys"])):
        raise InputError(
            f"{path} lacks weights of its architecture, {missing[0]} among {len(missing)}; fetch "
            "it again, or use the model's own safetensors folder"
        )
    plain = plain_model(model)
    if (turn := facts.get("tokenizer.ggml.eot_token_id")) is not None:
        _end_at(plain.generation_config, int(turn))
    plain.save_pretrained(folder)
    length = getattr(plain.config, "max_position_embeddings", None)
    rule = facts.get("tokenizer.ggml.pre")
    if rule not in _PLAIN | _KNOWN:
        print_to_stderr(
            f"{path.name}: its rule for cutting words into tokens, {rule!r}, is not known here; "
            "texts may be cut otherwise than in training"
        )
    if rule == "smollm":
        split_digits(tokenizer)
    plain_tokenizer(tokenizer, int(config.vocab_size), length).save_pretrained(folder)


def plain_tokenizer(converted: Any, size: int, length: int | None) -> Any:
    """The converted tokenizer as it stands, in a class that does not build it anew when loaded.

    Tokens beyond the vocabulary's ``size`` are left out: the conversion gives every byte-level
    vocabulary GPT-2's own, which the network may have no row for.
    """
    import transformers
    from tokenizers import Tokenizer

    document = json.loads(converted.backend_tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["id"] < size]
    roles = {
        name: getattr(converted, name)
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (token := getattr(converted, name)) is not None
        and converted.convert_tokens_to_ids(token) < size
    }
    build: Any = transformers.PreTrainedTokenizerFast
    limit = {} if length is None else {"model_max_length": int(length)}
    return build(
        tokenizer_object=Tokenizer.from_str(json.dumps(document)),
        chat_template=converted.chat_template,
        clean_up_tokenization_spaces=False,
        **roles,
        **limit,
    )


def split_digits(tokenizer: Any) -> None:
    """The rule "smollm": every digit is a piece of its own before the byte-level step.

    Without it, white space before a number is cut otherwise than in training.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )


def plain_model(model: Any) -> Any:
    """The same model without the traces of its file.

    The weights are plain float32 now, but transformers still takes the model for a quantised one
    and would refuse to save it: a fresh model of the same shape takes over the weights.
    """
    import torch

    config = model.config
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.__dict__.pop(name, None)
    with torch.device("meta"):
        plain = type(model)(config)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain


def _end_at(settings: Any, turn: int) -> None:
    """Let writing stop at the end of a turn, too."""
    found = settings.eos_token_id
    known = found if isinstance(found, list) else [] if found is None else [found]
    settings.eos_token_id = [*known, turn] if turn not in known else found


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars of transformers: whoever converts tells what is going on."""
    from transformers.utils import logging as module

    logging: Any = module
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
