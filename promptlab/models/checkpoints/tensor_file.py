"""Tensors that were learned, in a safetensors file: numbers all of them, or refused."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from promptlab.engine.network.finite_check import is_finite
from promptlab.errors import InputError
from promptlab.files.json_file import check_file


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, in fp32 and in memory of their own: the file may be changed.

    Raises:
        InputError: For what is no safetensors file, or not whole, and for tensors that hold no
            numbers.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be read: it is no safetensors file, or not whole "
            f"({(str(error).splitlines() or [''])[0]}); copy the whole folder, or save it again"
        ) from error
    for name, tensor in found.items():
        if not tensor.is_floating_point() or not is_finite(tensor):
            held = "NaN or infinity" if tensor.is_floating_point() else f"{tensor.dtype} values"
            raise InputError(
                f"{path}: the tensor {name} holds {held}, and no numbers to compute with; learn it "
                "anew, or copy the whole folder"
            )
    return {name: tensor.float() for name, tensor in found.items()}
