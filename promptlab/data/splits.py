"""Dividing examples into train, dev and test: seeded, stratified, disjoint by content.

The order of everything here follows from SHA-256 over seed and content, so a split is the same
on every machine and does not depend on the order of the rows in their file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.errors import DataError
from promptlab.files.settings import check_seed

DEV_SHARE, MAX_DEV = 0.3, 500
TEST_SHARE, MAX_TEST = 0.5, 1000

Size = int | float | None
"""Rows of a split: a number, a share in (0, 1), or None for the default."""


def plan_sizes(
    splits: Sequence[str],
    sizes: Mapping[str, Size],
    *,
    rows: int,
    classes: int,
    source: str,
) -> dict[str, int | None]:
    """How many of ``rows`` each of ``splits`` gets, in filling order; None takes the rest.

    Where ``sizes`` says nothing, train takes the rest; dev gets 30 % (at most 500) and test half
    (at most 1,000), both at least a row a class, or the rest when train's size is given. Raises
    `DataError` when there are too few rows, or fewer in a split than there are classes.
    """
    counts = {name: _count(name, sizes.get(name), rows) for name in splits}
    unsized = [name for name in ("train", "test", "dev") if name in splits and not counts[name]]
    rest = unsized[:1]
    for name in unsized[1:]:
        share, most = (TEST_SHARE, MAX_TEST) if name == "test" else (DEV_SHARE, MAX_DEV)
        counts[name] = max(min(round(rows * share), max(most, classes)), 1)
    shown = [f"{name} {counts[name] or f'(at least {classes})'}" for name in splits]
    total = sum(count or classes for count in counts.values())
    if total > rows:
        raise DataError(
            f"{source} has {rows} rows, too few for {' + '.join(shown)} = {total}; ask for "
            "smaller splits or give more rows"
        )
    for name, count in counts.items():
        if count is not None and count < classes:
            raise DataError(
                f"{source}: {name} would get {count} of {rows} rows, too few for {classes} "
                "classes; ask for a larger split or give more rows"
            )
    # test goes first, so that with its size given it is the same for every size of train
    order = [name for name in ("test", "dev", "train") if name in splits and name not in rest]
    return {name: counts[name] for name in (*order, *rest)}


def split_examples(
    examples: Sequence[Example],
    sizes: Mapping[str, int | None],
    *,
    seed: int,
    stratified: bool,
    source: str,
) -> dict[str, tuple[Example, ...]]:
    """Fill the splits of ``sizes`` in its order; if ``stratified``, classes keep their shares.

    Examples with the same fields (apart from case and white space) go to the same split, so a
    split may come out a few rows short where many are the same. Inside a split the order is
    shuffled: its first n rows are a fair sample. Raises `DataError` for a class with fewer
    different rows than there are splits.
    """
    check_seed(seed)
    pools = _pools(examples, seed, stratified)
    rare = {label: len(groups) for label, groups in pools.items() if len(groups) < len(sizes)}
    if rare:
        raise DataError(_too_rare(rare, len(sizes), source))
    totals = {label: sum(map(len, groups)) for label, groups in pools.items()}
    splits: dict[str, tuple[Example, ...]] = {}
    for done, (name, size) in enumerate(sizes.items(), start=1):
        spare = len(sizes) - done  # groups of each class to leave for the splits to come
        taken: list[Example] = []
        for label, quota in _quotas(size, totals).items():
            taken += _take(pools[label], quota, spare)
        splits[name] = tuple(_shuffled(taken, seed))
    return splits


def _too_rare(rare: Mapping[str, int], splits: int, source: str) -> str:
    """What to do about classes that cannot stand in every split."""
    first, count = next(iter(rare.items()))
    if not first:
        return (
            f"{source}: it has {count} different rows, but {splits} splits need one each; add rows"
        )
    told = ", ".join(f"{label!r} ({found})" for label, found in list(rare.items())[:5])
    more = f", and {len(rare) - 5} more" if len(rare) > 5 else ""
    what = (
        f"the class {first!r} has {count} different rows"
        if len(rare) == 1
        else f"{len(rare)} classes have too few different rows: {told}{more}"
    )
    return (
        f"{source}: {what}, but {splits} splits need at least one each; add rows, merge the class "
        f"with another one (labels: {{{json.dumps(first)}: OTHER}}), or leave it out (labels: "
        f"{{{json.dumps(first)}: null}}, or min_rows: {splits} for all that are so rare)"
    )


def draw_few_shot(
    examples: Iterable[Example], k: int, *, seed: int, classes: Sequence[str], source: str
) -> tuple[Example, ...]:
    """``k`` examples of each of ``classes`` (``k`` in all when there are none), shuffled."""
    check_seed(seed)
    if k < 1:
        raise DataError(f"k is {k}; a draw needs at least one example a class")
    members: dict[str, list[Example]] = {label: [] for label in classes or ("",)}
    for example in _shuffled(examples, seed):
        members[example.label or "" if classes else ""].append(example)
    for label, found in members.items():
        if len(found) < k:
            raise DataError(
                f"{source}: a draw of k={k} examples a class is asked for, but train has "
                f"{len(found)}{f' of the class {label!r}' if label else ''}; lower k or enlarge "
                "train"
            )
    return tuple(_shuffled((e for found in members.values() for e in found[:k]), seed))


def remove_shared_texts(
    pools: dict[str, list[Example]],
    paths: Mapping[str, str],
    overlap: Literal["refuse", "drop"],
) -> list[str]:
    """Make sure that no text stands in two sources; train gives way to dev, dev to test.

    Test stays whole, so that its figures can be compared with those of others. Returns what was
    left out, a sentence for each source; raises `DataError` instead if ``overlap`` is refuse.
    """
    held: dict[str, str] = {}
    told: list[str] = []
    for split in [name for name in ("test", "dev", "train") if name in pools]:
        kept: list[Example] = []
        shared: list[Example] = []
        for example in pools[split]:
            (shared if text_key(example) in held else kept).append(example)
        if shared:
            other = paths[held[text_key(shared[0])]]
            if overlap == "refuse":
                raise DataError(
                    f"{paths[split]}: {len(shared)} of its rows also stand in {other}, the first "
                    f"is {shared[0].id}; remove them from one of the files, or leave them out "
                    'with overlap="drop"'
                )
            told.append(
                f"{paths[split]}: {len(shared):,} of its {len(pools[split]):,} rows have a text "
                f"that also stands in {other} (the first is {shared[0].id}); they are left out of "
                f"{split}"
            )
        pools[split] = kept
        held |= dict.fromkeys(map(text_key, kept), split)
    return told


def _count(name: str, size: Size, rows: int) -> int | None:
    if size is None:
        return None
    if isinstance(size, float) and 0 < size < 1:
        return max(round(rows * size), 1)
    if isinstance(size, bool) or size != int(size) or size < 1:
        raise DataError(f"{name} is {size}; give a number of rows, or a share between 0 and 1")
    return int(size)


def _rank(seed: int, content: str) -> str:
    return hashlib.sha256(f"{seed}\n{content}".encode()).hexdigest()


def _order_key(example: Example) -> str:
    """What the shuffled order follows from: the fields without case and runs of white space."""
    parts = (f"{name}\x1e{' '.join(text.split())}" for name, text in sorted(example.fields.items()))
    return "\x1f".join(parts).casefold()


def _shuffled(examples: Iterable[Example], seed: int) -> list[Example]:
    return sorted(examples, key=lambda e: (_rank(seed, _order_key(e)), e.id))


def _pools(
    examples: Sequence[Example], seed: int, stratified: bool
) -> dict[str, list[list[Example]]]:
    """Groups of examples with the same content, by class if ``stratified``, in shuffled order."""
    groups: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[text_key(example)].append(example)
    pools: defaultdict[str, list[list[Example]]] = defaultdict(list)
    for group in sorted(groups.values(), key=lambda g: min(_rank(seed, _order_key(e)) for e in g)):
        # the same text under two labels counts for the commoner one
        label = Counter(e.label or "" for e in group).most_common(1)[0][0]
        pools[label if stratified else ""].append(group)
    return dict(sorted(pools.items()))


def _quotas(size: int | None, totals: Mapping[str, int]) -> dict[str, int | None]:
    """``size`` shared out in proportion to the classes, at least one each; None takes all."""
    if size is None:
        return dict.fromkeys(totals)
    rows = sum(totals.values())
    exact = {label: size * total / rows for label, total in totals.items()}
    quotas = {label: max(int(share), 1) for label, share in exact.items()}
    missing = size - sum(quotas.values())
    by_remainder = sorted(exact, key=lambda label: (quotas[label] - exact[label], label))
    for turn in range(abs(missing)):
        if missing > 0:
            quotas[by_remainder[turn % len(quotas)]] += 1
        else:  # the floor of one row took too much: take it back from the largest class
            quotas[max(quotas, key=lambda label: quotas[label])] -= 1
    return dict(quotas)


def _take(groups: list[list[Example]], quota: int | None, spare: int) -> list[Example]:
    """Remove up to ``quota`` rows from the groups, whole groups only, leaving ``spare`` of them."""
    taken: list[Example] = []
    left: list[list[Example]] = []
    for position, group in enumerate(groups):
        enough = len(left) + len(groups) - position > spare
        if enough and (quota is None or len(taken) + len(group) <= quota):
            taken += group
        else:
            left.append(group)
    if not taken and len(left) > spare:  # only large groups: one of them, not none
        taken = min(left, key=len)
        left.remove(taken)
    groups[:] = left
    return taken
