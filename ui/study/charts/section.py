"""The section *Charts* under a study's leaderboard: one chart at a time, live while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.errors import api_endpoint
from ...components.html import error, html_panel, note
from ...components.listeners import DEFAULT_CONCURRENCY, on_latest
from ...queue.queue_folder import study_folder
from .chart import CHARTS, TOLD, ChartKey, StudyChart, draw_chart


def build_charts_section(runs: Path, study: Any, looked: Sequence[Any]) -> None:
    """Lay the charts of the ``study`` chosen out.

    They look for new trials at every event of ``looked``, such as a timer's tick and the opening
    of the page, and draw when there are any.
    """

    def study_figure(study: str, chart: str) -> dict[str, Any]:
        """A chart of a study as Plotly JSON: history, importances, parallel or pareto."""
        figure = pl.Study(study_folder(runs, study)).figures([chart])[chart]
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
        remark = html_panel(name="chart-remark")
    key = gr.State(None)
    on_latest(
        [chart.input, study.change, *looked],
        lambda *chosen: refresh_chart(runs, *chosen),
        [study, chart, key],
        [plot, remark, key],
        **DEFAULT_CONCURRENCY,
    )
    api_endpoint(study_figure)


def refresh_chart(
    runs: Path, name: str | None, chart: str, before: ChartKey | None
) -> tuple[Any, Any, Any]:
    """Plot, remark and key; nothing is sent as long as no other trial has finished."""
    if not name:
        nothing = note("Choose a study; its search is drawn here.")
        return gr.Plot(None, visible=False), str(nothing), None
    try:
        found = draw_chart(
            study_folder(runs, name), chart, None if before is None else ChartKey(*before)
        )
    except pl.PromptlabError as problem:
        return gr.Plot(None, visible=False), str(error(problem)), None
    if not isinstance(found, StudyChart):
        same = before is not None and found == ChartKey(*before)
        return gr.skip(), gr.skip(), gr.skip() if same else found
    if found.plot is None:
        return gr.Plot(None, visible=False), str(note(f"{found.missing}.")), found.key
    classes = ["pl-chart", f"pl-chart-{chart}"]
    shown = gr.Plot(found.plot, visible=True, elem_classes=classes)
    return shown, str(note(TOLD[chart])), found.key
