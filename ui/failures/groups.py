"""What failures have in common, as cards to pick from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptlab.evaluation import FailureLog, cluster_failures

from ..components.html import chip, join_markup, note
from ..components.markup import Markup

NONE = "none"
WAYS = [("no groups", NONE), ("words", "words"), ("confusion", "confusion"), ("kind", "kind")]
_TYPICAL = 2
_LONGEST = 120


def group_failures(failures: Sequence[Any], by: str) -> list[Any]:
    """The groups, the largest first; none for `NONE`."""
    if by == NONE or not failures:
        return []
    way: Any = by  # the core checks it
    return list(cluster_failures(failures, by=way))


@lru_cache(maxsize=16)
def group_logged_failures(folder: Path, written: int, by: str) -> tuple[Any, ...]:
    """The groups of a study's log as it was ``written`` (`log.stamp`); words take a while."""
    return tuple(group_failures(FailureLog(folder).failures, by))


def groups_html(clusters: Sequence[Any], shown: int | None = None) -> Markup:
    """A card a group; picking one again shows everything."""
    if not clusters:
        return Markup("")
    most = max(len(cluster.failures) for cluster in clusters)
    total = sum(len(cluster.failures) for cluster in clusters)
    cards = join_markup(
        _card(number, cluster, most, number == shown) for number, cluster in enumerate(clusters)
    )
    told = f"{len(clusters)} group{'' if len(clusters) == 1 else 's'} of {total} failures. "
    told += "Choose one to see its failures alone, once more to see all."
    return Markup('{}<div class="pl-clusters" role="group" aria-label="Groups">{}</div>').format(
        note(told), cards
    )


def _card(number: int, cluster: Any, most: int, shown: bool) -> Markup:
    count = len(cluster.failures)
    words = join_markup(chip(word) for word in cluster.words)
    lines = [" | ".join(one.fields.values()) for one in cluster.failures[:_TYPICAL]]
    typical = join_markup(
        Markup("<q>{}</q>").format(line if len(line) <= _LONGEST else line[:_LONGEST] + "…")
        for line in lines
        if line
    )
    expected, actual = cluster.confusion
    confused = f"{expected} → {actual}: {cluster.confused} of {count}"
    return Markup(
        '<button type="button" class="pl-cluster" data-pick="{}" aria-current="{}">'
        '<b>{}<small>{}</small></b><span class="pl-bar-track"><span style="width:{:.1f}%">'
        "</span></span><span>{}</span><span>{}</span>{}</button>"
    ).format(
        number,
        "true" if shown else "false",
        cluster.title,
        count,
        100 * count / most,
        words,
        confused,
        typical,
    )
