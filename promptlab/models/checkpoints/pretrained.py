"""What transformers makes of a model's folder or id, with its failures told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from promptlab.engine.network.finite_check import MAX_FLOAT16, first_non_finite_weight, is_finite
from promptlab.engine.network.model_errors import describe_error
from promptlab.errors import AssetError, InputError, PromptlabError, WorkError
from promptlab.files.json_file import read_object
from promptlab.models.builtin import BUILTIN_MODELS
from promptlab.models.checkpoints.folder import (
    CONFIG,
    INDEX,
    checkpoint_size,
    find_tensor,
    shards,
    weight_files,
)
from promptlab.models.checkpoints.model_size import limit_model_size

_NO_MODEL = ("config", "tokenizer", "converted tokenizer")


@contextmanager
def folder_errors(name: str) -> Iterator[None]:
    """What libraries raise about a model's files is told in a sentence, whatever it is.

    Raises:
        InputError: In the place of anything that is no error of promptlab's own.
        WorkError: When memory runs out.
    """
    try:
        yield
    except (PromptlabError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise WorkError(
            f"the model {name} does not fit into memory; use a smaller one, or another device"
        ) from error
    except BaseException as error:  # the tokenizers' own panics are no `Exception`
        raise InputError(
            f"the model {name} cannot be used: reading its files raises {describe_error(error)}; "
            "save or download the model again, or use another one"
        ) from error


def pretrained(what: str, source: str, revision: str | None, **options: Any) -> Any:
    """``from_pretrained`` with its failures told in a sentence.

    Args:
        what: *config*, *tokenizer*, *converted tokenizer*, or the family of a model.
        source: A checked folder, or a Hugging Face id.
        revision: Of an id.
        options: For the library.

    Returns:
        The library's object; a model has all of its weights.

    Raises:
        InputError: For files that cannot be read, or do not go together.
        AssetError: When nothing can be fetched.
    """
    import transformers

    classes: dict[str, Any] = {
        "config": transformers.AutoConfig,
        "tokenizer": transformers.AutoTokenizer,
        "converted tokenizer": transformers.PreTrainedTokenizerFast,
        "causal": transformers.AutoModelForCausalLM,
        "masked": transformers.AutoModelForMaskedLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
    }
    is_model = what not in _NO_MODEL
    if is_model:
        options |= {"use_safetensors": True, "output_loading_info": True}
    transformers.utils.logging.disable_progress_bar()
    try:
        with _building(source, revision) if is_model else nullcontext():
            found = classes[what].from_pretrained(
                source, revision=revision, trust_remote_code=False, **options
            )
        return _whole(found, what, source) if is_model else found
    except OSError as error:
        if Path(source).is_dir():
            raise InputError(_unreadable(what, source, error)) from error
        raise AssetError(
            f"the model {source!r} is neither a pinned name ({', '.join(BUILTIN_MODELS)}) nor a "
            "folder, and could not be fetched from the Hugging Face hub "
            f"({str(error).strip().splitlines()[0]}). On a connected machine run: "
            f"hf download {source} --local-dir DIR, copy DIR here and give its path as the model"
        ) from error
    except (ValueError, KeyError, SafetensorError) as error:
        raise InputError(_unreadable(what, source, error)) from error


def _whole(found: tuple[Any, dict[str, Any]], what: str, source: str) -> Any:
    """The model, unless weights were missing: transformers would draw them at random."""
    model, info = found
    missing = sorted(map(str, info.get("missing_keys") or ()))
    if missing:
        raise InputError(
            f"the weights of {source} do not fit a {what} model: {len(missing)} tensors are "
            f"missing, such as {missing[0]}; use a checkpoint with this architecture, or say "
            "which family it is with family="
        )
    return model


def _unreadable(what: str, source: str, error: Exception) -> str:
    if "Unrecognized configuration class" in str(error):
        return (
            f"transformers has no {what} language model for the architecture of {source}; use "
            "another model, or say with family= how this one is read"
        )
    part = what if what in _NO_MODEL else f"weights (as a {what} model)"
    cause = str(error).strip().splitlines()[0].rstrip(".")
    return f"the {part} of {source} cannot be read: {cause}; save or download the model again"


@contextmanager
def _building(source: str, revision: str | None) -> Iterator[None]:
    """While inside, nothing but safetensors is read, and nothing larger than them is built."""
    folder = Path(source)
    if not folder.is_dir():
        _check_hub_index(source, revision)
        yield
        return
    config = read_object(folder / CONFIG, allow_nan=True)
    quantised = config.get("quantization_config") is not None
    with limit_model_size(checkpoint_size(_files(folder)), source, quantised=quantised):
        yield


def _check_hub_index(source: str, revision: str | None) -> None:
    """Refuse an index on the hub that names anything but safetensors, before it is followed."""
    from promptlab.compat.transformers import hub_file

    found = hub_file(source, INDEX, revision)
    if found is not None:
        shards(read_object(Path(found)), f"{source}'s {INDEX}")


def copy_weights(model: torch.nn.Module) -> None:
    """Copy a loaded model's weights into memory of its own.

    safetensors maps the file: whoever wrote into it would change the weights under a running
    study, and whoever cut it would kill the process. On a device they are copies already.

    Args:
        model: A model as it was loaded; parameters that are tied stay tied.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()


def check_weights(model: Any, source: str) -> None:
    """Refuse weights that hold NaN or infinity: some layers would make numbers of them again.

    Args:
        model: The loaded model.
        source: Its folder or name.

    Raises:
        InputError: Naming the first tensor and, where it is known, its file.
    """
    if (found := first_non_finite_weight(model)) is None:
        return
    name, tensor = found
    place = find_tensor(name, _files(Path(source)))
    if place is not None and tensor.dtype == torch.float16 and _is_finite_there(*place):
        raise InputError(
            f"the weight {name} of {source} holds numbers beyond {MAX_FLOAT16}, which float16 "
            "cannot; use --dtype bfloat16 or float32"
        )
    broken = int((~torch.isfinite(tensor.float())).sum())
    raise InputError(
        f"the weight {name} in {source if place is None else place[0]} holds NaN or infinity in "
        f"{broken:,} of its {tensor.numel():,} numbers; save or download the model again"
    )


def _files(folder: Path) -> list[Path]:
    """The files that the weights of a folder are in; none of what is no folder."""
    if not (folder / CONFIG).is_file():
        return []
    return weight_files(folder, read_object(folder / CONFIG, allow_nan=True))


def _is_finite_there(path: Path, name: str) -> bool:
    """Whether a tensor is finite as it stands in its file."""
    with safe_open(path, framework="pt") as file:
        return is_finite(file.get_tensor(name))
