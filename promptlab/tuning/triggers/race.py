"""Candidates race over growing blocks of examples: successive halving."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from promptlab.tuning.triggers.oracle import Tokens

Measure = Callable[[Sequence[Tokens], Sequence[int]], Float[np.ndarray, "candidate example"]]


def race(
    candidates: Sequence[Tokens],
    measure: Measure,
    examples: Sequence[int],
    *,
    blocks: int = 1,
    keep: int = 1,
    always: Tokens | None = None,
) -> list[tuple[Tokens, float]]:
    """The candidates that were measured on all examples with their mean loss, best first.

    Each of ``blocks`` blocks doubles the number of examples seen, and after each but the last the
    worse half is dropped (never fewer than ``keep`` stay, and ``always`` stays beside them). One
    block is no race: every candidate is measured on every example. Equal losses stay in the order
    given.
    """
    running = list(dict.fromkeys(candidates))
    seen = np.zeros((len(running), 0))
    for bound in _bounds(len(examples), blocks):
        block = measure(running, examples[seen.shape[1] : bound])
        seen = np.ascontiguousarray(np.concatenate([seen, block], axis=1))
        order = np.argsort(seen.mean(axis=1), kind="stable").tolist()
        if bound < len(examples):
            order = _better_half(order, running, keep, always)
        running, seen = [running[i] for i in order], seen[order]
    return list(zip(running, seen.mean(axis=1).tolist(), strict=True))


def _bounds(examples: int, blocks: int) -> list[int]:
    """After how many examples candidates are compared."""
    return sorted({max(1, examples >> (blocks - 1 - block)) for block in range(blocks)})


def _better_half(
    order: list[int], running: list[Tokens], keep: int, always: Tokens | None
) -> list[int]:
    rivals = [i for i in order if running[i] != always]
    stay = set(rivals[: max(keep, (len(rivals) + 1) // 2)])
    return [i for i in order if i in stay or running[i] == always]
