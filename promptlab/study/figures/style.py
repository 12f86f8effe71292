"""How a study's figures look: for light and dark pages, with texts that stay texts."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from optuna.trial import FrozenTrial, TrialState

from promptlab.security.untrusted_text import sanitize

if TYPE_CHECKING:
    from promptlab.study.figures.trials import FigureTrials

INK, GRID = "#77808c", "rgba(128, 138, 150, 0.25)"
"""Text and lines: readable on white and on near-black."""
BLUE, ORANGE, GREY = "#3b82f6", "#f08c3a", "#98a2b0"
_SCALE = [[0, "#a9b4c2"], [0.5, "#7aa7ee"], [1, "#2563eb"]]
_SHORT, _WIDE, _LONGEST = 22, 60, 600
_CROWD = 40
"""Lines that a parallel plot can show evenly."""


def plain_figure_text(text: object, longest: int = _LONGEST) -> str:
    """Text for Plotly, which reads some HTML: here it is shown as it is."""
    shown = sanitize(str(text), longest=None)
    shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    return html.escape(shown, quote=False)


def wrap_text(text: object) -> str:
    """Long text in lines, as a tooltip shows it."""
    shown = sanitize(str(text), longest=None)[:_LONGEST]
    lines = [part for line in shown.splitlines() for part in textwrap.wrap(line, _WIDE) or [""]]
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def shorten_text(text: object) -> str:
    """The beginning of a long text and its end, as an axis has room for it."""
    shown = sanitize(" ".join(str(text).split()), longest=None)
    if len(shown) > _SHORT:
        shown = f"{shown[: _SHORT - 9]}…{shown[-8:]}"
    return html.escape(shown, quote=False)


def empty_figure(missing: str, finished: int) -> go.Figure:
    """Axes of nothing with the reason in their midst."""
    figure = go.Figure()
    figure.add_annotation(
        text=wrap_text(missing), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False
    )
    figure.update_layout(xaxis_visible=False, yaxis_visible=False)
    return apply_style(figure, finished, missing)


def apply_style(figure: go.Figure, finished: int, missing: str = "") -> go.Figure:
    """What all figures have: no background of their own, and room for their texts."""
    figure.update_layout(
        template="none",
        title=None,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "system-ui, sans-serif"},
        hoverlabel={"align": "left", "font": {"size": 13}},
        margin={"l": 64, "t": 28} | _margin(figure),
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK},
        meta={"finished": finished, "missing": missing},
    )
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "tickcolor": GRID}
    figure.update_xaxes(**axis, automargin=True, fixedrange=True)
    figure.update_yaxes(**axis, automargin=True, fixedrange=True)
    return figure


def _margin(figure: go.Figure) -> dict[str, float]:
    """What a figure has asked for at the right and at the bottom."""
    margin = figure.layout.margin
    return {"r": 16 if margin.r is None else margin.r, "b": 48 if margin.b is None else margin.b}


def history_figure(figure: go.Figure, shown: FigureTrials) -> go.Figure:
    """Complete trials as dots, the best so far as steps, what has no value along the bottom."""
    by_number = {trial.number: trial for trial in shown.trials}
    dots, best = figure.data[0], figure.data[1]
    objective = plain_figure_text(shown.objectives[0])
    dots.update(
        marker={"color": BLUE, "size": 8, "opacity": 0.75},
        name="trial",
        customdata=[_about(shown, by_number[number]) for number in dots.x],
        hovertemplate=f"%{{customdata}}<br><b>%{{y:.4g}}</b> {objective}<extra></extra>",
    )
    best.update(line={"color": ORANGE, "width": 2, "shape": "hv"}, name="best so far")
    best.update(hovertemplate="best so far %{y:.4g}<extra></extra>")
    first = next(i for i, value in enumerate(best.y) if abs(value) != float("inf"))
    best.update(x=best.x[first:], y=best.y[first:])
    figure.data = [dots, best]
    known = [float(value) for value in dots.y]
    room = (max(known) - min(known)) or 0.1
    figure.update_yaxes(range=[min(known) - 0.14 * room, max(known) + 0.08 * room])
    for state, symbol in ((TrialState.PRUNED, "line-ns-open"), (TrialState.FAIL, "x-thin-open")):
        _add_without_value(figure, shown, state, symbol, min(known) - 0.09 * room)
    figure.update_layout(
        xaxis_title="trial",
        yaxis_title=objective,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(tickformat="d", rangemode="tozero")
    return figure


def _add_without_value(
    figure: go.Figure, shown: FigureTrials, state: TrialState, symbol: str, at: float
) -> None:
    rows = [
        trial
        for trial in shown.trials
        if trial.state == state and "asked" in trial.user_attrs and shown.reason(trial)
    ]
    if not rows:
        return
    figure.add_scatter(
        x=[trial.number for trial in rows],
        y=[at] * len(rows),
        mode="markers",
        name="pruned" if state == TrialState.PRUNED else "failed",
        marker={"symbol": symbol, "size": 9, "color": GREY, "line": {"color": GREY, "width": 2}},
        customdata=[f"{_about(shown, t)}<br>{wrap_text(shown.reason(t))}" for t in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _about(shown: FigureTrials, trial: FrozenTrial) -> str:
    return f"trial {trial.number}<br>{wrap_text(shown.name(trial))}"


def importances_figure(figure: go.Figure) -> go.Figure:
    """Bars with names that can be read, the group's below the setting's; the largest on top."""
    bars = figure.data[0]
    names = [name.replace("_", " ").rpartition(".")[::2] for name in bars.y]
    several = len({group for group, _ in names if group}) > 1
    texts = [f"{group} · {name}" if group and several else name for group, name in names]
    below = '<br><span style="font-size:11px">{}</span>'
    ticks = [
        shorten_text(name) + (below.format(shorten_text(group)) if group and several else "")
        for group, name in names
    ]
    bars.update(
        y=list(range(len(names))),
        customdata=[wrap_text(text) for text in texts],
        hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        text=[plain_figure_text(text) for text in bars.text],
        marker={"color": BLUE},
        showlegend=False,
    )
    figure.update_layout(
        xaxis_title="importance",
        yaxis_title=None,
        bargap=0.35,
        height=max(240, (44 if several else 34) * len(names) + 100),
    )
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=ticks, showgrid=False)
    figure.update_xaxes(range=[0, 1.18 * max(bars.x)])
    return figure


def parallel_figure(figure: go.Figure, maximise: bool) -> go.Figure:
    """Better trials in stronger blue and drawn last; long categories shortened, whole on hover.

    The axis with the longest texts comes last, where there is room for them.
    """
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    names = [str(text) for text in figure.layout.xaxis.ticktext]
    texts: list[list[str]] = [[] for _ in names]
    for note in figure.layout.annotations:
        texts[int(note.x)].append("not set" if note.text == "None" else note.text)
        note.text = texts[int(note.x)][-1]
    widths = [max(map(len, axis), default=0) for axis in texts]
    last = max(range(1, len(names)), key=lambda axis: widths[axis], default=0)
    order = [axis for axis in range(len(names)) if axis != last] + [last]
    heights = [float(trace.y[0]) for trace in lines]
    crowd = max(len(lines) / _CROWD, 1.0)  # of many lines only the best may be strong
    faint, sharp = 0.35 / crowd, min(crowd, 3.0)
    for trace, height in zip(lines, heights, strict=True):
        rank = height if maximise else 1 - height
        strong = rank**sharp
        trace.line.color = _between(strong)
        trace.line.width = 1.2 + 1.4 * strong
        trace.opacity = faint + (0.95 - faint) * strong
        told = [[plain_figure_text(axis), wrap_text(value)] for axis, value in trace.customdata]
        trace.update(y=[trace.y[i] for i in order], customdata=[told[i] for i in order])
    drawn = sorted(range(len(lines)), key=lambda i: heights[i] if maximise else -heights[i])
    figure.data = [lines[i] for i in drawn]
    for note in figure.layout.annotations:
        _place(note, order.index(int(note.x)), len(names) - 1)
    figure.update_layout(
        xaxis={
            "ticktext": [plain_figure_text(names[i]) for i in order],
            "side": "top",
            "range": (-0.1, len(names) - 0.95),
        },
        margin={"r": 24 + 7 * min(widths[last], _SHORT), "b": 16},
        height=max(360, 24 * max(map(len, texts), default=1) + 90),
    )
    return figure


def _place(note: Any, axis: int, last: int) -> None:
    """A tick's text beside its axis: to the left, of the last axis to the right."""
    value = note.text
    side = {"xanchor": "left", "xshift": 6} if axis == last else {"xanchor": "right", "xshift": -6}
    font = {"size": 12, "color": INK}
    note.update(x=axis, text=shorten_text(value), hovertext=wrap_text(value), font=font, **side)


def _between(share: float) -> str:
    """A colour of the scale."""
    from plotly.colors import sample_colorscale

    return str(sample_colorscale(_SCALE, [min(max(share, 0.0), 1.0)])[0])


def pareto_figure(figure: go.Figure, shown: FigureTrials, names: Sequence[str]) -> go.Figure:
    """The front in orange, joined where there are two axes; the others faint."""
    by_number = {trial.number: trial for trial in shown.trials}
    up, across = (plain_figure_text(name) for name in names[:2])
    for trace, label, colour in zip(
        figure.data, ("dominated", "Pareto front"), (BLUE, ORANGE), strict=True
    ):
        told = [json.loads(text.replace("<br>", "\n"))["number"] for text in trace.text or ()]
        front = label != "dominated"
        trace.update(
            text=None,
            customdata=[_about(shown, by_number[number]) for number in told],
            hovertemplate=f"%{{customdata}}<br><b>%{{y:.4g}}</b> {up}<br>"
            f"%{{x:.4g}} {across}<extra></extra>",
            name=label,
            showlegend=True,
            mode="markers",
        )
        trace.marker = {
            "color": colour,
            "size": 11 if front else 8,
            "opacity": 1 if front else 0.5,
        }
    if len(names) == 2:
        _join(figure.data[1])
    figure.update_layout(
        xaxis_title=across,
        yaxis_title=up,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def _join(front: Any) -> None:
    order = sorted(range(len(front.x)), key=lambda i: (front.x[i], front.y[i]))
    front.update(
        x=[front.x[i] for i in order],
        y=[front.y[i] for i in order],
        customdata=[front.customdata[i] for i in order],
        mode="lines+markers",
        line={"color": ORANGE, "width": 1, "dash": "dot"},
    )
