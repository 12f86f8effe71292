"""Weights that were trained for a model: all that changed, or low-rank updates (LoRA)."""

from __future__ import annotations

import gc
import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from promptlab.compat.peft import has_default_targets
from promptlab.engine.network.network import Network
from promptlab.errors import CapabilityError, InputError
from promptlab.files.cache import atomic_write
from promptlab.models.checkpoints.tensor_file import read_tensors

FILE = "weights.safetensors"
LORA_FACTS = ("r", "lora_alpha", "target_modules", "bias", "fan_in_fan_out", "peft_type")
"""What is kept of peft's configuration: all that the merged weights depend on."""
_PEFT = "base_model.model."
"""What peft puts before a module's name."""


@dataclass(frozen=True, eq=False)
class TunedWeights:
    """``tensors`` in fp32 under the model's own names, or under peft's with ``lora``, its facts.

    They are put into a copy of the model in fp32, as which they were trained.
    """

    tensors: Mapping[str, Tensor]
    lora: Mapping[str, Any] | None = None

    @cached_property
    def key(self) -> str:
        """Content hash of the tensors and of how they are merged."""
        digest = hashlib.sha256(json.dumps(self.lora, sort_keys=True).encode())
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:24]

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors``, whole or not at all."""
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        with atomic_write(folder / FILE) as partial:
            save_file(kept, partial, metadata={"format": "pt"})

    @classmethod
    def load(cls, folder: Path, lora: Mapping[str, Any] | None) -> TunedWeights:
        """What `save` wrote. Raises `InputError` for a file that is damaged or holds no numbers."""
        return cls(read_tensors(folder / FILE), lora)

    def check(self, network: Network, name: str) -> None:
        """Raise `InputError` with both shapes when a tensor does not fit the model ``name``."""
        expected = _shapes(network.model)
        if self.lora is not None:
            expected = _low_rank_shapes(network.model, int(self.lora["r"]))
        for place, tensor in self.tensors.items():
            wanted = expected.get(place)
            if wanted is None:
                raise InputError(
                    f"the tuned weights have a tensor {place} and {name} has none of that name "
                    "(fewer layers, or another architecture); use the model they were tuned on"
                )
            if wanted != tuple(tensor.shape):
                raise InputError(
                    f"the tuned weights' {place} has the shape {tuple(tensor.shape)} and {name} "
                    f"has {wanted} there; use the model they were tuned on"
                )

    def merge_into(self, network: Network) -> Network:
        """A private copy of ``network`` with these weights in it; `check` comes first."""
        made = network.trainable_copy()
        if self.lora is not None:
            _merge(made, self)
            return made
        parameters = dict(made.model.named_parameters(remove_duplicate=False))
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                parameters[name].copy_(tensor)
        return made


def check_trainable(network: Network, name: str) -> None:
    """Raise `CapabilityError` for weights that no gradient can change (quantised ones)."""
    quantised = getattr(network.model, "is_quantized", False)
    if quantised or not all(p.is_floating_point() for p in network.model.parameters()):
        raise CapabilityError(
            f"the weights of {name} are quantised, so they cannot be trained; use a model with "
            "floating-point weights"
        )


def check_targets(network: Network, targets: str) -> None:
    """Raise `InputError` for an architecture that peft has no *default* layers for."""
    architecture = str(network.model.config.model_type)
    if targets == "default" and not has_default_targets(architecture):
        raise InputError(
            f"peft has no default layers for low-rank updates of the architecture {architecture}; "
            "set targets: all-linear"
        )


def add_lora(
    network: Network, rank: int, alpha: float, targets: str, *, seed: int
) -> tuple[Any, dict[str, Any]]:
    """Put low-rank updates into a private network: peft's model around it, and its facts.

    ``targets``: *default* are peft's for the architecture, *all-linear* every linear layer but
    the vocabulary head. Raises `InputError` for an architecture that peft has no default for.
    """
    from peft import LoraConfig, get_peft_model

    check_targets(network, targets)
    chosen = None if targets == "default" else targets
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=chosen, lora_dropout=0.0)  # type: ignore[arg-type]
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(seed)
        wrapped = get_peft_model(network.model, config)
    facts = wrapped.peft_config["default"].to_dict()
    kept = {key: facts[key] for key in LORA_FACTS}
    kept["target_modules"] = sorted(kept["target_modules"])
    kept["peft_type"] = str(getattr(kept["peft_type"], "value", kept["peft_type"]))
    return wrapped.eval(), kept


def lora_tensors(wrapped: Any) -> dict[str, Tensor]:
    """The low-rank tensors of a peft model under peft's names, copied."""
    from peft import get_peft_model_state_dict

    return {
        name: tensor.detach().cpu().float().clone()
        for name, tensor in get_peft_model_state_dict(wrapped).items()
    }


def changed_tensors(network: Network, original: Network) -> dict[str, Tensor]:
    """The parameters that differ from the original's, copied; a tied one under its first name."""
    before = dict(original.model.named_parameters(remove_duplicate=False))
    return {
        name: parameter.detach().cpu().clone()
        for name, parameter in network.model.named_parameters()
        if not torch.equal(parameter, before[name].to(parameter))
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """peft warns of layers stored transposed (GPT-2's), and of its own use of old names."""
    with warnings.catch_warnings():
        for category in (UserWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def free_memory() -> None:
    """Give back the memory of copies nobody holds: hooks and networks hold each other."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _merge(network: Network, weights: TunedWeights) -> None:
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    facts = {k: v for k, v in (weights.lora or {}).items() if k in LORA_FACTS and k != "peft_type"}
    with _quiet():
        wrapped = get_peft_model(network.model, LoraConfig(**facts))
    set_peft_model_state_dict(wrapped, dict(weights.tensors))
    wrapped.merge_and_unload()
    for parameter in network.model.parameters():
        parameter.requires_grad_(False)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(parameter.shape)
        for name, parameter in model.named_parameters(remove_duplicate=False)
    }


def _low_rank_shapes(model: Any, rank: int) -> dict[str, tuple[int, ...]]:
    """The shapes of all low-rank tensors that there may be, by peft's names."""
    found: dict[str, tuple[int, ...]] = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() != 2:
            continue
        linear = isinstance(module, nn.Linear)
        out, into = (int(n) for n in (weight.shape if linear else weight.shape[::-1]))
        found[f"{_PEFT}{name}.lora_A.weight"] = (rank, into)
        found[f"{_PEFT}{name}.lora_B.weight"] = (out, rank)
    return found
