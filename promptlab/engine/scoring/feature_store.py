"""Slot features and tail scores on disk, by content hash.

The feature at the slot does not depend on the verbalizer: kept once, every later verbalizer and
calibration is a small product. One file of checked entries per model key; a crash loses at most
the block that was being written.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from promptlab.engine.scoring.request import ScoringContext, ScoringResult
from promptlab.files.entries import EntryFile

MAX_FILE_BYTES = 4 * 1024**3
"""Size above which a store is emptied when it is opened."""
MAX_MEMORY_BYTES = 256 * 1024**2
"""How much of it is kept at hand in memory."""


def context_key(context: ScoringContext, learned: str = "") -> bytes:
    """Content hash of a context: its token ids, the place read, and what was learned (a hash)."""
    return _digest(learned, context.ids, _place(context))


def tail_key(context: ScoringContext, continuation: tuple[int, ...], learned: str = "") -> bytes:
    """Content hash of a context with a continuation."""
    return _digest(learned, context.ids, _place(context), continuation)


def _place(context: ScoringContext) -> tuple[int, ...]:
    return (context.position, *(() if context.decoder_ids is None else context.decoder_ids))


def _digest(learned: str, *parts: Sequence[int]) -> bytes:
    digest = hashlib.sha256(learned.encode())
    for part in parts:
        digest.update(len(part).to_bytes(4, "little"))
        digest.update(np.asarray(part, dtype=np.int32).tobytes())
    return digest.digest()[:16]


_SLOTS, _TAILS = "slots", "tails"
_TAIL = struct.Struct("<d")


class FeatureStore:
    """Features ``[dim]`` in fp32 and log-normalisers by context, tail scores by continuation.

    ``path`` ``None`` keeps them in memory alone. What is damaged on disk, or was written by a
    version without checksums, is told and computed anew. Raises `DiskError` when the disk is full.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._memory: dict[bytes, ScoringResult] = {}
        self._lock = threading.RLock()
        self._entries = EntryFile(
            path,
            (_SLOTS, _TAILS),
            what="kept features",
            remade="computed anew",
            earlier={"slots": lambda _: (), "tails": lambda _: ()},
            most_bytes=MAX_FILE_BYTES,
        )

    def find_slots(self, keys: Sequence[bytes]) -> dict[bytes, ScoringResult]:
        """The replies (without tails) that are known among ``keys``."""
        with self._lock:  # what is kept may be dropped by another thread
            found = {key: self._memory[key] for key in keys if key in self._memory}
        missing = [key for key in keys if key not in found]
        for key, value in self._entries.find(_SLOTS, missing).items():
            numbers = np.frombuffer(value, dtype=np.float32)
            found[key] = self._remember(key, ScoringResult(numbers[:-1], float(numbers[-1])))
        return found

    def _remember(self, key: bytes, reply: ScoringResult) -> ScoringResult:
        """Keep a reply at hand; when there are too many, forget the older half."""
        with self._lock:
            if len(self._memory) * reply.feature.nbytes > MAX_MEMORY_BYTES:
                for old in list(self._memory)[: len(self._memory) // 2]:
                    del self._memory[old]
            self._memory[key] = reply
        return reply

    def find_tails(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        """The tail scores in nats that are known among ``keys``."""
        found = self._entries.find(_TAILS, keys)
        return {key: _TAIL.unpack(value)[0] for key, value in found.items()}

    def save(
        self, slots: Iterable[tuple[bytes, ScoringResult]], tails: Iterable[tuple[bytes, float]]
    ) -> None:
        """Keep what was computed. Raises `DiskError` when the disk is full."""
        rows = []
        for key, reply in slots:
            kept = self._remember(key, ScoringResult(reply.feature, reply.log_normaliser))
            value = np.append(kept.feature, np.float32(kept.log_normaliser)).tobytes()
            rows.append((key, value))
        scores = [(key, _TAIL.pack(value)) for key, value in tails]
        self._entries.keep({_SLOTS: rows, _TAILS: scores})

    def close(self) -> None:
        """Close the file."""
        self._entries.close()
