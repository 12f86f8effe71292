"""The tree of thoughts drawn as a tree: edges as SVG, thoughts as buttons that tell more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from promptlab.evaluation import Trace

from ..components.html import chip, join_markup
from ..components.markup import Markup
from .thought_tree import BEGIN, ThoughtNode, thought_tree
from .trace_steps import step_html
from .tree_layout import TreeLayout, lay_out_tree

COLUMN, ROW, WIDTH, HEIGHT = 188, 56, 152, 44
"""Pixels from one depth to the next, from one row to the next, and of a node."""
_MARGIN = 10
_MOST_LISTED = 60


def thought_tree_svg(trace: Trace) -> Markup:
    """The tree in a box of its own that scrolls; a node's button opens what is known of it."""
    root = thought_tree(trace)
    nodes = list(_walk(root))
    layout = lay_out_tree(id(root), {id(one): [id(c) for c in one.children] for one in nodes})
    values = [one.value for one in nodes if one.value is not None]
    scale = (min(values, default=0.0), max(values, default=0.0))
    key = hashlib.sha256(repr(trace.record()).encode()).hexdigest()[:10]
    width = layout.columns * COLUMN - (COLUMN - WIDTH) + 2 * _MARGIN
    height = layout.rows * ROW - (ROW - HEIGHT) + 2 * _MARGIN
    drawn = [_node(one, number, layout, scale, key) for number, one in enumerate(nodes)]
    return Markup(
        '<figure class="pl-tree"><div class="pl-tree-box" tabindex="0" role="group" '
        'aria-label="Tree of thoughts"><div class="pl-tree-plane" '
        'style="width:{}px;height:{:.0f}px"><svg viewBox="0 0 {} {:.0f}" width="{}" '
        'height="{:.0f}" aria-hidden="true">{}</svg>{}</div></div>{}{}</figure>'
    ).format(
        width,
        height,
        width,
        height,
        width,
        height,
        join_markup(_edges(nodes, layout)),
        join_markup(drawn),
        _legend(nodes),
        join_markup(_details(one, number, key) for number, one in enumerate(nodes)),
    )


def _walk(root: ThoughtNode) -> Iterator[ThoughtNode]:
    waiting = [root]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(one.children))


def _place(one: ThoughtNode, layout: TreeLayout[int]) -> tuple[float, float]:
    """The upper left corner of a node in pixels."""
    column, row = layout.places[id(one)]
    return _MARGIN + column * COLUMN, _MARGIN + row * ROW


def _edges(nodes: list[ThoughtNode], layout: TreeLayout[int]) -> Iterator[Markup]:
    """A curve to every child, the chosen path last so that it lies on top."""
    pairs = [(parent, child) for parent in nodes for child in parent.children]
    for parent, child in sorted(pairs, key=lambda pair: pair[1].state == "chosen"):
        x, y = _place(parent, layout)
        to_x, to_y = _place(child, layout)
        x, y, to_y = x + WIDTH, y + HEIGHT / 2, to_y + HEIGHT / 2
        middle = (x + to_x) / 2
        yield Markup(
            '<path class="pl-edge-{}" d="M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} '
            '{:.1f} {:.1f}"/>'
        ).format(child.state, x, y, middle, y, middle, to_y, to_x, to_y)


def _node(
    one: ThoughtNode, number: int, layout: TreeLayout[int], scale: tuple[float, float], key: str
) -> Markup:
    x, y = _place(one, layout)
    value = one.value
    share = 0.0 if value is None else _shade(value, *scale)
    text, aside = _texts(one)
    solved = " pl-solves" if one.step is not None and one.step.notes.get("solved") else ""
    shown = ("✓" if solved else "") if value is None else _number(value)
    told = ", ".join(
        filter(None, [text, f"value {shown}" if value is not None else "", _fate(one)])
    )
    return Markup(
        '<button type="button" class="pl-thought pl-is-{}{}" popovertarget="tree-{}-{}" '
        'style="left:{:.0f}px;top:{:.0f}px;--share:{:.3f}" aria-label="{}" title="{}">'
        '<span class="pl-thought-text">{}</span><span class="pl-thought-aside">{}</span>'
        '<span class="pl-thought-value">{}</span></button>'
    ).format(one.state, solved, key, number, x, y, share, told, told, text, aside, shown)


def _shade(value: float, least: float, most: float) -> float:
    """How dark a value is drawn among all values of the tree, in [0.1, 1]."""
    return 1.0 if most <= least else 0.1 + 0.9 * (value - least) / (most - least)


def _texts(one: ThoughtNode) -> tuple[str, str]:
    """What stands in a node: the thought, and small below it the state that it leads to."""
    if one.rest:
        return f"{len(one.rest)} more", _end(one)
    if one.step is None:
        return "start", ""
    state = " ".join(str(one.step.notes.get("state", "")).split())
    if one.step.name == BEGIN:
        return state or "start", "start" if state else ""
    text = " ".join(one.step.reply.split())
    tail = f"(left: {state})"
    return (
        (text.removesuffix(tail).strip(), f"left: {state}")
        if text.endswith(tail)
        else (text, state)
    )


def _fate(one: ThoughtNode) -> str:
    notes = one.step.notes if one.step is not None else {}
    if one.rest:
        return _end(one)
    words = [name for name in ("solved", "chosen", "backtracked") if notes.get(name)]
    if notes.get("dead"):
        words.append("dead end")
    if notes.get("pruned"):
        words.append(f"pruned: {notes['pruned']}")
    return ", ".join(words)


def _end(one: ThoughtNode) -> str:
    """What became of thoughts that stand in one node."""
    dead = sum(bool(step.notes.get("dead")) for step in one.rest)
    return "dead ends" if dead == len(one.rest) else "not followed"


def _details(one: ThoughtNode, number: int, key: str) -> Markup:
    """What opens when a node is pressed: above the page, closed by Escape."""
    text, aside = _texts(one)
    fate = _fate(one)
    facts = [chip(fate, "pl-good" if "solved" in fate or "chosen" in fate else "")] if fate else []
    if one.value is not None:
        facts.append(chip(f"value {_number(one.value)}"))
    if one.step is not None and one.step.notes.get("word"):
        facts.append(chip(f"likeliest word: {one.step.notes['word']}"))
    asked = join_markup(
        Markup(
            "<details><summary>{} <small>{:,} + {:,} tokens</small></summary>{}</details>"
        ).format(step.name, step.tokens_in, step.tokens_out, step_html(step))
        for step in one.asked
    )
    listed = [
        (
            step.reply,
            f"value {_number(step.notes['value'])}"
            if isinstance(step.notes.get("value"), int | float)
            else "",
        )
        for step in one.rest
    ]
    listed += [
        (step.reply, str(step.notes.get("illegal") or "was met before")) for step in one.lost
    ]
    items = join_markup(
        Markup("<li>{} <small>{}</small></li>").format(*item) for item in listed[:_MOST_LISTED]
    )
    title = _end(one).capitalize() if one.rest else "Thoughts that were left out" if listed else ""
    return Markup(
        '<div popover id="tree-{}-{}" class="pl-thought-card"><header><h4>{}</h4>'
        '<button type="button" popovertarget="tree-{}-{}" popovertargetaction="hide" '
        'aria-label="Close">×</button></header><p class="pl-thought-state">{}</p>'
        '<p class="pl-thought-facts">{}</p>{}{}</div>'
    ).format(
        key,
        number,
        text,
        key,
        number,
        aside,
        join_markup(facts),
        asked,
        Markup("<h5>{}</h5><ul>{}</ul>").format(title, items) if listed else "",
    )


def _worth(step: Any) -> str:
    value = step.notes.get("value")
    return f"value {_number(float(value))}" if isinstance(value, int | float) else ""


def _legend(nodes: list[ThoughtNode]) -> Markup:
    """What the looks of nodes mean, of those that are there."""
    words = {
        "chosen": "chosen path",
        "solved": "solved",
        "kept": "followed",
        "pruned": "pruned",
        "dead": "dead end",
    }
    there = {one.state for one in nodes}
    items = join_markup(
        Markup('<span class="pl-key pl-is-{}"><i></i>{}</span>').format(state, word)
        for state, word in words.items()
        if state in there
    )
    thoughts = sum(1 + len(one.rest) - bool(one.rest) for one in nodes) - 1
    return Markup(
        '<figcaption>{}<span class="pl-tree-count">{} thoughts; press one to see more, the darker '
        "the better its value</span></figcaption>"
    ).format(items, thoughts)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
