"""The likeliest texts for holes that are the same in all contexts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.engine.generation.shared_decoder import SharedDecoder


@dataclass(frozen=True)
class Filling:
    """Tokens for every hole, and how likely they are.

    Args:
        parts: The token ids of every hole.
        score: The sum of their log-probabilities over all contexts, in nats.
    """

    parts: tuple[tuple[int, ...], ...]
    score: float


@dataclass(frozen=True)
class _Beam:
    parts: tuple[tuple[int, ...], ...]
    score: float

    @property
    def hole(self) -> int:
        return len(self.parts) - 1


def search_fillings(
    decoder: SharedDecoder,
    ends: Sequence[Collection[int]],
    *,
    beams: int,
    most_tokens: int,
    least_tokens: int = 0,
    forbidden: Collection[int] = (),
    on_step: Callable[[int], None] | None = None,
) -> list[Filling]:
    """Beam search for the fillings with the largest sum of log-probabilities (Gao et al. 2021).

    What is summed are log-probabilities of every context (their equation 6; 3.11 of the survey),
    not logits. Where several tokens may end a hole, the likeliest of them counts.

    Args:
        decoder: Of the contexts.
        ends: For every hole the tokens that end it; the last one's end the text.
        beams: How many texts are kept.
        most_tokens: In all holes together.
        least_tokens: In the first hole.
        forbidden: Tokens that stand in no hole.
        on_step: Is told how many tokens the texts have.

    Returns:
        At most ``beams`` fillings, the likeliest first.
    """
    banned = set(forbidden) | {token for tokens in ends for token in tokens}
    active, finished = [_Beam(((),), 0.0)], list[Filling]()
    sums = decoder.begin()
    for step in range(most_tokens + len(ends)):
        if on_step is not None:
            on_step(step)
        grown = _grow(active, sums, ends, banned, beams, most_tokens, least_tokens)
        finished += [
            Filling(beam.parts[:-1], beam.score) for _, _, beam in grown if beam.hole == len(ends)
        ]
        finished = sorted(finished, key=lambda one: -one.score)[:beams]
        kept = [(parent, token, beam) for parent, token, beam in grown if beam.hole < len(ends)]
        if len(finished) == beams:  # a text only becomes less likely
            kept = [item for item in kept if item[2].score > finished[-1].score]
        if not kept or step == most_tokens + len(ends) - 1:
            break
        active = [beam for _, _, beam in kept]
        sums = decoder.advance([p for p, _, _ in kept], [t for _, t, _ in kept])
    return finished


def _grow(
    active: Sequence[_Beam],
    sums: Float[Tensor, "beam vocab"],
    ends: Sequence[Collection[int]],
    banned: Collection[int],
    beams: int,
    most_tokens: int,
    least_tokens: int,
) -> list[tuple[int, int, _Beam]]:
    """The likeliest next texts with their parents and tokens, best first."""
    found: list[tuple[int, int, _Beam]] = []
    values = sums.clone()
    values[:, sorted(banned)] = -torch.inf
    most = min(beams, values.shape[1])
    scores, tokens = values.topk(most, dim=-1)
    for place, beam in enumerate(active):
        if sum(map(len, beam.parts)) < most_tokens:
            for score, token in zip(scores[place].tolist(), tokens[place].tolist(), strict=True):
                if score > float("-inf"):
                    parts = (*beam.parts[:-1], (*beam.parts[-1], token))
                    found.append((place, token, _Beam(parts, beam.score + score)))
        if beam.hole == 0 and len(beam.parts[0]) < least_tokens:
            continue
        likely, end = max((float(sums[place, token]), token) for token in ends[beam.hole])
        found.append((place, end, _Beam((*beam.parts, ()), beam.score + likely)))
    found.sort(key=lambda item: -item[2].score)
    return found[:beams]
