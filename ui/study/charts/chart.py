"""A chart of a study as the page shows it, and when it has to be drawn again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import promptlab as pl

from ...components.gradio_internals import PlotData

CHARTS = {
    "history": "History",
    "importances": "Importances",
    "parallel": "Parallel coordinates",
    "pareto": "Pareto front",
}
"""Names of `promptlab.Study.figures`, and what they are called."""
TOLD = {
    "history": "A dot is a complete trial; the line is the best value so far. Point at one to see "
    "which prompt it was.",
    "importances": "How much each setting decided whether a trial is among the best (PED-ANOVA). "
    "The shares add up to one.",
    "parallel": "A line is a trial, from its value through its settings; the stronger, the better. "
    "Point at a line or a name to read it in full.",
    "pareto": "Nothing is both better and cheaper than the trials on the front.",
}
_CONFIG = {"displayModeBar": False, "displaylogo": False, "scrollZoom": False}
_HEIGHT = 360


class ChartKey(NamedTuple):
    """What a drawn chart shows; equal keys mean that there is nothing new."""

    study: str
    chart: str
    finished: int
    files: tuple[int, ...]


class StudyChart(NamedTuple):
    """A chart for `gr.Plot`, or why there is none, and its key."""

    plot: PlotData | None
    missing: str
    key: ChartKey


def chart_files(folder: Path) -> tuple[int, ...]:
    """When the storage in a study's folder was last written, in nanoseconds."""
    found = []
    for name in ("study.db", "study.db-wal", "leaderboard.json"):
        path = folder / name
        found.append(path.stat().st_mtime_ns if path.exists() else 0)
    return tuple(found)


def draw_chart(folder: Path, chart: str, before: ChartKey | None = None) -> StudyChart | ChartKey:
    """The chart of a study's folder, or its key alone when ``before`` shows the same already.

    It is drawn again when another trial has finished. Raises `InputError`.
    """
    files = chart_files(folder)
    known = before is not None and before[:2] == (folder.name, chart)
    if known and before is not None and before.files == files:
        return before
    figure = pl.Study(folder).figures([chart])[chart]
    meta = figure.layout.meta
    key = ChartKey(folder.name, chart, meta["finished"], files)
    if known and before is not None and before.finished == key.finished:
        return key
    if meta["missing"]:
        return StudyChart(None, meta["missing"], key)
    if figure.layout.height is None:
        figure.update_layout(height=_HEIGHT)
    return StudyChart(plot_data(figure), "", key)


def plot_data(figure: Any) -> PlotData:
    """A Plotly figure for `gr.Plot`, without tools that a phone's finger would hit."""
    document = json.loads(figure.to_json())
    return PlotData(type="plotly", plot=json.dumps(document | {"config": _CONFIG}))
