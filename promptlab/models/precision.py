"""Device and number format: chosen by what the processor has, and remembered for this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from promptlab.errors import DiskError, InputError
from promptlab.files.cache import atomic_write, cache_dir, file_lock, print_to_stderr
from promptlab.models.processor import Processor, is_clearly_faster, this_processor

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


def is_device_available(device: str) -> bool:
    """Whether this machine has such a device."""
    try:
        choose_device(device)
    except InputError:
        return False
    return True


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """The asked format, else bf16 on CUDA, and on a CPU that has units for it and gains by them.

    A CPU without such units computes in fp32, whatever a clock says; one that has them is measured
    once, and what is not clear is fp32. The choice is kept for this very machine.
    """
    if asked != "auto":
        if asked not in DTYPES:
            raise InputError(f"unknown dtype {asked!r}; use auto, {', '.join(DTYPES)}")
        return DTYPES[asked]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type != "cpu":
        return torch.float32
    return DTYPES[_remembered(this_processor())]


def _remembered(processor: Processor) -> str:
    """The format for this processor: measured once on this machine, if there is a choice."""
    if not processor.has_bf16:
        return "float32"
    path = cache_dir() / "machine.json"
    key = f"{processor.key} torch-{torch.__version__} threads-{torch.get_num_threads()}"
    if (found := _known(path).get(key)) is not None:
        return found
    try:
        with file_lock(path, "Measuring this machine", print_to_stderr):
            known = _known(path, told=True)
            if key not in known:
                known[key] = "bfloat16" if is_clearly_faster() else "float32"
                with atomic_write(path) as partial:
                    partial.write_text(json.dumps({k: {"dtype": v} for k, v in known.items()}))
            return known[key]
    except (OSError, DiskError) as error:
        print_to_stderr(
            f"which number format suits this machine cannot be kept in {path} ({error}); it is "
            "measured now and again the next time"
        )
        return "bfloat16" if is_clearly_faster() else "float32"


def _known(path: Path, *, told: bool = False) -> dict[str, str]:
    """The formats chosen before, by machine; what is damaged is left out (and ``told``)."""
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise OSError("it is no file")
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        if told:
            print_to_stderr(f"{path} cannot be read ({error}); this machine is measured again")
        return {}
    entries = document.items() if isinstance(document, dict) else ()
    found = {key: _dtype_of(entry) for key, entry in entries}
    kept = {key: dtype for key, dtype in found.items() if dtype is not None}
    if told and (not isinstance(document, dict) or len(kept) < len(found)):
        print_to_stderr(
            f"{path} holds what is no choice of a format; this machine is measured again"
        )
    return kept


def _dtype_of(entry: Any) -> str | None:
    """The format that an entry names; ``None`` for anything that this file does not hold."""
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    return dtype if dtype in ("float32", "bfloat16") else None
