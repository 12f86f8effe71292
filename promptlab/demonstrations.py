"""Which solved examples stand in the prompt, and in which order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from promptlab.errors import InputError
from promptlab.example import Example

Order = Literal["random", "grouped", "alternating"]


@dataclass(frozen=True)
class DemonstrationChoice:
    """``count`` demonstrations drawn from the training examples with ``seed``.

    Classes take turns, so counts differ by one at most. ``order`` is *random* (shuffled with the
    seed), *grouped* by label, or *alternating* between labels.
    """

    count: int = 0
    seed: int = 13
    order: Order = "random"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"the number of demonstrations is {self.count}; use 0 or more")
        if self.order not in get_args(Order):
            raise InputError(
                f"unknown order {self.order!r}; it is one of {', '.join(get_args(Order))}"
            )

    def draw(self, examples: Sequence[Example]) -> list[Example]:
        """The chosen examples in order; every one has a label. Raises `InputError` if too few."""
        if not self.count:
            return []
        labelled = [example for example in examples if example.label is not None]
        if len(labelled) < self.count:
            raise InputError(
                f"{self.count} demonstrations are asked for and there are {len(labelled)} "
                "labelled training examples; ask for fewer or give more"
            )
        source = random.Random(self.seed)
        chosen = _turns(labelled, self.count, source)
        if self.order == "grouped":
            chosen.sort(key=lambda example: str(example.label))
        elif self.order == "random":
            source.shuffle(chosen)
        return chosen


def _turns(examples: Sequence[Example], count: int, source: random.Random) -> list[Example]:
    """``count`` examples, one of each class in turn."""
    by_label: dict[str, list[Example]] = {}
    for example in examples:
        by_label.setdefault(str(example.label), []).append(example)
    queues = [by_label[label] for label in sorted(by_label)]
    for queue in queues:
        source.shuffle(queue)
    chosen: list[Example] = []
    while len(chosen) < count:
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return chosen
