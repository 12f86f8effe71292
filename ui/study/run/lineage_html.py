"""Where written instructions came from: a tree that grows while the study runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import promptlab as pl
from promptlab.study import LineageNode, group_by_parent

from ...components.html import card, chip, error, join_markup, note
from ...components.markup import Markup

_Tree = Mapping[int | None, Sequence[LineageNode]]
_MARKS = {"removed": "<del>{}</del> ", "added": "<ins>{}</ins> ", "kept": "{} "}


@lru_cache(maxsize=32)
def lineage_panel(folder: str, moment: str) -> str:
    """The lineage of a study; empty where no instruction was written.

    ``moment`` is another text whenever there is something new, so that predictions are read again
    for that alone.
    """
    try:
        nodes = pl.Study(folder).lineage()
    except pl.PromptlabError as problem:
        return str(error(str(problem)))
    return str(lineage_html(nodes)) if nodes else ""


def lineage_html(nodes: Sequence[LineageNode]) -> Markup:
    """The tree: every proposal under its first parent, with its diff and why it was kept."""
    tree = group_by_parent(nodes)
    told = note(
        "Words that the first parent had and this one has not are struck out, new ones underlined. "
        "A paired test compares it with that parent, else with what was given."
    )
    return card("Lineage", Markup("{}{}").format(told, _branches(None, tree)))


def _branches(parent: int | None, tree: _Tree) -> Markup:
    children = tree.get(parent) or ()
    if not children:
        return Markup("")
    return Markup('<ul class="pl-lineage">{}</ul>').format(
        join_markup(_branch(node, tree) for node in children)
    )


def _branch(node: LineageNode, tree: _Tree) -> Markup:
    value = "" if node.value is None else f" · {node.value:.3f}"
    made = f" from {' and '.join(map(str, node.parents))}" if node.parents else ""
    shown = f"shows {', '.join(node.demonstrations)}; " if node.demonstrations else ""
    instead = f"; instead of {node.instead_of}" if node.instead_of else ""
    return Markup("<li><b>trial {}{}</b> {}{} {}<p>{}</p>{}{}</li>").format(
        node.trial, value, node.method, made,
        chip("winner", "pl-good") if node.is_winner else "",
        _words(node), note(f"{shown}{node.status}{instead}"), _branches(node.trial, tree),
    )  # fmt: skip


def _words(node: LineageNode) -> Markup:
    if not node.changes:
        return Markup("{}").format(node.instruction)
    return join_markup(Markup(_MARKS[one.kind]).format(one.text) for one in node.changes)
