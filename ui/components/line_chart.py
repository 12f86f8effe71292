"""Values by step as small line drawings (SVG). Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from .html import join_markup
from .markup import Markup

_WIDE, _HIGH = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 12, 26
_MOST_POINTS = 300
_MOST_DOTS = 60

Points = Sequence[tuple[float, float]]
"""(step, value), steps ascending."""


def line_chart_svg(title: str, points: Points, *, tone: str = "") -> Markup:
    """A line through ``points`` with its ends' values; long ones are drawn as means."""
    thin = thin_points(points)
    if not thin:
        return Markup("")
    low, high = _range([value for _, value in thin])
    first, last = thin[0][0], max(thin[-1][0], thin[0][0] + 1)

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / (last - first)
        up = (value - low) / (high - low)
        return (
            _LEFT + across * (_WIDE - _LEFT - _RIGHT),
            _HIGH - _BOTTOM - up * (_HIGH - _TOP - _BOTTOM),
        )

    drawn = [place(*point) for point in thin]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    dots = join_markup(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"><title>step {:.0f}: {:.4g}</title></circle>')
        .format(x, y, *point)
        for (x, y), point in zip(drawn, thin, strict=True)
    )  # fmt: skip
    return Markup(
        '<figure class="pl-curve {}"><figcaption>{} <b>{:.4g}</b></figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}, {} values, the last {:.4g}">{}'
        '<polyline points="{}"></polyline>{}</svg></figure>'
    ).format(
        tone,
        title,
        points[-1][1],
        _WIDE,
        _HIGH,
        title,
        len(points),
        points[-1][1],
        _axes(low, high, first, last),
        line,
        dots if len(thin) <= _MOST_DOTS else "",
    )


def thin_points(points: Points) -> list[tuple[float, float]]:
    """At most some hundred points: means of neighbours, at the last of their steps."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)


def _axes(low: float, high: float, first: float, last: float) -> Markup:
    """Three grid lines with their values, and the first and last step."""
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _HIGH - _BOTTOM - share * (_HIGH - _TOP - _BOTTOM)
        lines.append(
            Markup('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"></line><text x="{}" y="{:.1f}" '
                   'text-anchor="end">{:.3g}</text>')
            .format(_LEFT, _WIDE - _RIGHT, y, y, _LEFT - 6, y + 4, low + share * (high - low))
        )  # fmt: skip
    ends = Markup(
        '<text x="{}" y="{}">step {:.0f}</text><text x="{}" y="{}" text-anchor="end">{:.0f}</text>'
    ).format(_LEFT, _HIGH - 8, first, _WIDE - _RIGHT, _HIGH - 8, last)
    return join_markup(lines) + ends
