"""Whether a tokenizer and a model work together, and whether it is the one of the folder's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlab.engine.generation.sequence import decoder_start_token
from promptlab.errors import InputError
from promptlab.models.base import Family

_PROBES = (
    "A film,  it's 1234 or 1.5!\n\nGood?",
    " two blanks  after the good one",
    "d\u00e9j\u00e0 vu \u2013 na\u00efve",
    "<b>x_y</b>\t#tag @you",
    "\u4f60\u597d \U0001f600 \u00bd",
)
"""Texts with what rules for cutting words differ in: blanks, digits, signs, accents, scripts."""


def check_tokenizer(model: Any, tokenizer: Any, family: Family, name: str) -> None:
    """Raise `InputError` in a sentence when a model and its tokenizer cannot work together."""
    kind = type(tokenizer).__name__
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"{name} has no fast tokenizer ({kind} has no tokenizer.json), so nobody can say which "
            "characters a token stands for; use a model that has one, or convert its tokenizer"
        )
    if family == "masked" and tokenizer.mask_token_id is None:
        raise InputError(
            f"{name} is a masked model and its tokenizer has no mask token, so no slot can be "
            "filled; add mask_token to tokenizer_config.json, or use the tokenizer that the model "
            "was trained with"
        )
    if family == "seq2seq" and decoder_start_token(model) is None:
        raise InputError(
            f"{name} has no start token for its decoder; write decoder_start_token_id into its "
            "config.json: the token that its decoder was trained to begin with (T5: the padding's)"
        )
    _check_size(model, tokenizer, name)


def _check_size(model: Any, tokenizer: Any, name: str) -> None:
    """Every token of a text needs a vector; padding, which no text has, does not."""
    rows = embedding_rows(model, name)
    beyond = {
        token: number
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and number != tokenizer.pad_token_id
    }
    if beyond:
        first = min(beyond, key=lambda token: beyond[token])
        raise InputError(
            f"the tokenizer of {name} has {len(tokenizer)} tokens and the model has vectors for "
            f"{rows}: {first!r} is number {beyond[first]}; use the tokenizer that belongs to the "
            "model, or give the model its vectors (model.resize_token_embeddings) and train them"
        )


def embedding_rows(model: Any, name: str) -> int:
    """How many tokens have a vector. Raises `InputError` where nobody can say."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (AttributeError, NotImplementedError) as error:
        raise InputError(
            f"{name} ({type(model).__name__}) has no embedding of words that promptlab can read; "
            "use another model"
        ) from error


def describe_tokenizer_mismatch(source: str, tokenizer: Any) -> str | None:
    """Say where a loaded tokenizer cuts texts otherwise than the file of its folder.

    Args:
        source: The model's folder; nothing is said of anything else.
        tokenizer: The tokenizer that transformers made of it.

    Returns:
        A sentence for the user; ``None`` where both agree, or there is no such file.
    """
    from tokenizers import Tokenizer

    file = Path(source) / "tokenizer.json"
    if not file.is_file():
        return None
    own = Tokenizer.from_file(str(file))
    own.no_truncation()
    own.no_padding()
    for text in _PROBES:
        written = own.encode(text, add_special_tokens=False).ids
        read = tokenizer(text, add_special_tokens=False)["input_ids"]
        if written != read:
            return (
                f"{source}: its tokenizer.json cuts {text!r} into {len(written)} tokens, and "
                f"{type(tokenizer).__name__}, which transformers builds for this type of model, "
                f"into {len(read)} others; the second is what is read here and everywhere in "
                "transformers, so train and use the model with one of them"
            )
    return None
