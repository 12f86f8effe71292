"""What is to be scored, the result, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ScoringContext:
    """Token ids with a place to be read.

    For causal models the ids before the slot, read at the last one (``position`` is -1). For
    masked models the whole input with mask tokens, read at ``position``, the first of them. For
    seq2seq models the encoder's input; the decoder is read after its start tokens, which are
    those that it fills a slot after unless ``begun`` says otherwise.
    """

    ids: tuple[int, ...]
    position: int = -1
    decoder_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ScoringRequest:
    """How likely is each continuation (a tuple of token ids) at the slot of ``context``?"""

    context: ScoringContext
    continuations: tuple[tuple[int, ...], ...]

    @property
    def tails(self) -> tuple[tuple[int, ...], ...]:
        """Continuations of several tokens, each of which is read on; an empty one if none is."""
        return tuple(c for c in self.continuations if len(c) > 1) or ((),)


@dataclass
class ScoringResult:
    """The slot's feature, its log-normaliser, and what follows each continuation's first token.

    ``feature`` is the vector the vocabulary head is applied to; ``log_normaliser`` the log of the
    sum over the vocabulary in nats; ``tails[i]`` the log-likelihood in nats of continuation i
    after its first token (0 for one-token continuations).
    """

    feature: Float[np.ndarray, " dim"]
    log_normaliser: float
    tail_logprobs: dict[tuple[int, ...], float] = field(default_factory=dict)


@dataclass
class Usage:
    """What a piece of work cost.

    ``tokens`` were asked for, ``computed_tokens`` went through the network (sharing and caches
    make it fewer), ``seconds`` are wall time, ``peak_bytes`` the most memory in use.
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
