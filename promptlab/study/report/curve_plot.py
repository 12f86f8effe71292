"""The plot of a learning curve: mean lines with bands over the sizes, as plain geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.study import formatting
from promptlab.study.report.curve_sentences import interval_text
from promptlab.study.report.plots import Dot, axis_text
from promptlab.study.report.scale import Scale, Tick, scale_over

_TONES = 5
_LEFT, _RIGHT = 9.0, 97.0
_CLOSEST = 4.5  # per cent of the width between two texts under the plot


@dataclass(frozen=True)
class Series:
    """One method: its line and band as points in per cent, ``"x,y x,y"``, and its dots."""

    name: str
    tone: str
    line: str
    band: str
    dots: list[Dot]


@dataclass(frozen=True)
class CurvePlot:
    """Every method's curve over one pair of axes."""

    label: str
    series: list[Series]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def curve_plot(document: Mapping[str, Any]) -> CurvePlot:
    """The curves with their bands; sizes stand by their logarithm, 0 half the first one away.

    Methods without any value have no series.
    """
    measure, curves = str(document["objective"]), document["curves"]
    x = _positions(document["sizes"])
    y = scale_over(_values(measure, curves), start=90, end=4)
    series = []
    for number, method in enumerate(document["methods"]):
        rows = [row for row in curves if row["method"] == method["name"]]
        if rows:
            series.append(_series(measure, method["name"], tone(number), rows, x, y))
    return CurvePlot(
        f"Learning curve: {formatting.in_words(measure)} of {len(series)} methods by size",
        series,
        _size_ticks(x),
        y.ticks(lambda value: axis_text(measure, value)),
    )


def tone(number: int) -> str:
    """The colour of the method of that place; the sixth and later ones are dashed."""
    return f"tone-{number % _TONES}" + (" dashed" if number >= _TONES else "")


def interval_band(measure: str, row: Mapping[str, Any]) -> tuple[float, float]:
    """The band at one size, without width for a single seed; a share's is cut at 0 and 1."""
    low, high = formatting.read_interval([row["low"], row["high"]]) or (row["mean"], row["mean"])
    if formatting.format_metric(measure, 0.5).endswith("%"):
        return max(0.0, low), min(1.0, high)
    return low, high


def _series(
    measure: str,
    name: str,
    own_tone: str,
    rows: Sequence[Mapping[str, Any]],
    x: Mapping[int, float],
    y: Scale,
) -> Series:
    dots = []
    for row in rows:
        value = formatting.format_metric(measure, row["mean"])
        ci = formatting.read_interval([row["low"], row["high"]])
        sure = f", 95 % interval {interval_text(measure, *ci)}" if ci else ""
        seeds = f"{row['n_seeds']} seed{'s' if row['n_seeds'] != 1 else ''}"
        title = f"{name} at {row['size']}: {value}{sure}, {seeds}"
        dots.append(Dot(x[row["size"]], y.at(row["mean"]), title, own_tone))
    bands = [(x[row["size"]], *interval_band(measure, row)) for row in rows]
    upper = [(at, y.at(high)) for at, _, high in bands]
    lower = [(at, y.at(low)) for at, low, _ in bands]
    outline = _points([*upper, *reversed(lower)]) if len(rows) > 1 else ""
    return Series(name, own_tone, _points([(dot.x, dot.y) for dot in dots]), outline, dots)


def _positions(sizes: Sequence[int]) -> dict[int, float]:
    """Where each size stands, in per cent of the width."""
    first = min((size for size in sizes if size), default=1)
    logs = {size: math.log2(size) if size else math.log2(first) - 1 for size in sorted(sizes)}
    low, high = min(logs.values()), max(logs.values())
    if low == high:
        return dict.fromkeys(logs, (_LEFT + _RIGHT) / 2)
    return {
        size: round(_LEFT + (_RIGHT - _LEFT) * (value - low) / (high - low), 2)
        for size, value in logs.items()
    }


def _size_ticks(x: Mapping[int, float]) -> list[Tick]:
    """The sizes as texts, without those too close to the one before."""
    ticks: list[Tick] = []
    for size, at in x.items():
        if not ticks or at - ticks[-1].at >= _CLOSEST:
            ticks.append(Tick(at, str(size)))
    return ticks


def _values(measure: str, curves: Sequence[Mapping[str, Any]]) -> list[float]:
    return [value for row in curves for value in (row["mean"], *interval_band(measure, row))]


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in pairs)
