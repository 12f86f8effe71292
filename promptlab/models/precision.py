"""Device and number format, chosen by measurement and remembered for this machine."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import torch

from promptlab.cache import cache_dir, locked, to_stderr, written_whole
from promptlab.errors import InputError

WORTH = 1.3
"""bf16 is chosen on a CPU when its matrix products are at least this many times as fast."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(asked: str = "auto") -> torch.device:
    """The asked device, or CUDA, else Apple's MPS, else the CPU."""
    if asked != "auto":
        try:
            device = torch.device(asked)
        except RuntimeError as error:
            raise InputError(f"unknown device {asked!r}; use auto, cpu, cuda or cuda:0") from error
        if device.type not in ("cpu", "cuda", "mps"):
            raise InputError(f"unknown device {asked!r}; use auto, cpu, cuda or cuda:0")
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InputError("no CUDA device is available here; use --device cpu or auto")
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise InputError(
                f"there is no device {asked!r} here (CUDA devices: {torch.cuda.device_count()}); "
                "use --device cpu or auto"
            )
        if device.type == "mps" and not torch.backends.mps.is_available():
            raise InputError("no MPS device is available here; use --device cpu or auto")
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(asked: str, device: torch.device, config: Any) -> torch.dtype:
    """The asked format, else bf16 on CUDA, else on a CPU whichever is measured faster."""
    if asked != "auto":
        if asked not in DTYPES:
            raise InputError(f"unknown dtype {asked!r}; use auto, {', '.join(DTYPES)}")
        return DTYPES[asked]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type != "cpu":
        return torch.float32
    return torch.bfloat16 if _remembered_gain(config) >= WORTH else torch.float32


def _remembered_gain(config: Any) -> float:
    """How many times as fast bf16 is for this model's shape, measured once on this machine."""
    width = int(getattr(config.get_text_config(), "hidden_size", 768))
    key = f"{platform.processor() or platform.machine()} torch-{torch.__version__} width-{width}"
    key += f" threads-{torch.get_num_threads()}"
    path = cache_dir() / "machine.json"
    with locked(path, "Measuring this machine", to_stderr):
        known = _known_gains(path)
        if key not in known:
            known[key] = round(_measured_gain(width), 2)
            with written_whole(path) as partial:
                partial.write_text(json.dumps(known, indent=1))
    return known[key]


def _known_gains(path: Path) -> dict[str, float]:
    """The gains measured before; none when the file is missing or damaged."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _measured_gain(width: int) -> float:
    return _product_seconds(width, torch.float32) / _product_seconds(width, torch.bfloat16)


def _product_seconds(width: int, dtype: torch.dtype, repeats: int = 7) -> float:
    """Fastest of a few products ``[256, width] @ [width, 3 width]``."""
    left = torch.randn(256, width, dtype=dtype)
    right = torch.randn(width, 3 * width, dtype=dtype)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - started)
    return min(times)
