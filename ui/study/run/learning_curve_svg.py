"""A learning curve as it grows: a line a method over the labelled examples, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...components.html import join_markup
from ...components.markup import Markup
from .formatting import format_measure

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 720, 260, 58, 18, 40, 12
_TONES = 6
_BESIDE = 5.0
"""Units between the whiskers of two methods at one size: they do not hide each other."""
Row = Mapping[str, Any]


def learning_curve_svg(rows: Sequence[Row], measure: str) -> Markup:
    """Means over the draws with 95 % intervals; sizes stand by their logarithm."""
    if not rows:
        return Markup("")
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    across = _places(sorted({int(row["size"]) for row in rows}))
    low, high = _span(rows)

    def up(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    lines = []
    for number, method in enumerate(methods):
        own = sorted((row for row in rows if row["method"] == method), key=lambda r: r["size"])
        aside = _BESIDE * (number - (len(methods) - 1) / 2)
        lines.append(_line(number, own, measure, {n: x + aside for n, x in across.items()}, up))
    legend = join_markup(
        Markup('<li class="pl-model-{}">{}</li>').format(number % _TONES, method)
        for number, method in enumerate(methods)
    )
    return Markup(
        '<figure class="pl-cell-curve"><ul class="pl-time-legend">{}</ul><div class="pl-scroll">'
        '<svg class="pl-time" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg></div>'
        "<figcaption>{} on test by labelled examples a class: means over the draws with 95&nbsp;% "
        "intervals. One draw alone has none.</figcaption></figure>"
    ).format(
        legend, _WIDTH, _HEIGHT, _spoken(rows, measure), _axes(across, measure, low, high, up),
        join_markup(lines), measure.replace("_", " "),
    )  # fmt: skip


def _line(
    number: int, rows: Sequence[Row], measure: str, across: Mapping[int, float], up: Any
) -> Markup:
    points = " ".join(f"{across[row['size']]:.1f},{up(row['mean']):.1f}" for row in rows)
    dots = join_markup(_dot(row, measure, across[row["size"]], up) for row in rows)
    return Markup('<g class="pl-model-{}{}"><polyline points="{}"/>{}</g>').format(
        number % _TONES, " pl-dashed" if number >= _TONES else "", points, dots
    )


def _dot(row: Row, measure: str, x: float, up: Any) -> Markup:
    whisker = Markup("")
    if row["low"] is not None:
        whisker = Markup(
            '<line class="pl-ends" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
        ).format(x, up(row["low"]), up(row["high"]))
    return Markup('<g><title>{}</title>{}<circle cx="{:.1f}" cy="{:.1f}" r="4"/></g>').format(
        _told(row, measure), whisker, x, up(row["mean"])
    )


def _axes(across: Mapping[int, float], measure: str, low: float, high: float, up: Any) -> Markup:
    marks = [low + (high - low) * share for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    lines = [
        Markup('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}">{}</text>')
        .format(_LEFT, _WIDTH - _RIGHT, up(m), up(m), 2, up(m) + 4, format_measure(measure, m))
        for m in marks
    ]  # fmt: skip
    sizes = [
        Markup('<text class="pl-under" x="{:.1f}" y="{}">{}</text>').format(x, _HEIGHT - 18, size)
        for size, x in across.items()
    ]
    return join_markup([*lines, *sizes])


def _places(sizes: Sequence[int]) -> dict[int, float]:
    """Where each size stands; none at all half of the smallest one away."""
    first = min((size for size in sizes if size), default=1)
    logs = {size: math.log2(size) if size else math.log2(first) - 1 for size in sizes}
    low, high = min(logs.values()), max(logs.values())
    left, right = _LEFT + 24, _WIDTH - _RIGHT - 24
    if low == high:
        return dict.fromkeys(logs, (left + right) / 2)
    return {n: left + (right - left) * (at - low) / (high - low) for n, at in logs.items()}


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """The stretch that holds all means, and the intervals as far as they are not all of it.

    Two draws that differ give intervals far beyond the measure's own range: these are cut.
    """
    means = [float(row["mean"]) for row in rows]
    ends = [end for row in rows if row["low"] is not None for end in (row["low"], row["high"])]
    room = max(max(means) - min(means), 0.04)
    low = max([min(means) - room, *([min(ends)] if ends else [])])
    high = min([max(means) + room, *([max(ends)] if ends else [])])
    low, high = min([low, *means]), max([high, *means])
    if all(0 <= mean <= 1 for mean in means):
        low, high = max(low, 0.0), min(high, 1.0)
    return (low, high) if high > low else (low - 0.02, high + 0.02)


def _told(row: Row, measure: str) -> str:
    ends = ""
    if row["low"] is not None:
        ends = f" ({format_measure(measure, row['low'])} – {format_measure(measure, row['high'])})"
    draws = "1 draw" if row["n_seeds"] == 1 else f"{row['n_seeds']} draws"
    return (
        f"{row['method']} at {row['size']}: {format_measure(measure, row['mean'])}{ends}, {draws}"
    )


def _spoken(rows: Sequence[Row], measure: str) -> str:
    return "; ".join(_told(row, measure) for row in rows)
