"""The plots of what learned: losses and dev scores by step, a line a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.study.formatting import as_number, format_metric
from promptlab.study.report.plots import Dot, axis_text
from promptlab.study.report.scale import Scale, Tick, scale_over

Steps = Sequence[Mapping[str, Any]]
"""What `promptlab.study.folder.step_log.read_steps` gives."""
_TONES = 5
_MOST_POINTS = 120
"""Points of a line; of more steps the means are drawn."""


@dataclass(frozen=True)
class TrialLine:
    """One trial's line, as SVG points in per cent, with the text shown when it is pointed at."""

    points: str
    title: str
    tone: str


@dataclass(frozen=True)
class TracePlot:
    """Lines over steps; ``dots`` mark the values of the best trial."""

    label: str
    traces: list[TrialLine]
    dots: list[Dot]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


@dataclass(frozen=True)
class LearnedTrial:
    """A trial that learned: its steps, its place among the tones, and whether it is the best."""

    number: int
    name: str
    kind: str
    steps: Steps
    tone: str
    best: bool


def tones(kinds: Sequence[str]) -> dict[str, str]:
    """A colour for every kind, in the order in which they come."""
    return {kind: f"tone-{place % _TONES}" for place, kind in enumerate(dict.fromkeys(kinds))}


def loss_plot(learnt: Sequence[LearnedTrial]) -> TracePlot | None:
    """Training losses in nats."""
    return _plot(learnt, "loss", "Training loss", lambda value: f"{value:.3g}")


def dev_plot(learnt: Sequence[LearnedTrial], objective: str) -> TracePlot | None:
    """Dev scores at the evaluations; larger is better."""

    def text(value: float) -> str:
        return format_metric(objective, value)

    def tick(value: float) -> str:
        return axis_text(objective, value)

    return _plot(learnt, "dev", f"Dev score ({objective})", text, tick)


def _plot(
    learnt: Sequence[LearnedTrial],
    key: str,
    label: str,
    text: Callable[[float], str],
    tick: Callable[[float], str] | None = None,
) -> TracePlot | None:
    """The lines of one value, the best trial's on top; ``None`` when nobody has it."""
    known = [(one, _series(one.steps, key)) for one in learnt]
    drawn = sorted(((one, points) for one, points in known if points), key=lambda row: row[0].best)
    if not drawn:
        return None
    y = scale_over([value for _, points in drawn for _, value in points], start=88, end=6)
    longest = max(points[-1][0] for _, points in drawn)
    x = scale_over([0.0, float(max(longest, 1))], start=12, end=97)
    traces, dots = [], []
    for one, points in drawn:
        last = text(points[-1][1])
        title = f"Trial {one.number}: {one.name}, {last} at step {points[-1][0]:.0f}"
        style = f"{one.tone}{' best' if one.best else ''}"
        traces.append(TrialLine(_polyline_points(points, x, y), title, style))
        if (one.best and key == "dev") or len(points) == 1:
            dots += [_dot(one, at, value, x, y, text) for at, value in points[-_MOST_POINTS:]]
    return TracePlot(
        f"{label} by step of {len(drawn)} trial{'s' if len(drawn) > 1 else ''}",
        traces,
        dots,
        x.ticks(lambda value: f"{value:,.0f}" if value == int(value) else ""),
        y.ticks(tick or text),
    )


def _series(steps: Steps, key: str) -> list[tuple[float, float]]:
    """(step, value) where the value is known, thinned to means of neighbours."""
    known = [
        (float(row["step"]), value)
        for row in steps
        if (value := as_number((row.get("values") or {}).get(key))) is not None
    ]
    size = -(-len(known) // _MOST_POINTS)
    if size <= 1:
        return known
    groups = [known[start : start + size] for start in range(0, len(known), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _polyline_points(points: Sequence[tuple[float, float]], x: Scale, y: Scale) -> str:
    return " ".join(f"{x.at(at):g},{y.at(value):g}" for at, value in points)


def _dot(
    one: LearnedTrial, at: float, value: float, x: Scale, y: Scale, text: Callable[[float], str]
) -> Dot:
    title = f"Trial {one.number} at step {at:.0f}: {text(value)}"
    return Dot(x.at(at), y.at(value), title, one.tone)
