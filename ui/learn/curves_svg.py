"""Curves of several trials over each other, as one drawing. Every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..components.html import join_markup
from ..components.line_chart import Points, thin_points
from ..components.markup import Markup

_WIDE, _HIGH = 560, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 12, 28
TONES = 6
"""Colours of the trials, in turn."""
_NOISY = 16
"""From so many points on a noisy curve is drawn smoothed, the points themselves faint behind."""
_KEEPS = 0.8
"""A smoothed value's share of what came before it."""


def curves_svg(
    title: str,
    curves: Mapping[int, Points],
    chosen: int | None,
    step: float | None = None,
    *,
    noisy: bool = False,
    ends: tuple[float, float] | None = None,
) -> Markup:
    """Values by step of several trials; the ``chosen`` one is strong, ``step`` is marked on it.

    ``noisy`` ones (each value is of other examples) are also smoothed, and a few values far above
    all others are drawn at the upper edge. ``ends`` are the first and last step of the drawing.
    """
    thin = {number: thin_points(points) for number, points in curves.items() if points}
    if not thin:
        return Markup("")
    place = _Place(thin, noisy, ends)
    strong = thin.get(chosen) if chosen is not None else None
    drawn = [
        _line(number, points, place, number == chosen, noisy) for number, points in thin.items()
    ]
    drawn.sort(key=lambda pair: pair[0])
    told = next(reversed(strong or next(iter(thin.values()))))
    return Markup(
        '<figure class="pl-lines"><figcaption>{} <b>{:.4g}</b></figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}: {} trials, now {:.4g} at step {:.0f}">'
        "{}{}{}</svg></figure>"
    ).format(
        title,
        told[1],
        _WIDE,
        _HIGH,
        title,
        len(thin),
        told[1],
        told[0],
        place.axes(),
        join_markup(line for _, line in drawn),
        _mark(strong, step, place) if strong and step is not None else "",
    )


class _Place:
    """Where steps and values stand in the drawing."""

    def __init__(
        self, curves: Mapping[int, Points], noisy: bool, ends: tuple[float, float] | None
    ) -> None:
        points = [point for row in curves.values() for point in row]
        steps = [step for step, _ in points]
        self.first, last = ends or (min(steps), max(steps))
        self.last = max(last, self.first + 1)
        values = [value for _, value in points]
        low, high = _ends(values) if noisy else (min(values), max(values))
        self.low, self.high = (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)

    def x(self, step: float) -> float:
        share = (step - self.first) / (self.last - self.first)
        return _LEFT + share * (_WIDE - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = min((value - self.low) / (self.high - self.low), 1.0)
        return _HIGH - _BOTTOM - share * (_HIGH - _TOP - _BOTTOM)

    def axes(self) -> Markup:
        """Three grid lines with their values, and the first and last step."""
        rows = []
        for share in (0.0, 0.5, 1.0):
            value = self.low + share * (self.high - self.low)
            y = self.y(value)
            rows.append(
                Markup('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"></line>'
                       '<text x="{}" y="{:.1f}" text-anchor="end">{:.3g}</text>')
                .format(_LEFT, _WIDE - _RIGHT, y, y, _LEFT - 8, y + 4, value)
            )  # fmt: skip
        ends = Markup(
            '<text x="{}" y="{}">step {:.0f}</text>'
            '<text x="{}" y="{}" text-anchor="end">{:.0f}</text>'
        ).format(_LEFT, _HIGH - 8, self.first, _WIDE - _RIGHT, _HIGH - 8, self.last)
        return join_markup(rows) + ends


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value; a few far above all others are drawn at the upper edge."""
    ordered = sorted(values)
    low, most = ordered[0], ordered[int(0.95 * (len(ordered) - 1))]
    return low, min(ordered[-1], low + 1.5 * (most - low)) if most > low else ordered[-1]


def smooth_points(points: Points) -> list[tuple[float, float]]:
    """Means that forget what is long ago; the first ones are means of the few that there are."""
    total, weight, found = 0.0, 0.0, []
    for step, value in points:
        total, weight = _KEEPS * total + value, _KEEPS * weight + 1
        found.append((step, total / weight))
    return found


def _line(
    number: int, points: Points, place: _Place, strong: bool, noisy: bool
) -> tuple[bool, Markup]:
    smooth = noisy and len(points) >= _NOISY
    faint = Markup('<polyline class="pl-raw" points="{}"></polyline>').format(_path(points, place))
    main = smooth_points(points) if smooth else points
    last, (end, height) = points[-1], main[-1]
    return strong, Markup(
        '<g class="pl-tone-{}{}"><title>trial {}: {:.4g} at step {:.0f}</title>{}'
        '<polyline points="{}"></polyline><circle cx="{:.1f}" cy="{:.1f}" r="{}"></circle></g>'
    ).format(
        number % TONES,
        " pl-strong" if strong else "",
        number,
        last[1],
        last[0],
        faint if smooth else "",
        _path(main, place),
        place.x(end),
        place.y(height),
        4 if strong else 3,
    )


def _path(points: Points, place: _Place) -> str:
    return " ".join(f"{place.x(step):.1f},{place.y(value):.1f}" for step, value in points)


def _mark(points: Points, step: float, place: _Place) -> Markup:
    """The step looked at, as an upright line with the value that was known there."""
    known = [point for point in points if point[0] <= step] or points[:1]
    x, y = place.x(max(min(step, place.last), place.first)), place.y(known[-1][1])
    return Markup(
        '<line class="pl-now" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"></line>'
        '<circle class="pl-now" cx="{:.1f}" cy="{:.1f}" r="5"><title>step {:.0f}: {:.4g}</title>'
        "</circle>"
    ).format(x, x, _TOP, _HIGH - _BOTTOM, x, y, step, known[-1][1])


def legend(names: Mapping[int, str], chosen: int | None, best: Sequence[int] = ()) -> Markup:
    """Which colour is which trial."""
    rows = [
        Markup('<li class="pl-tone-{}{}"><i></i>{}{}</li>').format(
            number % TONES,
            " pl-strong" if number == chosen else "",
            name,
            Markup(' <span class="pl-chip pl-good">best dev</span>') if number in best else "",
        )
        for number, name in names.items()
    ]
    return Markup('<ul class="pl-legend">{}</ul>').format(join_markup(rows))
