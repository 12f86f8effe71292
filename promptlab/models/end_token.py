"""The token with which a model ends what it writes."""

from __future__ import annotations

from typing import Any

from promptlab.engine.generation.sequence import StopTokens
from promptlab.errors import CapabilityError
from promptlab.models.control_tokens import control_ids

_NAME = "\ue008"
"""Stands for a reply while a chat template is applied (a private-use character)."""


def end_token(model: Any, tokenizer: Any, name: str, *, chat: bool) -> int:
    """The token that a reply is to end with, one of those at which writing stops.

    Args:
        model: The transformers model.
        tokenizer: Its tokenizer.
        name: What the user calls the model, for the message.
        chat: Whether the reply is a turn in the chat template, which may end it in its own way.

    Returns:
        The end of the assistant's turn, or the end of a text.

    Raises:
        CapabilityError: The model has no such token.
    """
    ends = StopTokens.from_model(model, tokenizer)
    stops = ends.tokens - {ends.sentinel}
    if chat:
        found = next((token for token in _after_reply(tokenizer) if token in stops), None)
        if found is not None:
            return found
    own = tokenizer.eos_token_id
    if own is not None and int(own) in stops:
        return int(own)
    if not stops:
        raise CapabilityError(
            f"{name} has no token that ends a text, so no prompt can learn where a reply ends; use "
            "a model whose tokenizer has an eos_token"
        )
    return min(stops)


def _after_reply(tokenizer: Any) -> list[int]:
    """The control tokens that the chat template writes behind what the assistant says."""
    from jinja2 import TemplateError

    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _NAME}]
    try:
        whole = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except TemplateError:
        return []  # it is told where somebody chats
    tail = whole.rpartition(_NAME)[2]
    controls = control_ids(tokenizer)
    return [i for i in tokenizer(tail, add_special_tokens=False)["input_ids"] if i in controls]
