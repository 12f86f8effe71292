"""The templates found: which they are, drawn as rows to pick from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import promptlab as pl

from ..components.html import chip, join_markup, note
from ..components.markup import Markup
from ..components.pick_list import page_within, pages_html

ALL = "all tasks"
SHAPES = [("any shape", "all"), ("prefix", "prefix"), ("cloze", "cloze")]
WHOSE = [("everyone's", "all"), ("mine", "mine")]
SIZE = 30
"""Rows of one page."""


def find_templates(
    words: str = "", task: str = ALL, shape: str = "all", whose: str = "all"
) -> list[Any]:
    """The library's templates that hold every one of ``words`` in their row.

    ``whose`` *mine* leaves out what is not the user's own. Raises `InputError` for an unknown task.
    """
    wanted = (words or "").lower().split()
    chosen = pl.templates(None if task in ("", ALL, None) else task)
    return [
        item
        for item in chosen
        if shape in ("", "all", item.template.shape)
        and (item.is_own or whose != "mine")
        and all(word in _searched(item) for word in wanted)
    ]


def task_choices() -> list[tuple[str, str]]:
    """Every task with how many templates it has, for a dropdown."""
    counts = Counter(item.task for item in pl.templates())
    names = [(f"{name} ({counts[name]})", name) for name in sorted(counts)]
    return [(f"{ALL} ({sum(counts.values())})", ALL), *names]


def template_list_html(items: Sequence[Any], page: int = 0, shown: str = "") -> Markup:
    """One page of rows under the names of their tasks; the row of ``shown`` is marked."""
    if not items:
        return note("No template holds these words. Take some away, or write one of your own.")
    page = page_within(page, len(items), SIZE)
    part = items[page * SIZE : (page + 1) * SIZE]
    counts = Counter(item.task for item in items)
    pieces: list[Markup] = []
    for place, item in enumerate(part):
        if not place or part[place - 1].task != item.task:
            heading = Markup("<h3>{}<small>{}</small></h3>")
            pieces.append(heading.format(item.task, counts[item.task]))
        pieces.append(_row(item, item.full_name == shown))
    own = sum(item.is_own for item in items)
    found = f"{len(items)} template{'' if len(items) == 1 else 's'}"
    told = f"{found} of {len(counts)} task{'' if len(counts) == 1 else 's'}"
    told += f", {own} your own" if own else ""
    return Markup(
        '{}<div class="pl-shelf" role="group" aria-label="Templates" '
        'data-shows="template-shown">{}</div>{}'
    ).format(note(f"{told}."), join_markup(pieces), pages_html(page, len(items), SIZE))


def _row(item: Any, shown: bool) -> Markup:
    own = chip("yours", "pl-good") if item.is_own else Markup("")
    return Markup(
        '<button type="button" class="pl-shelf-row" data-pick="{}" aria-current="{}">'
        "<span><code>{}</code>{}{}</span><span>{}</span></button>"
    ).format(
        item.full_name,
        "true" if shown else "false",
        item.name,
        chip(item.template.shape, f"pl-{item.template.shape}"),
        own,
        item.template.source,
    )


def _searched(item: Any) -> str:
    answers = "" if item.answers is None else str(item.answers)
    parts = (item.full_name, item.template.source, answers, item.source, item.note)
    return "\n".join(parts).lower()
