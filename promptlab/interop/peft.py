"""PEFT folders: soft prompts and prefixes to and from ``adapter_model.safetensors``.

A PEFT prompt is one block of vectors at position 0, or keys and values for every layer. Anything
else (vectors inside the text, several blocks, special tokens before them) has no place in its
format. What would not be the same prompt to the letter is refused in both directions, with the
reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from promptlab.errors import InputError
from promptlab.files.cache import atomic_write
from promptlab.files.json_file import read_object
from promptlab.models.checkpoints.tensor_file import read_tensors
from promptlab.models.learned_parts import LearnedParts, learned_segments
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.prompt import Soft
from promptlab.tuning.parameters import flat_prefix

CONFIG, WEIGHTS, TENSOR = "adapter_config.json", "adapter_model.safetensors", "prompt_embeddings"
_TASKS = {"causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}


def export_peft(predictor: PromptClassifier | PromptGenerator, folder: str | Path) -> Path:
    """Write a learned prompt as a PEFT folder; peft loads it on the same base model.

    Raises `InputError` with the reason where the format cannot hold it without loss.
    """
    folder = Path(folder)
    model = predictor.model
    if not isinstance(model, LocalModel) or model.learned is None:
        raise InputError("there is nothing to export to PEFT: this predictor has no learned parts")
    learned = model.learned
    if model.family not in _TASKS:
        raise InputError(
            f"PEFT's prompts are for causal and seq2seq models, and {model.name} is a "
            f"{model.family} one; keep the folder that save() writes"
        )
    if learned.triggers or (learned.vectors is not None and learned.prefix is not None):
        raise InputError(
            "a PEFT folder holds one soft prompt or one prefix; this predictor has trigger tokens "
            "or both of them; keep the folder that save() writes"
        )
    network = model.engine.network
    facts: dict[str, Any] = {
        "base_model_name_or_path": model.name,
        "task_type": _TASKS[model.family],
        "inference_mode": True,
        "num_layers": network.layer_count,
        "num_transformer_submodules": 1,
    }
    if learned.prefix is not None:
        _check_prefix(model)
        tensor = flat_prefix(learned.prefix)
        _, _, heads, count, size = learned.prefix.shape
        facts |= {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": count}
        facts |= {"token_dim": heads * size, "num_attention_heads": heads}
        facts |= {"prefix_projection": False}
    else:
        _check_place(predictor, model)
        assert learned.vectors is not None
        tensor = learned.vectors
        facts |= {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": len(tensor)}
        heads = network.model.config.get_text_config().num_attention_heads
        facts |= {"token_dim": tensor.shape[1], "num_attention_heads": heads}
        facts |= {"prompt_tuning_init": "RANDOM"}
    with atomic_write(folder / WEIGHTS) as partial:
        save_file({TENSOR: tensor.detach().float().cpu().contiguous()}, partial)
    with atomic_write(folder / CONFIG) as partial:
        partial.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return folder


def import_peft(folder: str | Path, model: LocalModel) -> LearnedParts:
    """What a PEFT folder holds: vectors for ``{soft:N}`` at a template's start, or a prefix.

    Raises `InputError` for another kind of adapter, one that does not fit the model, and one that
    no template here reproduces: PEFT reads vectors before a model's start token, templates after.
    """
    folder = Path(folder)
    told = f"{folder} is no PEFT folder with a soft prompt or a prefix"
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).exists():
            raise InputError(f"{told}: it has no {name}; name the folder that PEFT has saved")
    config = read_object(folder / CONFIG, mend=f"{told}; save it again")
    tensors = read_tensors(folder / WEIGHTS)
    kind, count = config.get("peft_type"), config.get("num_virtual_tokens")
    submodules = config.get("num_transformer_submodules") or 1
    tensor = tensors.pop(TENSOR, None)
    if tensor is None or tensor.dim() != 2 or not _is_count(count) or not isinstance(kind, str):
        raise InputError(
            f"{told}: it needs peft_type and a whole num_virtual_tokens in {CONFIG}, and in "
            f"{WEIGHTS} the tensor {TENSOR} with a row for each of these tokens"
        )
    if submodules != 1 or len(tensor) != count:
        raise InputError(
            f"{folder} has {len(tensor)} rows for {count} virtual tokens in {submodules} "
            "submodules; only one submodule can be read"
        )
    _check_rest(folder, config, tensors, model)
    if kind in ("PROMPT_TUNING", "P_TUNING"):
        if model.encoding.before:
            raise InputError(
                f"{folder} holds vectors that PEFT reads before {_before(model)}, with which texts "
                f"of {model.name} begin, and a template's vectors stand behind it, so it would not "
                "be the prompt that was trained; train it here, or use PEFT itself"
            )
        learned = LearnedParts(vectors=tensor, soft=(("0", count),), facts={"from": "peft"})
    elif kind == "PREFIX_TUNING":
        _check_prefix(model)
        shape = model.prefix_shape
        width = None if shape is None else shape[0] * 2 * shape[1] * shape[2]
        if shape is None or tensor.shape[1] != width:
            raise InputError(
                f"{folder} has a prefix of {tensor.shape[1]} numbers a token and {model.name} "
                f"takes {width or 'no prefix'}; use the model it was learned for"
            )
        layers, heads, size = shape
        prefix = tensor.view(count, layers, 2, heads, size).permute(1, 2, 3, 0, 4).contiguous()
        learned = LearnedParts(prefix=prefix, facts={"from": "peft"})
    else:
        raise InputError(
            f"{folder} holds a {kind} adapter; soft prompts and prefixes can be read "
            "(PROMPT_TUNING, P_TUNING, PREFIX_TUNING)"
        )
    model.with_learned_parts(learned)  # refuses what does not fit
    return learned


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_rest(
    folder: Path, config: dict[str, Any], others: dict[str, Any], model: LocalModel
) -> None:
    """Refuse what the prompt's own numbers do not hold: other weights, another sort of model."""
    if others:
        raise InputError(
            f"{folder} holds weights beside the prompt ({sorted(others)[0]} among {len(others)}), "
            "which were trained with it and have no place here; use PEFT itself"
        )
    task, own = config.get("task_type"), _TASKS.get(model.family)
    if task is not None and task != own:
        raise InputError(
            f"{folder} was trained for {task} and {model.name} is a {model.family} model; use the "
            "model it was learned for"
        )


def _check_prefix(model: LocalModel) -> None:
    """Refuse prefixes of decoders that read an encoder: PEFT counts their positions otherwise."""
    if model.family == "seq2seq":
        raise InputError(
            f"{model.name} is an encoder-decoder model, whose decoder counts the places of a "
            "prefix otherwise under PEFT than here, so the same prefix would give other scores; "
            "use it where it was trained"
        )


def _before(model: LocalModel) -> str:
    return " ".join(model.tokenizer.convert_ids_to_tokens(list(model.encoding.before)))


def _check_place(predictor: PromptClassifier | PromptGenerator, model: LocalModel) -> None:
    """Refuse vectors that do not stand as one block at position 0."""
    template = predictor.template
    prompt = template.render(dict.fromkeys(template.fields, "x"))
    blocks = [segment for _, segment in learned_segments(prompt.segments)]
    if len(blocks) != 1 or not isinstance(prompt.segments[0], Soft):
        raise InputError(
            f"a PEFT soft prompt is one block at the very start; this template has {len(blocks)} "
            "learned segments, or words before them; keep the folder that save() writes"
        )
    if prompt.chat:
        raise InputError(
            "a PEFT soft prompt stands before all that is read, and this template's vectors stand "
            "behind the words with which the chat template begins; keep the folder that save() "
            "writes"
        )
    if model.encoding.before:
        raise InputError(
            f"{model.name} puts {_before(model)} before the vectors and PEFT would put it after "
            "them; keep the folder that save() writes"
        )
