"""A private copy of a model whose weights are trained, all of them or low-rank updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from promptlab.engine.network.network import Network
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import TunedWeights, add_lora, changed_tensors, lora_tensors
from promptlab.tuning.parameters import PromptParameters

WeightsName = Literal["full", "lora"]
Targets = Literal["default", "all-linear"]
LARGE = 50_000_000
SPACING = 60.0
"""Checkpoints of more than ``LARGE`` trained numbers are at least so many seconds apart."""


@dataclass(frozen=True)
class LoRAConfig:
    """LoRA (Hu et al. 2022): ``rank`` of the updates, which are scaled by ``alpha`` / ``rank``."""

    rank: int = 8
    alpha: float = 16.0
    targets: Targets = "default"


class TrainableWeights:
    """The trainable weights of ``model``'s copy in fp32; the model itself stays as it is.

    With ``low_rank`` only its updates are trained. The copy runs without dropout, so that a step
    depends on its examples alone.
    """

    def __init__(self, model: LocalModel, low_rank: LoRAConfig | None, *, seed: int) -> None:
        self.original: Network = model.base.engine.network
        self.model = model.trainable_copy()
        self.network: Network = self.model.engine.network
        self._wrapped: Any = None
        self._facts: dict[str, Any] = {}
        if low_rank is None:
            for parameter in self.network.model.parameters():
                parameter.requires_grad_(True)
        else:
            self._wrapped, self._facts = add_lora(
                self.network, low_rank.rank, low_rank.alpha, low_rank.targets, seed=seed
            )

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained; a tied weight once."""
        return [p for p in self.network.model.parameters() if p.requires_grad]

    @property
    def spacing(self) -> float:
        """Seconds between two checkpoints."""
        return SPACING if sum(p.numel() for p in self.parameters) > LARGE else 0.0

    def tuned(self) -> TunedWeights | None:
        """What became of the weights; ``None`` if they are as they were."""
        if self._wrapped is not None:
            return TunedWeights(lora_tensors(self._wrapped), self._facts)
        changed = changed_tensors(self.network, self.original)
        return TunedWeights(changed) if changed else None


class WeightParameters(PromptParameters):
    """The network's own parameters, and the vectors of ``prompt`` (none, fixed, or trained).

    ``soft_scale`` is the vectors' learning rate as a multiple of the weights'; 0 leaves them as
    they are. A checkpoint of it holds the weights.
    """

    def __init__(
        self,
        weights: Sequence[nn.Parameter],
        prompt: PromptParameters | None = None,
        soft_scale: float = 0.0,
    ) -> None:
        if prompt is None:
            super().__init__()
        else:
            super().__init__(soft=prompt.soft, vectors=prompt.vectors_made)
            for parameter in prompt.parameters():
                parameter.requires_grad_(soft_scale > 0)
        self.own = nn.ParameterList(weights)
        self.soft_scale = soft_scale

    @property
    def weights(self) -> Sequence[nn.Parameter]:
        """The network's own parameters."""
        return list(self.own)

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The weights at the learning rate, all else at its multiple."""
        own = {id(parameter) for parameter in self.own}
        others = [p for p in self.parameters() if p.requires_grad and id(p) not in own]
        return [(list(self.own), 1.0), (others, self.soft_scale)]
