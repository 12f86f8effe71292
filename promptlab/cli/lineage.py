"""``promptlab study lineage``: where written instructions came from, as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import RUNS, Runs, study_folder
from promptlab.cli.output import Json, console, print_json, printable

if TYPE_CHECKING:
    from promptlab.study.lineage import LineageNode


def lineage(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Where every written instruction came from, how it differs, and why it was kept or dropped."""
    from promptlab.errors import StudyError
    from promptlab.study.lineage import group_by_parent
    from promptlab.study.study import Study

    folder = study_folder(study, runs)
    nodes = Study(folder).lineage()
    if not nodes:
        raise StudyError(
            f"no instruction was written in the study in {folder}: that is what the kind "
            "instruction_search and `promptlab improve` do"
        )
    if as_json:
        print_json([node.row() for node in nodes])
        return
    _print_tree(group_by_parent(nodes))


def _print_tree(children: Mapping[int | None, Sequence[LineageNode]]) -> None:
    from rich.tree import Tree

    for root in children.get(None, ()):
        tree = Tree(_label(root))
        _add_children(tree, root, children)
        console().print(tree)


def _add_children(
    tree: Any, node: LineageNode, children: Mapping[int | None, Sequence[LineageNode]]
) -> None:
    for child in children.get(node.trial, ()):
        _add_children(tree.add(_label(child)), child, children)


def _label(node: LineageNode) -> Any:
    """Trial, method and value; what changed; why it was kept."""
    from rich.text import Text

    value = "" if node.value is None else f" {node.value:.3f}"
    made = f" from {' and '.join(map(str, node.parents))}" if node.parents else ""
    found = Text(f"trial {node.trial}{value} {printable(node.method)}{made}", style="bold")
    found.append(" winner" if node.is_winner else "", style="bold green")
    found.append("\n")
    if node.changes:
        styles = {"kept": "", "removed": "red strike", "added": "green"}
        for change in node.changes:
            found.append(f"{printable(change.text)} ", style=styles[change.kind])
        found.append("\n")
    elif node.instruction:
        found.append(f"{printable(node.instruction)}\n")
    if node.demonstrations:
        found.append(f"shows {printable(', '.join(node.demonstrations))}\n", style="dim")
    found.append(printable(node.status), style="dim")
    if node.instead_of:
        found.append(f"\ninstead of {printable(node.instead_of)}", style="dim")
    return found
