"""NaN and infinity: detected in the outputs of a network, and traced to where they begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from promptlab.errors import NotFiniteError

MAX_FLOAT16 = 65504
"""The largest number that float16 holds."""


def is_finite(tensor: Tensor) -> bool:
    """Whether every number of a tensor is one, in one pass over it."""
    if not tensor.numel() or not tensor.is_floating_point():
        return True
    try:
        least, most = torch.aminmax(tensor.detach())
    except (RuntimeError, NotImplementedError):  # formats of eight bits have no such function
        least, most = torch.aminmax(tensor.detach().float())
    return bool(torch.isfinite(least) & torch.isfinite(most))


def has_finite_rows(logits: Tensor) -> bool:
    """Whether rows of logits make probabilities: one word or another may be masked out (-inf)."""
    return not logits.numel() or bool(torch.isfinite(logits.amax(-1)).all())


def first_non_finite_weight(model: nn.Module) -> tuple[str, Tensor] | None:
    """The first parameter that holds NaN or infinity, with its name; ``None`` if none does.

    -inf in the bias of the vocabulary head is no fault: it masks words out.
    """
    head: Any = getattr(model, "get_output_embeddings", lambda: None)()
    masking = getattr(head, "bias", None)
    for name, tensor in model.named_parameters():
        if is_finite(tensor):
            continue
        if tensor is masking and not bool((torch.isnan(tensor) | (tensor == torch.inf)).any()):
            continue
        return name, tensor
    return None


def not_finite_error(
    model: Any, name: str, what: str, inputs: Mapping[str, Any], vectors: Tensor | None = None
) -> NotFiniteError:
    """The error for ``what`` the model called ``name`` has given, with where it begins.

    ``inputs`` are those of the forward that gave it, ``vectors`` what its virtual tokens stood
    for. The forward is run once more, module by module.
    """
    begun = f"{name} computes no finite number for {what}: "
    if vectors is not None and not is_finite(vectors):
        return NotFiniteError(f"{begun}the learned vectors hold NaN or infinity; learn them anew")
    if (found := first_non_finite_weight(model)) is not None:
        return NotFiniteError(
            f"{begun}its weight {found[0]} holds NaN or infinity; save or download the model again"
        )
    if any(not is_finite(tensor) for value in inputs.values() for tensor in _states(value)):
        begun += "the keys and values that it continues from hold NaN or infinity; "
    place = _first_module(model, inputs)
    where = "" if place is None else f"they begin in {place[0]} ({place[1]}); "
    dtype = next(model.parameters()).dtype
    if dtype == torch.float16:
        mend = f"float16 overflows beyond {MAX_FLOAT16}: use --dtype bfloat16 or float32"
    elif dtype == torch.float32:
        mend = "look at its weights (a word may be masked out by -inf), or use other answers"
    else:
        mend = "try --dtype float32, or look at its weights"
    return NotFiniteError(f"{begun}{where}{mend}")


def _states(value: Any) -> Iterator[Tensor]:
    """The keys and values in an argument of a forward."""
    for part in (value, *(getattr(value, f"{side}_attention_cache", None) for side in _SIDES)):
        for layer in getattr(part, "layers", None) or ():
            for name in ("keys", "values"):
                if isinstance(tensor := getattr(layer, name, None), Tensor):
                    yield tensor


_SIDES = ("self", "cross")


def _first_module(model: nn.Module, inputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """Name and class of the first module whose output is no number any more."""
    found: list[tuple[str, str]] = []
    with _watched(model, found), torch.no_grad():
        try:
            model(**inputs)
        except Exception:
            return found[0] if found else None
    return found[0] if found else None


@contextmanager
def _watched(model: nn.Module, found: list[tuple[str, str]]) -> Iterator[None]:
    hooks = []
    for name, module in model.named_modules():

        def look(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
            if not found and any(_is_broken(tensor) for tensor in _tensors(output)):
                found.append((name or "the whole model", type(module).__name__))

        hooks.append(module.register_forward_hook(look))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_broken(tensor: Tensor) -> bool:
    """Whether there is NaN or infinity in it; masks are made of -inf."""
    return not is_finite(tensor) and bool((torch.isnan(tensor) | (tensor == torch.inf)).any())


def _tensors(output: Any) -> Iterable[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, Mapping) else output
    if not isinstance(parts, tuple | list) and not isinstance(output, Mapping):
        return []
    return [part for part in parts if isinstance(part, Tensor)]
