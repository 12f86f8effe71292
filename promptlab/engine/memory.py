"""Batches by token budget, halved when memory runs out, and how much of it has been in use."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from promptlab.cancellation import raise_if_cancelled
from promptlab.errors import WorkError


@dataclass
class TokenBudget:
    """How many tokens (padding included) one forward may hold; halves when memory runs out.

    The halved size is remembered for as long as the model is loaded.
    """

    tokens: int

    def batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Indices grouped so that rows x longest row stays within the budget, longest first."""
        order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        groups: list[list[int]] = []
        for index in order:
            longest = lengths[groups[-1][0]] if groups else 0
            if groups and longest * (len(groups[-1]) + 1) <= self.tokens:
                groups[-1].append(index)
            else:
                groups.append([index])
        return groups

    def run(self, lengths: Sequence[int], work: Callable[[list[int]], None]) -> None:
        """Call ``work`` on every batch; on lack of memory halve the budget and go on.

        Raises `WorkError` when a single row does not fit, `Cancelled` when asked to stop.
        """
        waiting = self.batches(lengths)[::-1]
        while waiting:
            raise_if_cancelled()
            batch = waiting.pop()
            try:
                work(batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.halve(max(lengths[index] for index in batch), len(batch), error)
                left = batch + [index for group in waiting for index in group]
                groups = self.batches([lengths[index] for index in left])
                waiting = [[left[i] for i in group] for group in reversed(groups)]

    def halve(self, longest: int, rows: int, error: BaseException) -> None:
        """Remember that so many rows of so many tokens were too much.

        Raises `WorkError` when it was a single row.
        """
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if rows == 1:
            raise WorkError(
                f"a single row of {longest} tokens does not fit into memory; use a smaller model, "
                "a shorter input or another device"
            ) from error
        self.tokens = max(1, min(self.tokens, longest * rows) // 2)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    message = str(error)
    return "out of memory" in message or "can't allocate memory" in message


def peak_bytes(device: torch.device) -> int:
    """Peak memory: of the device for CUDA, of the process for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
