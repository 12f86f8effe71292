"""A leaderboard as a table: every trial with its 95 % interval on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...components.html import chip, count_text, join_markup, note
from ...components.markup import Markup
from .formatting import format_measure

_MOST_ROWS = 200
_KEEP_OPEN = """
const open = new Set();
element.addEventListener('click', event => {
  const summary = event.target.closest('summary'), details = summary && summary.parentElement;
  if (!details || !details.dataset.key) return;
  if (details.open) open.delete(details.dataset.key); else open.add(details.dataset.key);
});
new MutationObserver(() => {
  for (const details of element.querySelectorAll('details[data-key]')) {
    const wanted = open.has(details.dataset.key);
    if (details.open !== wanted) details.open = wanted;
  }
}).observe(element, {subtree: true, childList: true, attributes: true,
                     attributeFilter: ['data-key', 'open']});
"""
"""Prompts that were opened stay so while the table is drawn anew, at whatever place they are."""
_STEP = 0.05
Row = Mapping[str, Any]


@dataclass(frozen=True)
class IntervalScale:
    """The stretch of the measure's axis that the intervals take up, rounded outwards."""

    low: float
    high: float

    @classmethod
    def over(cls, rows: Iterable[Row], measure: str) -> IntervalScale | None:
        """Wide enough for all; ``None`` when nothing can be drawn."""
        ends = [end for row in rows for end in _ends(row.get("dev") or {}, measure)]
        if not ends:
            return None
        low = math.floor(round(min(ends) / _STEP, 6)) * _STEP
        high = math.ceil(round(max(ends) / _STEP, 6)) * _STEP
        return cls(low, high if high > low else low + _STEP)

    def at(self, value: float) -> float:
        """Where a value stands, in per cent of the width."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0), 1)


def board_panel(name: str) -> gr.HTML:
    """Where a leaderboard appears and is drawn again and again."""
    return gr.HTML(
        "", elem_id=name, elem_classes="pl-panel", apply_default_css=False, js_on_load=_KEEP_OPEN
    )


def leaderboard_html(
    trials: Sequence[Row],
    measure: str,
    *,
    baselines: Sequence[tuple[Row, str]] = (),
    caption: str,
    live: bool = False,
) -> Markup:
    """Trials best first, then ``baselines`` (a row and its role); names open their prompts."""
    rows = [*trials[:_MOST_ROWS], *(row for row, _ in baselines)]
    scale = IntervalScale.over(rows, measure)
    best = _ends((trials[0].get("dev") or {}) if trials else {}, measure)
    lines = [
        _trial(rank, row, measure, scale, best, live)
        for rank, row in enumerate(trials[:_MOST_ROWS], 1)
    ]
    lines += [_baseline(row, role, measure, scale, best) for row, role in baselines]
    left = len(trials) - _MOST_ROWS
    return Markup(
        '<table class="pl-board pl-study-board"><caption>{}</caption><thead><tr><th>#</th>'
        '<th>prompt</th><th>{}</th><th class="pl-wide pl-axis">{}</th><th>{}</th>'
        '<th class="pl-wide">tokens</th></tr></thead><tbody>{}</tbody></table>{}'
    ).format(
        caption,
        measure.replace("_", " "),
        _axis(scale, measure),
        "" if live else "against the best",
        join_markup(lines),
        note(f"{left} more trials are in leaderboard.csv.") if left > 0 else "",
    )


def _axis(scale: IntervalScale | None, measure: str) -> Markup:
    if scale is None:
        return Markup("95&nbsp;% interval")
    return Markup("<span>{}</span><i>95&nbsp;% interval</i><span>{}</span>").format(
        format_measure(measure, scale.low), format_measure(measure, scale.high)
    )


def _trial(
    rank: int,
    row: Row,
    measure: str,
    scale: IntervalScale | None,
    best: Sequence[float],
    live: bool,
) -> Markup:
    complete = row.get("state") == "complete"
    name = str(row.get("name") or f"trial {row.get('number')}")
    kind = row.get("kind")
    return _line(
        str(rank) if complete else "",
        Markup("{} {}").format(chip(str(kind)) if kind else "", name),
        f"trial-{row.get('number')}",
        row.get("reason") or row.get("prompt"),
        row.get("dev") or {},
        measure,
        (scale, best),
        _standing(rank, row, live) if complete else chip(str(row.get("state")), "pl-warn"),
        row.get("tokens_per_example"),
    )


def _baseline(
    row: Row, role: str, measure: str, scale: IntervalScale | None, best: Sequence[float]
) -> Markup:
    name = Markup("{} {}").format(chip(role), row.get("name"))
    key = f"control-{row.get('name')}"
    dev = row.get("dev") or {}
    return _line("", name, key, row.get("note"), dev, measure, (scale, best), Markup(""), None)


def _standing(rank: int, row: Row, live: bool) -> Markup:
    if rank == 1:
        return chip("best so far" if live else "best on dev", "pl-good")
    p = row.get("p_vs_best")
    if not isinstance(p, int | float):
        return Markup("")
    told = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    if row.get("distinguishable"):
        return chip(f"worse, {told}", "pl-bad")
    return chip(f"not distinguishable, {told}")


def _line(
    rank: str,
    name: str,
    key: str,
    detail: Any,
    scores: Row,
    measure: str,
    drawn_on: tuple[IntervalScale | None, Sequence[float]],
    standing: Markup,
    tokens: Any,
) -> Markup:
    value, ends = scores.get(measure), _ends(scores, measure)
    text = format_measure(measure, value) if isinstance(value, int | float) else ""
    between = (
        f"{format_measure(measure, ends[0])} – {format_measure(measure, ends[1])}" if ends else ""
    )
    if scores.get("n_missing"):
        between = f"{between} · {count_text(scores)}"
    drawn = Markup("")
    if text and ends and drawn_on[0] is not None:
        drawn = _whisker(float(value or 0), ends, drawn_on[0], drawn_on[1], f"{text}, {between}")
    opened = Markup('<details data-key="{}"><summary>{}</summary><pre class="pl-prompt">{}</pre>'
                    "</details>").format(key, name, detail) if detail else name  # fmt: skip
    return Markup(
        "<tr><td>{}</td><td>{}</td><td><b>{}</b><small>{}</small></td>"
        '<td class="pl-wide">{}</td><td>{}</td><td class="pl-wide">{}</td></tr>'
    ).format(
        rank, opened, text, between, drawn, standing,
        f"{tokens:.1f}" if isinstance(tokens, int | float) else "",
    )  # fmt: skip


def _whisker(
    value: float, ends: Sequence[float], scale: IntervalScale, best: Sequence[float], detail: str
) -> Markup:
    """A value with its interval; behind it, the interval of the best one."""
    left, right = scale.at(ends[0]), scale.at(ends[1])
    band = Markup("")
    if best:
        start = scale.at(best[0])
        band = Markup('<span class="pl-band" style="left:{:.2f}%;width:{:.2f}%"></span>').format(
            start, scale.at(best[1]) - start
        )
    return Markup(
        '<span class="pl-whisker" title="{}">{}<span class="pl-range" '
        'style="left:{:.2f}%;width:{:.2f}%"></span><span class="pl-dot" style="left:{:.2f}%">'
        "</span></span>"
    ).format(detail, band, left, right - left, scale.at(value))


def _ends(scores: Row, measure: str) -> tuple[float, ...]:
    """The interval's ends, none when there is no interval."""
    ends = scores.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
    return (float(ends[0]), float(ends[1])) if ends and None not in ends else ()
