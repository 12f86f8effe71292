"""Whether a causal model may share prefixes and branch rows, found out at load."""

from __future__ import annotations

import torch

from promptlab.engine.batch import TokenBudget
from promptlab.engine.causal import CausalRunner
from promptlab.engine.network import Network
from promptlab.engine.question import Context, Question


def shares_prefixes(network: Network) -> bool:
    """Check the gathered head, then compare shared with plain rows on a small input.

    Sliding-window and linear-attention layers keep other state than keys and values of every
    token; for them, and wherever the two ways differ, nothing is shared.
    """
    size = int(network.model.config.get_text_config().vocab_size)
    network.check(input_ids=torch.arange(3, 11, device=network.device)[None] % size)
    types = getattr(network.model.config.get_text_config(), "layer_types", None) or []
    if any(kind != "full_attention" for kind in types):
        return False
    questions = _sample(size)
    budget = TokenBudget(4096)
    plain = CausalRunner(network, budget, shares=False).run(questions)
    try:
        shared = CausalRunner(network, budget, shares=True).run(questions)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        return False
    tolerance = 1e-3 if network.dtype == torch.float32 else 0.5
    return all(
        abs(a.tails[tail] - b.tails[tail]) < tolerance
        for a, b in zip(plain, shared, strict=True)
        for tail in a.tails
    )


def _sample(size: int) -> list[Question]:
    """Two contexts that share 40 tokens, each with two branches."""
    shared = tuple((7 * i + 3) % size for i in range(40))
    tails = ((5 % size, 9 % size, 11 % size), (6 % size, 2 % size))
    return [Question(Context((*shared, token % size, 4 % size)), tails) for token in (8, 13)]
