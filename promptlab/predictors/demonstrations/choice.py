"""Which solved examples stand in the prompt, in which order, and where."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.files.settings import check_seed
from promptlab.predictors.demonstrations.sampling import (
    group_by_label,
    require_labelled,
    round_robin,
    sample_examples,
)
from promptlab.predictors.retrieval import Similarity
from promptlab.prompts.template import Placement


def order_examples(
    chosen: Sequence[Example], order: str, source: random.Random | int, train: Sequence[Example]
) -> list[Example]:
    """The chosen examples in an order that needs no model.

    ``source`` shuffles for *random* (an integer seeds one), ``train`` is what *given* goes by;
    for *nearest_last* and *nearest_first* the nearest stands first among ``chosen``. Any other
    order leaves them as they are.
    """
    found = list(chosen)
    if order == "grouped":
        found.sort(key=lambda example: str(example.label))
    elif order == "alternating":
        found = round_robin(group_by_label(found), len(found))
    elif order == "given":
        places = {id(example): place for place, example in enumerate(train)}
        found.sort(key=lambda example: places[id(example)])
    elif order == "nearest_last":
        found.reverse()
    elif order == "random":
        (random.Random(source) if isinstance(source, int) else source).shuffle(found)
    return found


def sample_orders(count: int, limit: int, seed: int) -> list[tuple[int, ...]]:
    """All orders of ``count`` things, or a seeded draw of ``limit`` different ones.

    The given order comes first.
    """
    if math.factorial(min(count, 20)) <= limit:
        return list(itertools.permutations(range(count)))
    source = random.Random(seed)
    found = {tuple(range(count)): None}
    while len(found) < limit:
        found[tuple(source.sample(range(count), count))] = None
    return list(found)


Selection = Literal["random", "nearest", "diverse", "bootstrapped", "confident", "first"]
Order = Literal[
    "random",
    "grouped",
    "alternating",
    "given",
    "nearest_last",
    "nearest_first",
    "global_entropy",
    "local_entropy",
    "searched",
]

MODEL_SCORED_ORDERS = ("global_entropy", "local_entropy", "searched")
"""Orders for which several are tried with the model when the predictor is fitted."""
PER_INPUT_ORDERS = ("nearest_last", "nearest_first")
"""Orders by likeness to the input, for demonstrations that every input has of its own."""


@dataclass(frozen=True)
class DemonstrationConfig:
    """How demonstrations are chosen among the training examples, ordered and placed.

    Args:
        count: How many demonstrations stand in a prompt.
        seed: Seeds what is drawn, and the *random* order.
        order: *random*, *grouped* by label, *alternating* between labels, or *given* (as among
            the training examples). For *nearest* also *nearest_last* and *nearest_first*. For the
            other selections also *global_entropy* and *local_entropy* (Lu et al. 2022), and
            *searched*, which makes the right labels of other training examples likeliest. Unless
            given *nearest_last* for *nearest*, *given* for *first*, and *random* for the others.
        selection: *random*; *nearest* to each input; *diverse* (one set that covers the training
            examples best); *bootstrapped* (drawn among those that the model answers rightly by
            itself); *confident* (those of them that it is surest of); or the *first* ones.
        similarity: What *nearest* goes by, *bm25* or *embedding*.
        balanced: Whether classes take turns, so that their counts differ by one at most. Unless
            given so for all selections but *nearest* and *first*.
        placement: *before* or *after* the input, as in `Template.render`.
        permutations: How many orders *global_entropy*, *local_entropy* and *searched* try at most.
        probes: How many other training examples *searched* judges an order by.

    Raises:
        InputError: For a negative count, an unknown name, or an order that does not go with the
            selection.

    Example:
        >>> DemonstrationConfig(4, selection="nearest").order
        'nearest_last'
        >>> DemonstrationConfig(4, selection="first").uses_seed
        False
    """

    count: int = 0
    seed: int = 13
    order: Order | None = None
    selection: Selection = "random"
    similarity: Similarity = "bm25"
    balanced: bool | None = None
    placement: Placement = "before"
    permutations: int = 24
    probes: int = 32

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.count < 0:
            raise InputError(f"the number of demonstrations is {self.count}; use 0 or more")
        _check_choice("selection", self.selection, get_args(Selection))
        _check_choice("similarity", self.similarity, get_args(Similarity))
        _check_choice("placement", self.placement, get_args(Placement))
        if self.order is None:
            object.__setattr__(self, "order", default_order(self.selection))
        if self.balanced is None:
            object.__setattr__(self, "balanced", self.selection not in ("nearest", "first"))
        _check_choice("order", str(self.order), get_args(Order))
        if self.order not in orders_of(self.selection):
            raise InputError(
                f"the order {self.order} does not go with the selection {self.selection}: "
                + (
                    "every input has demonstrations of its own there; use nearest_last, "
                    "nearest_first, random, grouped, alternating or given"
                    if self.per_input
                    else "its demonstrations are the same for every input; use an order without "
                    "nearest, or the selection nearest"
                )
            )
        for name in ("permutations", "probes"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; use 1 or more")

    @property
    def per_input(self) -> bool:
        """Whether every input has demonstrations of its own."""
        return self.selection == "nearest"

    @property
    def uses_seed(self) -> bool:
        """Whether another seed can make another prompt."""
        if self.selection in ("random", "bootstrapped"):
            return True
        if self.count < 2:
            return False
        sampled = math.factorial(min(self.count, 20)) > self.permutations
        return self.order == "random" or (self.order in MODEL_SCORED_ORDERS and sampled)

    def draw(self, examples: Sequence[Example]) -> list[Example]:
        """The chosen examples in order, for selections and orders that need no model.

        Every one has a label. Raises `InputError` if there are too few, or a model is needed.
        """
        if not self.count:
            return []
        if self.selection not in ("random", "first") or self.order in MODEL_SCORED_ORDERS:
            raise InputError(
                f"selection {self.selection} in order {self.order} needs a fitted predictor; fit "
                "one, or use selection random and another order"
            )
        labelled = require_labelled(examples, self.count)
        if self.selection == "first":
            return order_examples(labelled[: self.count], str(self.order), self.seed, labelled)
        chosen, source = sample_examples(
            labelled, self.count, self.seed, balanced=bool(self.balanced)
        )
        return order_examples(chosen, str(self.order), source, labelled)


def default_order(selection: str) -> Order:
    """The order of a selection for which none is asked for."""
    defaults: dict[str, Order] = {"nearest": "nearest_last", "first": "given"}
    return defaults.get(selection, "random")


def orders_of(selection: str) -> tuple[str, ...]:
    """The orders that go with a selection."""
    left_out = MODEL_SCORED_ORDERS if selection == "nearest" else PER_INPUT_ORDERS
    return tuple(order for order in get_args(Order) if order not in left_out)


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"unknown {name} {value!r}; it is one of {', '.join(known)}")
