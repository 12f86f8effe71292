"""A model's folder, looked at before any library opens a file of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from promptlab.errors import InputError
from promptlab.files.json_file import check_file, read_object
from promptlab.models.checkpoints.model_size import CheckpointSize

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "spm.model",
    "sentencepiece.bpe.model", "source.spm",
)  # fmt: skip
_ENDINGS = {
    ".json", ".safetensors", ".model", ".txt", ".jinja", ".tiktoken", ".bpe", ".vocab", ".spm",
    ".gguf", ".py",
}  # fmt: skip
"""Endings of what transformers may open in a folder."""
_MOST_SETTINGS, _MOST_TABLE = 16 * 1024**2, 256 * 1024**2
"""Bytes of a settings file, and of one that holds a vocabulary or the names of all tensors."""
_TABLES = {"tokenizer.json", "vocab.json", "tekken.json", "added_tokens.json", INDEX}
_MEND = "save or download the model again"
_MOST_WIDTH, _MOST_WORDS = 2**20, 2**26
_WIDTHS = frozenset(["hidden_size", "n_embd", "d_model", "embedding_size", "vocab_size"])
_COUNT = re.compile(r"(^|_)(num|n|layers?|labels?|heads?|blocks?|experts?|depths?|stages?)(_|$)")
"""Keys of what configurations make lists of, layer by layer, before any weight is looked at."""
_MOST_COUNTED = 1_000_000
_DISTRIBUTED = re.compile(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors$")
_ADAPTER, _ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no model, or that asks for anything but safetensors.

    Raises:
        InputError: Naming the file, what was found, and what to do.
    """
    if not (folder / CONFIG).exists() and not (folder / CONFIG).is_symlink():
        raise InputError(f"{folder} is no model folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        others = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".h5"})
        found = f"; {', '.join(others)} cannot be trusted: convert it" if others else ""
        raise InputError(
            f"{folder} has no weights: no *.safetensors file{found} "
            "(model.save_pretrained(folder) writes one)"
        )
    # Without its files transformers would make a tokenizer that knows no words.
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise InputError(
            f"{folder} has no tokenizer: none of {', '.join(TOKENIZER_FILES)} "
            "(tokenizer.save_pretrained(folder) writes one)"
        )
    if parts := [p.name for p in folder.glob("shard-*.safetensors") if _DISTRIBUTED.match(p.name)]:
        raise InputError(
            f"{folder} holds a part of a distributed checkpoint ({parts[0]}), which would be read "
            "in the place of its weights; save the model anew (model.save_pretrained)"
        )
    documents = dict(_documents(folder))
    check_config(documents[CONFIG], folder / CONFIG)
    _check_adapter(folder)
    checkpoint_size(
        weight_files(folder, documents[CONFIG])
    )  # what is damaged is not hashed for long


def _documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings that are objects, by name; every file that may be opened is one."""
    for path in sorted((*folder.iterdir(), *folder.glob("additional_chat_templates/*"))):
        if path.suffix not in _ENDINGS or (path.is_dir() and path.name != CONFIG):
            continue
        is_table = path.name in _TABLES or path.suffix != ".json"
        most = None if path.suffix in (".safetensors", ".gguf") else _MOST_TABLE
        check_file(path, most if is_table else _MOST_SETTINGS)
        if path.name == CONFIG or path.name.endswith("_config.json") or path.name == INDEX:
            # Infinity is a setting of some architectures; transformers writes it.
            most_bytes = _MOST_TABLE if path.name == INDEX else _MOST_SETTINGS
            found = read_object(path, mend=_MEND, most_bytes=most_bytes, allow_nan=True)
            yield path.name, found


def check_config(config: Mapping[str, Any], place: Path | str) -> None:
    """Refuse a configuration that names other code, or sizes that no model has.

    Raises:
        InputError: With the key.
    """
    for key, value in _settings(config):
        if key in ("attn_implementation", "_attn_implementation") and "/" in str(value):
            raise InputError(
                f"{place} asks for code from elsewhere ({key}: {value!r}), which promptlab never "
                "runs; leave the key out"
            )
        if _COUNT.search(key) and isinstance(value, int) and abs(value) > _MOST_COUNTED:
            raise InputError(
                f"{place} has {key} {value}, and no model has more than {_MOST_COUNTED:,} of "
                f"these; {_MEND}"
            )
    for key in _WIDTHS & config.keys():
        value, most = config[key], _MOST_WORDS if key == "vocab_size" else _MOST_WIDTH
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 < value <= most):
            raise InputError(
                f"{place} has {key} {value!r}, which is no whole number from 1 to {most}; {_MEND}"
            )
    named = config.get("transformers_weights")
    if named is not None and not _is_plain(named, (".safetensors", ".safetensors.index.json")):
        raise InputError(
            f"{place} names the weights {named!r}; only safetensors files of the same folder are "
            "opened, so leave transformers_weights out or name one"
        )


def _settings(config: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """All keys with their values, also those of the configurations within."""
    for key, value in config.items():
        yield key, value
        if isinstance(value, dict) and depth < 8:
            yield from _settings(value, depth + 1)


def _check_adapter(folder: Path) -> None:
    """An adapter beside a model is read with it, by peft, if it is safetensors."""
    if (folder / _ADAPTER).exists() and not (folder / _ADAPTER_WEIGHTS).is_file():
        raise InputError(
            f"{folder} holds {_ADAPTER} without {_ADAPTER_WEIGHTS}: an adapter in another format "
            "is not opened; merge it (merge_and_unload) and save the model, or remove the file"
        )


def weight_files(folder: Path, config: Mapping[str, Any]) -> list[Path]:
    """The safetensors files that the weights of a checked folder are read from.

    Raises:
        InputError: For an index that names anything else, or a file that is missing.
    """
    named = config.get("transformers_weights")
    first = folder / str(named) if named is not None else folder / WEIGHTS
    if first.suffix == ".safetensors" and first.exists():
        return [first]
    index = first if named is not None else folder / INDEX
    if index.suffix != ".json" or not index.exists():
        return sorted(folder.glob("*.safetensors"))
    return [folder / name for name in shards(read_object(index, mend=_MEND), index)]


def shards(index: Mapping[str, Any], place: Path | str) -> list[str]:
    """The names of the files that an index of weights names.

    Raises:
        InputError: For names that are no safetensors files of the same folder.
    """
    named = index.get("weight_map")
    if not isinstance(named, dict) or not named:
        raise InputError(f"{place} has no weight_map of tensors and files; {_MEND}")
    for tensor, file in named.items():
        if not _is_plain(file, (".safetensors",)):
            raise InputError(
                f"{place} says that {tensor} is in {file!r}; only safetensors files of the same "
                "folder are opened: convert it (model.save_pretrained writes them)"
            )
    return sorted(set(named.values()))


def _is_plain(name: object, endings: tuple[str, ...]) -> bool:
    """Whether a name is one of a file in the same folder with one of these endings."""
    return (
        isinstance(name, str)
        and name.endswith(endings)
        and not set(name) & set("/\\\0")
        and not name.startswith(".")
    )


def checkpoint_size(files: list[Path]) -> CheckpointSize:
    """How much safetensors files hold, by their headers.

    Raises:
        InputError: For a file that is none, or not whole.
    """
    found = CheckpointSize()
    for path in files:
        check_file(path)
        found.bytes += path.stat().st_size
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    found.tensors += 1
                    found.numbers += math.prod(file.get_slice(name).get_shape())
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(
                f"the weights in {path} cannot be read: it is no safetensors file, or not whole "
                f"({str(error).splitlines()[0]}); {_MEND}"
            ) from error
    return found


def find_tensor(tensor: str, files: list[Path]) -> tuple[Path, str] | None:
    """The file that holds a model's tensor, and its name there; ``None`` if nobody knows.

    Files may call it without what the library puts in front, or the other way round.
    """
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if f".{tensor}".endswith(f".{name}") or f".{name}".endswith(f".{tensor}"):
                    return path, name
    return None
