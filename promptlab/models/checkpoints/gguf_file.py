"""GGUF files of the user's own: converted once to a safetensors folder in the cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.build_once import build_once
from promptlab.files.cache import Progress, cache_dir, print_to_stderr, require_disk_space
from promptlab.files.checksums import find_damage, write_checksums
from promptlab.files.file_hash import file_hash
from promptlab.files.json_file import check_file
from promptlab.models.checkpoints.dequantise import quiet_transformers, save_dequantised

CONVERSION = 1
"""Part of a converted folder's name; raised when the conversion changes."""
_CONVERTED = "gguf-"
_MAGIC = b"GGUF"
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
_OVERHEAD = 50_000_000
"""Bytes kept free for tokenizer and settings beside the weights."""
_BROKEN = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, RuntimeError,
    NotImplementedError,
)  # fmt: skip
"""What libraries raise about files that they cannot read."""


def find_gguf(name: str) -> Path | None:
    """The GGUF file that a model's name stands for.

    Args:
        name: A path of a file, of a folder with one GGUF file and no other weights, or a name.

    Returns:
        The file; ``None`` if the name is something else.

    Raises:
        InputError: Several GGUF files in the folder, a file that is none, or a part of one.
    """
    path = Path(name).expanduser()
    if path.is_dir() and not any(path.glob("*.safetensors")):
        # what turns pictures into vectors stands beside a model
        files = [p for p in sorted(path.glob("*.gguf")) if not p.name.startswith("mmproj")]
        whole = [file for file in files if not _PART.search(file.name)]
        if len(files) > 1 and (whole or len(files) > int(_PART.search(files[0].name)[2])):  # type: ignore[index]
            raise InputError(
                f"{path} holds several GGUF files ({', '.join(file.name for file in files)}); "
                f"name one of them as the model, such as {files[0]}"
            )
        if not files:
            return None
        path = files[0]
    elif path.suffix.lower() != ".gguf" or path.is_dir():
        return None
    elif not path.exists():
        raise InputError(f"there is no file {path}; name a GGUF file that is there")
    check_file(path)
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"{path} is no GGUF file: it does not begin with GGUF; fetch it again")
    if (part := _PART.search(path.name)) and int(part[2]) > 1:
        raise InputError(
            f"{path} is one of {int(part[2])} parts of a model; join them with "
            "llama-gguf-split --merge and name the whole file"
        )
    return path


def gguf_folder(path: Path, *, on_progress: Progress | None = None) -> Path:
    """The safetensors folder of a GGUF file, converted when its content is first met.

    Raises `InputError` for a file that transformers cannot read, `DiskError` on a full disk.
    """
    report = on_progress or print_to_stderr
    key = file_hash(path).hex()[:24]

    def build(partial: Path) -> None:
        reader = _read(path)
        size = 4 * sum(int(tensor.n_elements) for tensor in reader.tensors)
        require_disk_space(cache_dir(), size + _OVERHEAD, f"Converting {path.name}")
        report(f"{path.name}: converting to safetensors, once")
        partial.mkdir()
        facts = {name: _value(reader, name) for name in _FACTS}
        del reader
        try:
            with quiet_transformers():
                save_dequantised(path, partial, facts)
        except InputError:
            raise
        except _BROKEN as error:
            raise InputError(
                f"{path} holds a model of the architecture {facts['general.architecture']!r}, "
                f"which transformers cannot read from a GGUF file ({_sentence(error)}); use the "
                "model's own safetensors folder"
            ) from error
        write_checksums(partial)
        report(f"{path.name}: ready")

    folder = cache_dir() / "models" / f"{_CONVERTED}{CONVERSION}-{key}"
    return build_once(
        folder, build, purpose=f"Converting {path.name}", on_progress=report, check=find_damage
    )


def is_converted(source: str) -> bool:
    """Whether a folder is one that `gguf_folder` has written."""
    path = Path(source)
    return path.parent == cache_dir() / "models" and path.name.startswith(_CONVERTED)


_FACTS = ("general.architecture", "tokenizer.ggml.pre", "tokenizer.ggml.eot_token_id")


def _read(path: Path) -> Any:
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except _BROKEN as error:
        raise InputError(
            f"{path} is damaged or not fetched whole ({_sentence(error)}); fetch it again"
        ) from error


def _value(reader: Any, name: str) -> Any:
    field = reader.get_field(name)
    return None if field is None else field.contents()


def _sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
