"""What is to be scored, the result, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ScoringContext:
    """Token ids with a slot.

    Attributes:
        ids: of causal models the ids before the slot, of masked models the whole input with its
            mask tokens, of encoder-decoder models the encoder's input.
        position: index of a masked model's first mask token; -1 for all others, which are read
            after the last id.
        decoder_ids: what the decoder has read before the slot; ``None`` for its usual start.
    """

    ids: tuple[int, ...]
    position: int = -1
    decoder_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ScoringRequest:
    """Asks how likely each continuation is at the slot of ``context``.

    Attributes:
        context: token ids with a slot.
        continuations: the token ids of each answer.
    """

    context: ScoringContext
    continuations: tuple[tuple[int, ...], ...]

    @property
    def tails(self) -> tuple[tuple[int, ...], ...]:
        """Continuations of several tokens, each of which is read on; an empty one if none is."""
        return tuple(c for c in self.continuations if len(c) > 1) or ((),)


@dataclass(frozen=True)
class AnswerRequest(ScoringRequest):
    """A request to score some of the answers; ``answers`` are their indices, one a continuation."""

    answers: tuple[int, ...]


@dataclass
class ScoringResult:
    """What was read at a slot, from which the likelihood of any answer follows.

    Attributes:
        feature: the vector ``[dim]`` that the vocabulary head is applied to.
        log_normaliser: log of the sum of the exponentiated logits over the vocabulary, in nats.
        tail_logprobs: by continuation the log-likelihood in nats of what follows its first token.
    """

    feature: Float[np.ndarray, " dim"]
    log_normaliser: float
    tail_logprobs: dict[tuple[int, ...], float] = field(default_factory=dict)


@dataclass
class Usage:
    """What a piece of work cost.

    Attributes:
        tokens: tokens that were asked for.
        computed_tokens: tokens that went through the network; sharing and caches make it fewer.
        seconds: wall time.
        peak_bytes: the most memory in use.
    """

    tokens: int = 0
    computed_tokens: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens + other.tokens,
            self.computed_tokens + other.computed_tokens,
            self.seconds + other.seconds,
            max(self.peak_bytes, other.peak_bytes),
        )
