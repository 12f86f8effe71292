"""Kind *demonstrations*: templates with solved examples in front, their number, seed and order."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from promptlab.demonstrations import Order
from promptlab.errors import StudyError
from promptlab.kinds.dimensions import choose
from promptlab.kinds.kind import KindSettings, Trial
from promptlab.kinds.template import TemplateKind, TemplateSettings
from promptlab.task import FEW_SHOT_SEEDS, Task


class DemonstrationsSettings(TemplateSettings):
    """A template group whose prompts carry ``count`` demonstrations drawn with ``seed``."""

    count: list[int] = Field(default=[1, 2, 4, 8], min_length=1)
    seed: list[int] = Field(default=list(FEW_SHOT_SEEDS), min_length=1)
    order: list[Order] = Field(default=["random"], min_length=1)


class DemonstrationsKind(TemplateKind):
    """In-context learning (Brown et al. 2020) with a searched number, draw and order."""

    name: ClassVar[str] = "demonstrations"
    Settings: ClassVar[type[KindSettings]] = DemonstrationsSettings
    settings: DemonstrationsSettings

    def __init__(self, settings: DemonstrationsSettings, task: Task) -> None:
        super().__init__(settings, task)
        for count in settings.count:
            if not 0 < count <= len(task.train):
                raise StudyError(
                    f"{count} demonstrations are asked for and there are {len(task.train)} "
                    "training examples; use a count from 1 to that"
                )

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        count = choose(trial, f"{prefix}count", self.settings.count)
        seed = choose(trial, f"{prefix}seed", self.settings.seed)
        order = choose(trial, f"{prefix}order", self.settings.order)
        labels.append(f"{count} demonstrations (seed {seed}, {order})")
        return {"demonstrations": {"count": count, "seed": seed, "order": order}}
