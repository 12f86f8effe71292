"""Drawing examples so that the classes take turns."""

from __future__ import annotations

import random
from collections import Counter
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
    """``count`` examples at even distances, so that sorted ones are represented, too.

    Where even distances pass over a label (labels that alternate do so in step with them), each
    label has its share of the count, one at the least, at even distances among its own examples.
    Of more labels than ``count``, as open answers are, no label is owed an example.

    Args:
        examples: Examples in any order.
        count: How many are wanted; all are taken if there are no more.

    Returns:
        The chosen ones in their order.

    Example:
        >>> rows = [pl.Example(str(n), {"text": "x"}, "ab"[n % 2]) for n in range(8)]
        >>> [row.id for row in evenly_spaced(rows, 4)]
        ['0', '1', '4', '5']
    """
    if len(examples) <= count:
        return list(examples)
    places = [place * len(examples) // count for place in range(count)]
    labels = [example.label for example in examples]
    if not len({labels[place] for place in places}) < len(set(labels)) <= count:
        return [examples[place] for place in places]
    chosen: list[int] = []
    for label, share in _label_shares(labels, count).items():
        own = [place for place, other in enumerate(labels) if other == label]
        chosen += [own[number * len(own) // share] for number in range(share)]
    return [examples[place] for place in sorted(chosen)]


def _label_shares(labels: Sequence[str | None], count: int) -> dict[str | None, int]:
    """How many of ``count`` each label has: its share by largest remainders, one at the least."""
    sizes = Counter(labels)
    spare = count - len(sizes)
    # Beyond the one that each has, the rest goes by what a label's size leaves wanting.
    exact = {label: count * size / len(labels) for label, size in sizes.items()}
    shares = dict.fromkeys(sizes, 1)
    for _ in range(spare):
        open_labels = [label for label in sizes if shares[label] < sizes[label]]
        shares[max(open_labels, key=lambda label: exact[label] - shares[label])] += 1
    return shares
