"""The section *Charts* under a study's leaderboard: one chart at a time, live while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.errors import endpoint
from ...components.html import error, note, panel
from ...components.listeners import SIDE_BY_SIDE, on_last
from ...context import Workbench
from .chart import CHARTS, TOLD, Chart, Key, draw


def section(bench: Workbench, study: Any, looked: Sequence[Any]) -> None:
    """Lay the charts of the ``study`` chosen out.

    They look for new trials at every event of ``looked``, such as a timer's tick and the opening
    of the page, and draw when there are any.
    """

    def study_figure(study: str, chart: str) -> dict[str, Any]:
        """A chart of a study as Plotly JSON: history, importances, parallel or pareto."""
        figure = pl.Study(bench.study(study)).figures([chart])[chart]
        found: dict[str, Any] = json.loads(figure.to_json())
        return found

    with gr.Group(elem_classes="pl-charts"):
        chart = gr.Radio(
            [(title, name) for name, title in CHARTS.items()],
            value="history",
            label="Chart",
            elem_id="chart-choice",
        )
        plot = gr.Plot(
            show_label=False, container=False, visible=False, elem_id="chart",
            elem_classes="pl-chart",
        )  # fmt: skip
        remark = panel(name="chart-remark")
    key = gr.State(None)
    on_last(
        [chart.input, study.change, *looked],
        lambda *chosen: look(bench, *chosen),
        [study, chart, key],
        [plot, remark, key],
        **SIDE_BY_SIDE,
    )
    endpoint(study_figure)


def look(
    bench: Workbench, name: str | None, chart: str, before: Key | None
) -> tuple[Any, Any, Any]:
    """Plot, remark and key; nothing is sent as long as no other trial has finished."""
    if not name:
        nothing = note("Choose a study; its search is drawn here.")
        return gr.Plot(None, visible=False), str(nothing), None
    try:
        found = draw(bench.study(name), chart, None if before is None else Key(*before))
    except pl.PromptlabError as problem:
        return gr.Plot(None, visible=False), str(error(problem)), None
    if not isinstance(found, Chart):
        same = before is not None and found == Key(*before)
        return gr.skip(), gr.skip(), gr.skip() if same else found
    if found.plot is None:
        return gr.Plot(None, visible=False), str(note(f"{found.missing}.")), found.key
    classes = ["pl-chart", f"pl-chart-{chart}"]
    shown = gr.Plot(found.plot, visible=True, elem_classes=classes)
    return shown, str(note(TOLD[chart])), found.key
