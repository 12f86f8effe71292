"""How much memory has been in use at most, and how much may be taken."""

from __future__ import annotations

import os
import resource
import sys

import torch

from promptlab.errors import InputError

KEPT_BYTES = "PROMPTLAB_KEPT_BYTES"
"""Environment variable: the most bytes of keys and values a model keeps; 0 keeps none."""
MOST_KEPT = 1024**3
"""On a CPU no more is kept unless asked for."""


def peak_bytes(device: torch.device) -> int:
    """Peak memory: of the device for CUDA, of the process for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def kept_budget(device: torch.device) -> int:
    """Bytes that a model may use to keep keys and values between calls.

    ``$PROMPTLAB_KEPT_BYTES`` if set; else a tenth of the free memory of a CUDA device, or a
    twentieth of the machine's memory, at most 1 GiB. Raises `InputError` for another text than
    a number.
    """
    chosen = os.environ.get(KEPT_BYTES)
    if chosen:
        if not chosen.isdecimal():
            raise InputError(f"{KEPT_BYTES} is {chosen!r}; set it to a number of bytes")
        return int(chosen)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 10
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return MOST_KEPT
    return min(MOST_KEPT, whole // 20)
