"""Drawing examples so that the classes take turns."""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptlab.data.example import Example
from promptlab.errors import InputError


def require_labelled(examples: Sequence[Example], count: int) -> list[Example]:
    """The examples that have a label. Raises `InputError` if they are fewer than ``count``."""
    labelled = [example for example in examples if example.label is not None]
    if len(labelled) < count:
        raise InputError(
            f"{count} demonstrations are asked for and there are {len(labelled)} "
            "labelled training examples; ask for fewer or give more"
        )
    return labelled


def sample_examples(
    examples: Sequence[Example], count: int, seed: int, *, balanced: bool
) -> tuple[list[Example], random.Random]:
    """``count`` random examples, and the source of randomness as the draw has left it.

    With ``balanced`` the labels take turns; of more labels than ``count``, as open answers are,
    some are drawn.
    """
    source = random.Random(seed)
    if not balanced:
        return source.sample(list(examples), count), source
    queues = group_by_label(examples)
    for queue in queues:
        source.shuffle(queue)
    if len(queues) > count:
        source.shuffle(queues)
    return round_robin([queue[::-1] for queue in queues], count), source


def group_by_label(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of each label, labels in alphabetical order."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(str(example.label), []).append(example)
    return [groups[label] for label in sorted(groups)]


def round_robin(queues: Sequence[Sequence[Example]], count: int) -> list[Example]:
    """``count`` examples (all if there are fewer), one of each queue in turn, from its front."""
    longest = max(map(len, queues), default=0)
    rounds = [queue[place] for place in range(longest) for queue in queues if place < len(queue)]
    return rounds[:count]


def evenly_spaced(examples: Sequence[Example], count: int) -> list[Example]:
    """``count`` examples at even distances, so that sorted ones are represented, too."""
    if len(examples) <= count:
        return list(examples)
    return [examples[place * len(examples) // count] for place in range(count)]
