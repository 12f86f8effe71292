"""Products of features with vocabulary rows that do not depend on what else is multiplied."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_NUMBERS = 4_000_000
"""So many products of two numbers are held in memory at a time."""


def products(
    features: Float[np.ndarray, "slot dim"], rows: Float[np.ndarray, "token dim"]
) -> Float[np.ndarray, "slot token"]:
    """The inner product of every feature with every row, in fp64.

    Each is a sum of its own: a matrix product's last bits depend on how many rows and columns it
    has, so the same answer to the same prompt would be another number beside other answers.
    """
    wide = features.astype(np.float64)
    found = np.empty((len(features), len(rows)))
    step = max(1, _NUMBERS // max(1, features.size))
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        found[:, start : start + step] = (wide[:, None, :] * part[None]).sum(axis=-1)
    return found
