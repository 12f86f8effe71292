"""A conversation in the words of a model's chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError as JinjaError

from promptlab.errors import InputError

Turn = tuple[str, str]
"""A role (*system*, *user*, *assistant*) and its words."""


def chat_text(tokenizer: Any, turns: Sequence[Turn]) -> str:
    """The conversation up to where the assistant's reply begins.

    A template that knows no system turn gets its words at the head of the first user turn. Raises
    `InputError` with the template's own words when it refuses the conversation.
    """
    try:
        return _applied(tokenizer, turns)
    except JinjaError as error:
        joined = _without_system(turns)
        if joined is None:
            raise _refused(error) from error
    try:
        return _applied(tokenizer, joined)
    except JinjaError as error:
        raise _refused(error) from error


def _applied(tokenizer: Any, turns: Sequence[Turn]) -> str:
    messages = [{"role": role, "content": words} for role, words in turns]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _without_system(turns: Sequence[Turn]) -> list[Turn] | None:
    """The system's words before the first user's; ``None`` if there is nothing to join."""
    if len(turns) < 2 or turns[0][0] != "system" or turns[1][0] != "user":
        return None
    (_, system), (_, user), *rest = turns
    return [("user", f"{system}\n\n{user}"), *rest]


def _refused(error: JinjaError) -> InputError:
    return InputError(
        f"the model's chat template refuses this conversation ({error}); turns of user and "
        "assistant alternate, after at most one system turn"
    )
