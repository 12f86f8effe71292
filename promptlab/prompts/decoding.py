"""How text is generated, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from promptlab.errors import InputError
from promptlab.files.settings import check_seed
from promptlab.prompts.parsers.hidden_reasoning import SplitReply, split_reasoning

Finish = Literal["stop", "length", "refusal", "empty", "too_long", "error"]
_WORDLESS = ("refusal", "empty", "too_long")
OnText = Callable[[int, str], None]
"""Told a request's number and its text so far; what it raises ends the call."""


@dataclass(frozen=True)
class Decoding:
    """How text is generated: greedily, or by seeded sampling.

    Args:
        max_tokens: Tokens of a reply at most.
        temperature: 0 decodes greedily; above it tokens are sampled.
        top_k: So many of the likeliest tokens are kept; ``None`` keeps all.
        top_p: Of these, the fewest that together have so much of the probability (nucleus
            sampling; Holtzman et al. 2020); ``None`` keeps all.
        stop: Strings that end a reply; they are no part of it.
        seed: Of the sampling: the same seed gives the same text.

    Raises:
        InputError: For values that make no sense, such as a negative temperature.

    Example:
        >>> Decoding(max_tokens=8, stop=["\\n"]).settings()["max_tokens"]
        8
        >>> Decoding(temperature=-1)
        Traceback (most recent call last):
            ...
        promptlab.errors.InputError: temperature is -1; it is 0 (greedy) or more
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.max_tokens < 1:
            raise InputError(f"max_tokens is {self.max_tokens}; at least 1 token is generated")
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise InputError(f"temperature is {self.temperature}; it is 0 (greedy) or more")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top_k is {self.top_k}; at least 1 token is kept, None keeps all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}; it is above 0 and at most 1")
        if not all(self.stop):
            raise InputError(f"a stop string is empty in {list(self.stop)}; leave it out")

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Decoding:
        """The inverse of `settings`, also after JSON, where stop strings are a list."""
        return cls(**{**settings, "stop": tuple(settings.get("stop", ()))})


@dataclass(frozen=True)
class Generation:
    """A generated text and what it cost.

    ``finish`` says whether the model or a stop string ended it, or ``max_tokens`` did.
    ``logprob`` is the log-probability of its tokens in nats under the model at temperature 1, if
    that is known. ``error`` says why there is no text: this request failed and others did not, or
    the model itself answered with none: it declined (``finish`` *refusal*, its words in
    ``refusal``), wrote nothing (*empty*), or cannot read so long a prompt (*too_long*): asking
    again would change nothing. ``reasoning`` was thought before the text and is no
    part of it. ``cached`` marks a reply that was paid for earlier.
    """

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float
    finish: Finish = "stop"
    logprob: float | None = None
    error: str | None = None
    cached: bool = False
    reasoning: str = ""
    opened: bool = False
    refusal: str = ""

    @cached_property
    def split_reply(self) -> SplitReply:
        """The text's hidden reasoning and its answer."""
        return split_reasoning(self.text, opened=self.opened)

    @property
    def answer(self) -> str:
        """The text without hidden reasoning: all that parsers and later steps may read."""
        return self.split_reply.answer or ""

    @property
    def unreadable_reason(self) -> str:
        """Why a reply holds no answer to read; empty when it holds one, or nothing at all."""
        if self.answer.strip() or not (self.text.strip() or self.reasoning):
            return ""
        if self.split_reply.finished and self.finish != "length":
            return "the reply is hidden reasoning alone"
        if self.finish == "length":
            return "max_tokens ended the reply within its hidden reasoning; give it more"
        return (
            "the reply ends within its hidden reasoning; if a stop string ended it, leave that out "
            "and let the parser cut the answer"
        )

    @property
    def is_answered(self) -> bool:
        """Whether the model has answered, be it without a text; asking again gives the same."""
        return self.error is None or self.finish in _WORDLESS


def too_long_message(used: int, name: str, limit: int) -> str:
    """What is said of a prompt that the window cannot hold."""
    return (
        f"the prompt has {used} tokens and {name} takes {limit} with the reply; use fewer "
        "demonstrations or steps, shorter replies (max_tokens), or a model with a longer context"
    )
