"""The thoughts of a trace as a tree, what led nowhere gathered."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from promptlab.evaluation import Trace

BEGIN = "start"
_THOUGHT = "thought"
_LOST = ("pruned", "dead")
_LEAST_GATHERED = 3
"""Fewer thoughts that were not followed are drawn one by one."""


@dataclass(eq=False)
class ThoughtNode:
    """A node of the drawing: a step of the trace, and what was asked about it (``asked``).

    ``rest`` are steps that stand in one node together, because they were not followed.
    """

    step: Any
    children: list[ThoughtNode] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    lost: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    @property
    def value(self) -> float | None:
        """What the state is worth, if it was judged."""
        found = self.step.notes.get("value") if self.step is not None else None
        return float(found) if isinstance(found, int | float) and math.isfinite(found) else None

    @property
    def state(self) -> str:
        """What became of the thought, as a class of the style sheet."""
        notes = self.step.notes if self.step is not None else {}
        if self.rest:
            return "rest"
        if notes.get("chosen"):
            return "chosen"
        for name in ("solved", "dead", "pruned"):
            if notes.get(name):
                return name
        return "kept"


def has_thoughts(trace: Trace) -> bool:
    """Whether a trace is that of a tree of thoughts."""
    return any(step.name == _THOUGHT for step in trace)


def thought_tree(trace: Trace) -> ThoughtNode:
    """The thoughts of a trace under one root; thoughts that led nowhere new are the parent's lost.

    What stands between two thoughts (a proposal, a value, a vote) is what was asked about them.
    """
    root = ThoughtNode(None)
    owners: dict[int | None, ThoughtNode] = {None: root}
    for step in trace:
        owner = owners.get(step.parent, root)
        if step.name == BEGIN and owner.step is None:
            owner.step = step
            owners[step.number] = owner
        elif step.name != _THOUGHT:
            owner.asked.append(step)
            owners[step.number] = owner
        elif "illegal" in step.notes or "merged_with" in step.notes:
            owner.lost.append(step)
            owners[step.number] = owner
        else:
            child = ThoughtNode(step)
            owner.children.append(child)
            owners[step.number] = child
    for thought in set(owners.values()):
        _gather(thought)
        thought.children.sort(key=_rank)
    return root


def _gather(thought: ThoughtNode) -> None:
    """Put what was not followed into one node; beside what was, the best of it stands alone."""
    left = [one for one in thought.children if one.state in _LOST and not one.children]
    left.sort(key=lambda one: math.inf if one.value is None else -one.value)
    rest = left[1 if len(left) < len(thought.children) else 0 :]
    if len(rest) < _LEAST_GATHERED:
        return
    thought.children = [one for one in thought.children if one not in rest]
    thought.children.append(ThoughtNode(None, rest=[one.step for one in rest]))


def _rank(thought: ThoughtNode) -> tuple[int, float]:
    """The chosen path first, then what was followed, by value; what was not followed last."""
    places = ("chosen", "solved", "kept", "pruned", "dead", "rest")
    return places.index(thought.state), 0.0 if thought.value is None else -thought.value
