"""Kind *demonstrations*: templates with solved examples: which, how many, in what order, where."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import TemplateKind, TemplateSettings
from promptlab.data.task import FEW_SHOT_SEEDS, Task
from promptlab.errors import StudyError
from promptlab.files.settings import Seed
from promptlab.models.base import LanguageModel
from promptlab.predictors.demonstrations.choice import (
    DemonstrationConfig,
    Order,
    Selection,
    default_order,
    orders_of,
)
from promptlab.predictors.demonstrations.selection import needs_label_scores
from promptlab.predictors.retrieval import Similarity, check_embeds
from promptlab.prompts.template import Placement


class DemonstrationsSettings(TemplateSettings):
    """A template group whose prompts carry ``count`` demonstrations.

    Every list is a dimension. An ``order`` is tried with the selections that it goes with; without
    the key, each selection has its usual one. ``similarity`` is for the selections *nearest* and
    *diverse*; ``seed`` for whatever is drawn.
    """

    count: list[int] = Field(default=[1, 2, 4, 8], min_length=1)
    seed: list[Seed] = Field(default=list(FEW_SHOT_SEEDS), min_length=1)
    order: list[Order] | None = Field(default=None, min_length=1)
    selection: list[Selection] = Field(default=["random"], min_length=1)
    similarity: list[Similarity] = Field(default=["bm25"], min_length=1)
    placement: list[Placement] = Field(default=["before"], min_length=1)
    balanced: bool | None = None
    permutations: int = Field(default=24, ge=1)
    probes: int = Field(default=32, ge=1)


class DemonstrationsKind(TemplateKind):
    """In-context learning (Brown et al. 2020) with a searched choice of demonstrations."""

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
        self.orders: dict[str, list[str]] = {
            selection: self._orders(selection) for selection in settings.selection
        }
        self._check_orders()

    def check(self, model: LanguageModel) -> None:
        """Also: vectors, if demonstrations are to be compared by them."""
        super().check(model)
        compares = {"nearest", "diverse"} & set(self.settings.selection)
        if compares and "embedding" in self.settings.similarity:
            check_embeds(model)

    def _orders(self, selection: str) -> list[str]:
        asked = self.settings.order
        if asked is None:
            return [default_order(selection)]
        return [order for order in asked if order in orders_of(selection)]

    def _check_orders(self) -> None:
        for selection, orders in self.orders.items():
            if not orders:
                raise StudyError(
                    f"order: none of "
                    f"{', '.join(self.settings.order or [])} goes with the selection "
                    f"{selection}; it takes {', '.join(orders_of(selection))}"
                )
        for order in self.settings.order or []:
            if not any(order in orders for orders in self.orders.values()):
                raise StudyError(
                    f"order: {order} goes with none of the selections "
                    f"{', '.join(self.settings.selection)}"
                )
        writing = [n for n, o in self.options.items() if o.parser is not None and o.answers is None]
        scored = [
            *(order for orders in self.orders.values() for order in orders),
            *self.settings.selection,
        ]
        wrong = next(filter(needs_label_scores, scored), None)
        if writing and wrong:
            raise StudyError(
                f"{wrong} goes by the probabilities of labels, and the template {writing[0]!r} has "
                "a parser: its answers are written"
            )

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """count and selection, and what matters for them: similarity, order, seed; placement."""
        settings = self.settings
        found: dict[str, Any] = {"count": suggest_choice(trial, f"{prefix}count", settings.count)}
        selection = suggest_choice(trial, f"{prefix}selection", settings.selection)
        if selection in ("nearest", "diverse"):
            found["similarity"] = suggest_choice(trial, f"{prefix}similarity", settings.similarity)
        found["order"] = self._order(trial, prefix, selection, found["count"])
        found["placement"] = suggest_choice(trial, f"{prefix}placement", settings.placement)
        found |= {"selection": selection, "balanced": settings.balanced}
        found |= {"permutations": settings.permutations, "probes": settings.probes}
        seeds = settings.seed
        if not DemonstrationConfig(**found).uses_seed:
            seeds = seeds[:1]
        choice = DemonstrationConfig(**found, seed=suggest_choice(trial, f"{prefix}seed", seeds))
        labels.append(choice_label(choice))
        return {"demonstrations": changed_settings(choice)}

    def _order(self, trial: Trial, prefix: str, selection: str, count: int) -> Any:
        """The order; one demonstration alone has none, and neither is there a choice of one."""
        orders = self.orders[selection]
        if count == 1:
            return default_order(selection)
        # Orders differ between selections, and a dimension has the same choices in every trial.
        shared = all(orders == other for other in self.orders.values())
        return suggest_choice(trial, f"{prefix}order" + ("" if shared else f".{selection}"), orders)


def changed_settings(choice: DemonstrationConfig) -> dict[str, Any]:
    """The settings of a choice: number, seed and order, and what is not as it is by default."""
    usual = vars(DemonstrationConfig(selection=choice.selection))
    always = ("count", "seed", "order")
    found = {n: v for n, v in vars(choice).items() if n in always or v != usual[n]}
    return found | ({} if choice.selection == "random" else {"selection": choice.selection})


def choice_label(choice: DemonstrationConfig) -> str:
    """A choice in words, without what does not matter."""
    how: list[str] = [] if choice.selection == "random" else [choice.selection]
    if choice.selection in ("nearest", "diverse"):
        how.append(choice.similarity)
    if choice.uses_seed:
        how.append(f"seed {choice.seed}")
    if choice.count > 1:
        how.append(str(choice.order).replace("_", " "))
    if choice.placement == "after":
        how.append("after the input")
    details = f" ({', '.join(how)})" if how else ""
    return f"{choice.count} demonstration{'' if choice.count == 1 else 's'}{details}"
