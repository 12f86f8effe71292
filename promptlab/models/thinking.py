"""Reasoning that a chat template opens before the reply: switched off, or closed again."""

from __future__ import annotations

import re
from typing import Literal

from promptlab.errors import CapabilityError
from promptlab.prompts.parsers.hidden_reasoning import opens_reasoning

Thinking = Literal["off", "closed", "on"]
"""What was done about reasoning: the template was told *off*, its block was *closed*, or it is
*on* where a reply is written."""
_SWITCHES = ("enable_thinking", "thinking")
"""Names under which templates ask whether the model is to think."""
_CLOSING = {
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
}
"""What closes reasoning that is opened by something else than a tag."""
_TAG = re.compile(r"<([a-z][\w.:-]*)>\s*\Z", re.IGNORECASE)
_CHANNEL, _REPLY, _FINAL = "<|channel|>", "<|start|>assistant", "<|channel|>final<|message|>"
"""The reply's channel, which models of the harmony format name themselves."""


def thinking_switches(template: str) -> tuple[str, ...]:
    """The names under which a chat template asks whether to think."""
    return tuple(name for name in _SWITCHES if re.search(rf"\b{name}\b", template))


def closing_marks(conversation: str, template: str) -> str:
    """What ends the reasoning that the last words of a conversation open.

    Args:
        conversation: A chat template's text up to where the reply begins.
        template: The chat template.

    Returns:
        Text to follow the conversation; empty if nothing is open.

    Raises:
        CapabilityError: What is open cannot be closed.
    """
    if _CHANNEL in template and conversation.endswith(_REPLY):
        return _FINAL
    if not opens_reasoning(conversation):
        return ""
    end = conversation.rstrip()
    tag = _TAG.search(end)
    found = None if tag is None else f"</{tag[1]}>"
    found = found or next((_CLOSING[mark] for mark in _CLOSING if end.endswith(mark)), None)
    if found is None:
        raise CapabilityError(
            f"the chat template opens a block of reasoning ({end[-40:]!r}) and nothing is known "
            "that closes it; use a template without chat, or another chat template"
        )
    return f"{'' if conversation.endswith(chr(10)) else chr(10)}\n{found}\n\n"
