"""PyTorch's math attention kernels for a while, for any number of threads."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from torch.nn.attention import SDPBackend, sdpa_kernel


class MathAttention:
    """A context in which attention is two plain products; any number of threads may be inside.

    torch's choice of kernels belongs to the process. Were every thread to restore what it found,
    the last one out could restore another one's choice and leave it behind for good: so the first
    one in sets it and the last one out takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._chosen: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._chosen is None:
                self._chosen = sdpa_kernel(SDPBackend.MATH)
                self._chosen.__enter__()
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._chosen is not None:
                chosen, self._chosen = self._chosen, None
                chosen.__exit__(None, None, None)


MATH_ATTENTION = MathAttention()
