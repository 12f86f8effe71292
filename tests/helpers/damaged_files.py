"""Damage to files: flipped bits, as failing disks and cables make them."""

from __future__ import annotations

import random
from pathlib import Path


def flip_bits(path: Path, rng: random.Random, count: int) -> None:
    """Flip ``count`` bits at random places."""
    content = bytearray(path.read_bytes())
    for _ in range(count if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
