"""A chosen study as it is now: how far, how long still, what runs, what is best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.study import format_duration

from ...components.html import bar, card, chip, error, join_markup, note
from ...components.markup import Markup
from .formatting import ENDED, format_measure, state_text, state_tone
from .leaderboard_table import leaderboard_html
from .learning_curve_svg import learning_curve_svg

_MOST_OPEN = 8
_MOST_SHOWN = 12
Progress = Mapping[str, Any]


def header_html(found: Progress) -> Markup:
    """Name, state, progress bar and the figures that matter."""
    state = str(found["state"])
    planned, finished = found.get("planned"), int(found.get("finished") or 0)
    about = " · ".join(_named(found[key]) for key in ("task", "model") if found.get(key))
    unit = "cells" if found.get("kind") == "learning_curve" else "trials"
    counted = f"{finished} of {planned}" if planned else "not begun yet"
    return Markup(
        '<header class="pl-study-head"><h3>{}{}</h3><p>{}</p></header>{}{}'
        '<dl class="pl-study-facts">{}</dl>'
    ).format(
        found["study"],
        chip(state_text(found), state_tone(state)),
        about,
        error(found["message"]) if found.get("message") else "",
        _bar(finished + _share(found), planned, state) if state not in ENDED else "",
        join_markup(_fact(name, value) for name, value in _facts(found, counted, unit)),
    )


def running_html(found: Progress) -> Markup:
    """The open trials, each with its blocks or its learner's steps."""
    rows = list(found.get("running") or ())
    if not rows or found["state"] in ENDED:
        return Markup("")
    measure = str(found.get("objective") or "accuracy")
    rows.sort(key=lambda row: (-(row["done"] or 0), -(row.get("step") or 0), row["number"]))
    waiting = [row for row in rows if not row["done"] and row.get("step") is None]
    at_work = [row for row in rows if row not in waiting] or [waiting.pop(0)]
    left = len(rows) - len(at_work[:_MOST_OPEN])
    body = join_markup(_open_trial(row, measure) for row in at_work[:_MOST_OPEN])
    aside = f"{left} more of the same batch wait" if left else ""
    return card("Now", body, aside=aside)


def board_html(found: Progress) -> Markup:
    """The leaderboard so far."""
    trials = list(found.get("trials") or ())
    if not trials:
        return Markup("")
    if found.get("kind") == "learning_curve":
        measure = str(found["objective"])
        return learning_curve_svg(found.get("curves") or (), measure) + _cells(trials, measure)
    caption = (
        f"{len(trials)} prompt{'s' if len(trials) > 1 else ''} on dev, best first. The shaded band "
        "is the interval of the best: what overlaps it much may well be as good."
    )
    live = found["state"] not in ENDED
    shown = trials[:_MOST_SHOWN]
    rest = len(trials) - len(shown)
    more = note(f"{rest} more: in Results when the study is decided." if live else
                f"{rest} more: in Results.") if rest else Markup("")  # fmt: skip
    return leaderboard_html(shown, str(found["objective"]), caption=caption, live=live) + more


def _named(name: str) -> str:
    """A data set or a model by its name; of a path, what stands last."""
    return Path(name).name if name.startswith(("/", ".")) else name


def _bar(done: float, planned: int | None, state: str) -> Markup:
    share = 100 * min(done / planned, 1) if planned else 0
    return Markup(
        '<div class="pl-study-bar {}" role="progressbar" aria-label="Progress" aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="{:.0f}"><span style="width:{:.2f}%"></span></div>'
    ).format(state_tone(state), share, share)


def _share(found: Progress) -> float:
    """Of the open trials, what is done of them."""
    rows = [row for row in found.get("running") or () if row.get("examples")]
    return float(sum(row["done"] / row["examples"] for row in rows))


def _facts(found: Progress, counted: str, unit: str) -> list[tuple[str, str]]:
    facts = [(unit, counted)]
    trials = found.get("trials") or []
    measure = str(found.get("objective") or "")
    if found.get("best") is not None:
        dev = trials[0]["dev"]
        ends = dev.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
        between = (
            f" ({format_measure(measure, ends[0])} – {format_measure(measure, ends[1])})"
            if ends
            else ""
        )
        told = f"{format_measure(measure, dev[measure])}{between}"
        name = "best on dev" if found["state"] in ENDED else "best so far on dev"
        facts.append((name, told))
    if found.get("seconds"):
        facts.append(("time of work", format_duration(found["seconds"])))
    if found.get("seconds_left") is not None and found["state"] == "running":
        facts.append(
            ("left of the search", f"about {format_duration(max(found['seconds_left'], 1))}")
        )
    elif found["state"] == "running" and found.get("planned") == found.get("finished"):
        facts.append(("now", "deciding: test, controls, report"))
    cost = found.get("cost") or {}
    if cost:
        dollars = cost.get("dollars")
        paid = f"${dollars:.4f}, " if dollars is not None else ""
        facts.append(("endpoint", f"{paid}{cost['requests']} requests"))
    return facts


def _fact(name: str, value: str) -> Markup:
    return Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value)


def _open_trial(row: Progress, measure: str) -> Markup:
    name = f"{row['number']} · {row['name']}"
    if row.get("examples"):
        text = f"{row['done']} / {row['examples']}"
        value = row.get("value")
        detail = "" if value is None else f"{measure} {format_measure(measure, value)} so far"
        return bar(name, row["done"] / row["examples"], text, detail=detail, strong=True) + (
            note(detail) if detail else Markup("")
        )
    if row.get("step") is not None:
        values = ", ".join(
            f"{key} {value:.3f}"
            for key, value in row["values"].items()
            if key in ("loss", "dev") and isinstance(value, int | float)
        )
        return note(f"{name}: step {row['step']}{f', {values}' if values else ''}")
    return note(f"{name}: being prepared")


def _cells(trials: list[Mapping[str, Any]], measure: str) -> Markup:
    """A learning curve's cells, one method a column, the sizes below each other."""
    methods = list(dict.fromkeys(row["method"] for row in trials))
    sizes = sorted({row["size"] for row in trials})
    lines = []
    for size in sizes:
        columns = [_cell(trials, method, size, measure) for method in methods]
        lines.append(Markup("<tr><th>{}</th>{}</tr>").format(size, join_markup(columns)))
    return Markup(
        '<div class="pl-scroll"><table class="pl-study-cells"><caption>{} on test by labelled '
        "examples a class; each value is one draw</caption><thead><tr><th>examples</th>{}</tr>"
        "</thead><tbody>{}</tbody></table></div>"
    ).format(
        measure, join_markup(Markup("<th>{}</th>").format(m) for m in methods), join_markup(lines)
    )


def _cell(trials: list[Mapping[str, Any]], method: str, size: int, measure: str) -> Markup:
    found = [row for row in trials if (row["method"], row["size"]) == (method, size)]
    told = [
        format_measure(measure, row["dev"][measure]) if row.get("dev") else str(row["state"])
        for row in found
    ]
    return Markup("<td>{}</td>").format(", ".join(told) or "–")


def state_sentence(found: Progress) -> Markup:
    """Of a decided study, the result in words."""
    lines = join_markup(
        Markup("<li>{}</li>").format(line) for line in found.get("statements") or ()
    )
    return Markup('<ul class="pl-told">{}</ul>').format(lines) if lines else Markup("")
