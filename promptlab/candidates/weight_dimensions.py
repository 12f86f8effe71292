"""Which of a model's weights are trained: settings, dimensions and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.data.task import Task
from promptlab.errors import DataError
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import check_targets, check_trainable
from promptlab.predictors.candidate import Candidate
from promptlab.tuning.weight_updates import LoRAConfig, Targets

RATES = {"full": 2e-5, "lora": 2e-4}
"""The learning rate that each takes if none is given."""


class WeightSettings(KindSettings):
    """LoRA's settings: ``rank`` (searched), ``alpha`` (twice the rank if not given), ``targets``.

    *default* targets are peft's for the architecture, *all-linear* every linear layer but the
    vocabulary head.
    """

    rank: list[PositiveInt] = Field(default=[8], min_length=1)
    alpha: PositiveFloat | None = None
    targets: Targets = "default"


def default_learning_rates(values: Any, weights: Sequence[str], rates: Mapping[str, float]) -> Any:
    """A section's values with the learning rates that go with ``weights``, if none is given."""
    if not isinstance(values, dict) or "learning_rate" in values:
        return values
    chosen = values.get("weights", weights)
    chosen = chosen if isinstance(chosen, list) else []
    names = list(dict.fromkeys(name for name in chosen if isinstance(name, str)))
    found = list(dict.fromkeys(rates[name] for name in names if name in rates))
    return values | {"learning_rate": found or [rates["full"]]}


def weight_dimensions(
    settings: Any, trial: Trial, prefix: str, labels: list[str]
) -> dict[str, Any]:
    """Which weights are trained, and how low-rank updates are made."""
    weights = suggest_choice(trial, f"{prefix}weights", settings.weights)
    labels.append({"full": "all weights", "lora": "LoRA", "frozen": "frozen"}[weights])
    found: dict[str, Any] = {"weights": weights}
    if weights == "lora":
        rank = suggest_choice(trial, f"{prefix}rank", settings.rank)
        labels.extend([f"rank {rank}"] if len(settings.rank) > 1 else [])
        alpha = settings.alpha or 2.0 * rank
        found["low_rank"] = {"rank": rank, "alpha": alpha, "targets": settings.targets}
    return found


def low_rank(candidate: Candidate) -> LoRAConfig | None:
    """The candidate's low-rank updates; ``None`` where all weights are trained."""
    found = candidate.settings.get("low_rank")
    return None if found is None else LoRAConfig(**found)


def check_weights(settings: Any, model: LocalModel) -> None:
    """Refuse a model whose weights cannot be trained as they are to be."""
    check_trainable(model.engine.network, model.name)
    if "lora" in settings.weights:
        check_targets(model.engine.network, settings.targets)


def check_train(task: Task) -> None:
    """Refuse a task without training examples."""
    if not task.train:
        raise DataError(f"{task.name} has no training examples, and there is something to learn")
