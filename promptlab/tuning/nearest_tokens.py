"""Back to words: what learned vectors are nearest to, and the prompt that those words make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Soft, Trigger, TriggerFiller
from promptlab.prompts.template import Template
from promptlab.prompts.template_syntax import Piece
from promptlab.tuning.template_edit import rewrite_template

_CHUNK = 8192
"""Rows of the embedding compared at a time."""


@dataclass(frozen=True)
class NearestToken:
    """A token near a learned vector: its text, its id, and the cosine of the angle between them."""

    token: str
    token_id: int
    cosine: float


def nearest_tokens(
    model: LocalModel, vectors: Float[Tensor, "token dim"], top: int = 3
) -> list[list[NearestToken]]:
    """For every vector its nearest vocabulary tokens by cosine, nearest first.

    Special tokens are left out. Lester et al. 2021, section 7, read prompts in this way.
    """
    found, ids = _nearest(model, vectors, top)
    return [
        [
            NearestToken(model.encoding.token(int(token)), int(token), float(cosine))
            for cosine, token in zip(cosines, tokens, strict=True)
        ]
        for cosines, tokens in zip(found, ids, strict=True)
    ]


def with_nearest_words(
    template: Template, learned: LearnedParts, model: LocalModel
) -> tuple[Template, LearnedParts]:
    """The discrete prompt nearest to a soft one: its template with triggers, and their tokens.

    Every soft segment becomes a trigger segment that holds its vectors' nearest tokens, so the
    prompt is made of exactly these tokens however they would be read as text.
    """
    assert learned.vectors is not None
    tokens = [near[0].token_id for near in nearest_tokens(model, learned.vectors, 1)]
    places: dict[str, tuple[int, ...]] = {}
    start = 0
    for name, count in learned.soft:
        places[name] = tuple(tokens[start : start + count])
        start += count
    triggers: list[tuple[int, ...]] = []
    found = iter(learned.triggers)
    unnamed = 0

    def words(piece: Piece) -> Piece:
        nonlocal unnamed
        if isinstance(piece, Trigger):
            triggers.append(next(found))
        if not isinstance(piece, Soft):
            return piece
        name = f"#{piece.id}" if piece.id is not None else str(unnamed)
        unnamed += piece.id is None
        triggers.append(places[name])
        return Trigger(piece.count)

    made = rewrite_template(template, words)
    facts = {"words": [model.tokenizer.decode(ids) for ids in triggers]}
    return made, LearnedParts(
        triggers=tuple(triggers), prefix=learned.prefix, facts=facts, weights=learned.weights
    )


def nearest_facts(model: LocalModel, learned: LearnedParts, top: int = 3) -> dict[str, Any]:
    """Notes on vectors for people: of every one its nearest tokens as (token, cosine), in order."""
    if learned.vectors is None:
        return {}
    found = nearest_tokens(model, learned.vectors, top)
    return {
        "nearest": [[[near.token, round(near.cosine, 4)] for near in vector] for vector in found]
    }


def nearest_notes(model: LocalModel, vectors: Float[Tensor, "token dim"]) -> dict[str, str]:
    """For those who watch a training: the nearest token of every vector.

    ``words`` is a line of them, ``nearest`` a JSON list of [token, cosine], one a vector.
    """
    found = [near[0] for near in nearest_tokens(model, vectors, 1)]
    pairs = [[near.token, round(near.cosine, 4)] for near in found]
    words = " ".join(near.token.strip() for near in found)
    return {"words": words, "nearest": json.dumps(pairs, ensure_ascii=False)}


def with_trigger_text(template: Template, learned: LearnedParts, model: LocalModel) -> Template:
    """A template with the words of its trigger tokens in their places, as it can be typed."""
    words = [str(model.tokenizer.decode(list(ids))) for ids in learned.triggers]
    return rewrite_template(template, TriggerFiller(words))


def _nearest(
    model: LocalModel, vectors: Float[Tensor, "token dim"], top: int
) -> tuple[Float[Tensor, "token top"], Int[Tensor, "token top"]]:
    virtual = model.engine.network.virtual_tokens
    device = model.engine.network.device
    wanted = torch.nn.functional.normalize(vectors.to(device).float(), dim=1)
    special = torch.tensor(sorted(model.tokenizer.all_special_ids), device=device)
    best = torch.full((len(vectors), top), -2.0, device=device)
    ids = torch.zeros((len(vectors), top), dtype=torch.long, device=device)
    with torch.no_grad():
        for start in range(0, virtual.first_id, _CHUNK):
            rows = torch.arange(start, min(start + _CHUNK, virtual.first_id), device=device)
            table = torch.nn.functional.normalize(virtual.embed(rows), dim=1)
            cosines = wanted @ table.T
            inside = special[(special >= start) & (special < start + len(rows))] - start
            cosines[:, inside] = -2.0
            joined = torch.cat([best, cosines], dim=1)
            chosen = torch.cat([ids, rows.expand(len(vectors), -1)], dim=1)
            best, order = joined.topk(top, dim=1)
            ids = chosen.gather(1, order)
    return best.cpu(), ids.cpu()
