"""Reasoning that a chat template opens before the reply: switched off, or closed again."""

from __future__ import annotations

import re
from typing import Literal

State = Literal["off", "closed", "on"]
"""*off*: the template was told so; *closed*: it opens a block whatever it is told."""
_SWITCHES = ("enable_thinking", "thinking")
"""Names under which templates ask whether the model is to think."""
_MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
}
"""What opens reasoning, and what closes it."""
_CHANNEL, _REPLY, _FINAL = "<|channel|>", "<|start|>assistant", "<|channel|>final<|message|>"
"""The reply's channel, which the models of the harmony format would name themselves."""


def thinking_switches(template: str) -> tuple[str, ...]:
    """The names under which a chat template asks whether to think."""
    return tuple(name for name in _SWITCHES if re.search(rf"\b{name}\b", template))


def closing_marks(conversation: str, template: str) -> str:
    """What ends the reasoning that a conversation's last words open; empty if none is open."""
    for opening, closing in _MARKS.items():
        _, found, tail = conversation.rpartition(opening)
        if found and not tail.strip():
            return f"{'' if tail else chr(10)}\n{closing}\n\n"
    if _CHANNEL in template and conversation.endswith(_REPLY):
        return _FINAL
    return ""
