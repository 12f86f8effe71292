"""The processor: which one it is, and whether it multiplies bf16 matrices by units of its own."""

from __future__ import annotations

import hashlib
import platform
import statistics
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

WORTH = 1.3
"""bf16 is worth its rounding when its matrix products are so many times as fast."""
UNITS = frozenset({"avx512_bf16", "amx_bf16", "bf16", "sme_bf16", "svebf16"})
"""Flags of a processor that multiplies bf16 matrices, as Linux and torch call them."""
ROUNDS, ATTEMPTS = 25, 3
"""Products of both formats in turn, and how often an unclear measurement is made again."""
LEAST, SECONDS = 9, 1.5
"""So many rounds at the least, and after so long no further one."""
_ROWS, _WIDTH = 128, 768
_CPUINFO = Path("/proc/cpuinfo")
_NAMES = (
    "model name", "cpu model", "hardware", "cpu implementer", "cpu part", "cpu family", "model",
)  # fmt: skip


@dataclass(frozen=True)
class Processor:
    """A processor by its name and its flags."""

    name: str
    flags: frozenset[str]

    @property
    def has_bf16(self) -> bool:
        """Whether it has units for products of bf16 matrices."""
        return bool(self.flags & UNITS)

    @property
    def key(self) -> str:
        """A name and a hash: the same for the same processor with the same flags."""
        digest = hashlib.sha256(" ".join(sorted(self.flags)).encode()).hexdigest()
        return f"{self.name} {digest[:12]}"


@cache
def this_processor() -> Processor:
    """The processor of this machine, by what Linux and torch tell of it."""
    facts = _cpuinfo()
    names = [facts[name] for name in _NAMES if name in facts]
    told = _told_by_torch()
    names = names or [str(told.get("cpu_name") or platform.processor() or platform.machine())]
    flags = {*facts.get("flags", "").split(), *facts.get("features", "").split()}
    flags |= {name for name, value in told.items() if value is True}
    return Processor(" ".join(names), frozenset(flags))


def _cpuinfo() -> dict[str, str]:
    """Linux's facts of the first processor; none on another system."""
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _told_by_torch() -> dict[str, Any]:
    """torch's own facts, which older versions do not tell."""
    told = getattr(torch.cpu, "get_capabilities", None)
    return {} if told is None else dict(told())


def is_clearly_faster() -> bool:
    """Whether bf16 products are clearly faster than fp32 ones here and now.

    Both are timed in turn, so that what else the machine does meets both alike; what is not clear
    after three attempts is no.
    """
    return any(_is_clear(_gains()) for _ in range(ATTEMPTS))


def _is_clear(gains: list[float]) -> bool:
    """Half of the rounds gain what is worth it, and three of four gain at all."""
    lower, middle, _ = statistics.quantiles(gains, n=4)
    return middle >= WORTH and lower > 1


def _gains() -> list[float]:
    """How many times as fast a bf16 product was, by rounds."""
    pairs = {dtype: _factors(dtype) for dtype in (torch.float32, torch.bfloat16)}
    for pair in pairs.values():  # the first product of all sets things up
        _seconds(*pair)
    rounds: list[list[float]] = []
    ends = time.perf_counter() + SECONDS
    while len(rounds) < LEAST or (len(rounds) < ROUNDS and time.perf_counter() < ends):
        rounds.append([_seconds(*pair) for pair in pairs.values()])
    return [plain / max(half, 1e-9) for plain, half in rounds]


def _factors(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of text by weights, as a small model has them."""
    return torch.ones(_ROWS, _WIDTH, dtype=dtype), torch.ones(_WIDTH, 3 * _WIDTH, dtype=dtype)


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    started = time.perf_counter()
    torch.mm(left, right)
    return time.perf_counter() - started
