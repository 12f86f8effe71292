"""What a model and its tokenizer must have to be used, and what they cannot do without the rest."""

from __future__ import annotations

from typing import Any

from promptlab.engine.generation.sequence import decoder_start_token
from promptlab.engine.scoring.engine import Engine
from promptlab.engine.self_check import (
    CheckedModel,
    accepts_prefix,
    accepts_vectors,
    choose_batching_mode,
)
from promptlab.errors import InputError
from promptlab.models.base import Capability, Family


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


def find_missing_capabilities(
    examined: CheckedModel, engine: Engine, tokenizer: Any
) -> dict[Capability, str]:
    """What a model of its family could do and this one cannot, each with its reason."""
    kind = type(examined.network.model).__name__
    found: dict[Capability, str] = {}
    if examined.family != "masked" and not choose_batching_mode(examined, engine, tokenizer):
        found["generate"] = (
            f"token by token {kind} writes something else than its own forward; use a model of "
            "another architecture"
        )
    if engine.runner.single_rows:
        found["gradients"] = (
            f"what {kind} gives for a text depends on the texts beside it in a batch, so nothing "
            "can be learned in batches; use a model of another architecture"
        )
    elif not accepts_vectors(examined, engine):
        found["gradients"] = (
            f"{kind} looks its words up in more places than one embedding, so no vector can stand "
            "for them; use a model of another architecture"
        )
    if examined.family == "masked":
        examined.network.can_attend_prefix = accepts_prefix(examined, engine.runner)
    return found
