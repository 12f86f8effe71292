"""Small trainees, and how they are trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promptlab.models.local import LocalModel

Fresh = Callable[..., LocalModel]
OPTIONS: dict[str, Any] = {
    "steps": 12,
    "evaluate_every": 3,
    "batch_size": [4],
    "learning_rate": [0.05],
    "patience": 99,
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"name": "p_tuning", "hidden": 8},
    {"members": [2], "weight_decay": [0.1]},
    {"name": "prefix", "text": "{soft:2} {text} It was {mask}", "length": [3]},
]


def learned_by(predictor: Any) -> Any:
    return predictor.model.learned
