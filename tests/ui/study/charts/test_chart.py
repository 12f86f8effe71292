"""Charts of a study in the workbench: drawn when there is something new, harmless, findable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

pytest.importorskip("gradio")
pytest.importorskip("plotly")

import gradio as gr

import promptlab as pl
from promptlab.ui.context import AppContext
from promptlab.ui.study.charts.chart import CHARTS, StudyChart, draw_chart
from promptlab.ui.study.charts.section import build_charts_section, refresh_chart
from tests.study.figures.test_figures import HOSTILE, study, trial


@pytest.fixture
def context(tmp_path: Path) -> AppContext:
    runs = tmp_path / "runs"
    runs.mkdir()
    study(runs / "tried", [trial(number) for number in range(6)])
    return AppContext(("tiny",), runs)


def document(chart: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chart.plot.plot)
    return found


@pytest.mark.parametrize("name", list(CHARTS))
def test_charts_have_no_background_and_no_tools(context: AppContext, name: str) -> None:
    found = draw_chart(context.study_folder("tried"), name)
    assert isinstance(found, StudyChart) and found.plot is not None
    drawn = document(found)
    assert drawn["config"]["displayModeBar"] is False
    assert drawn["layout"]["paper_bgcolor"] == drawn["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert drawn["layout"]["dragmode"] is False
    assert "<a href" not in found.plot.plot and HOSTILE.split()[0] not in found.plot.plot


def test_a_chart_is_drawn_again_when_a_trial_has_finished(context: AppContext) -> None:
    folder = context.study_folder("tried")
    first = draw_chart(folder, "history")
    assert isinstance(first, StudyChart)
    settled = draw_chart(
        folder, "history", first.key
    )  # SQLite's log may have been folded meanwhile
    assert not isinstance(settled, StudyChart) and draw_chart(folder, "history", settled) == settled
    assert isinstance(draw_chart(folder, "pareto", first.key), StudyChart)
    kept = optuna.load_study(study_name="tried", storage=f"sqlite:///{folder / 'study.db'}")
    kept.ask()
    same = draw_chart(folder, "history", first.key)
    assert not isinstance(same, StudyChart) and same.finished == 6
    kept.add_trial(trial(7))
    again = draw_chart(folder, "history", same)
    assert isinstance(again, StudyChart) and again.key.finished == 7
    assert len(document(again)["data"][0]["x"]) == 7


def test_what_cannot_be_drawn_is_told(context: AppContext) -> None:
    plot, told, key = refresh_chart(context.runs, None, "history", None)
    assert not plot.visible and "Choose a study" in told and key is None
    plot, told, _ = refresh_chart(context.runs, "../tried", "history", None)
    assert not plot.visible and "holds no study named" in told
    (context.runs / "begun").mkdir()
    record = (context.runs / "tried" / "study.yaml").read_text()
    (context.runs / "begun" / "study.yaml").write_text(record)
    plot, told, key = refresh_chart(context.runs, "begun", "parallel", None)
    assert not plot.visible and "no trial has begun yet" in told
    plot, told, key = refresh_chart(context.runs, "tried", "parallel", key)
    assert plot.visible and "A line is a trial" in told
    assert refresh_chart(context.runs, "tried", "parallel", key)[:2] == (gr.skip(), gr.skip())


def test_the_section_has_an_endpoint(context: AppContext) -> None:
    with gr.Blocks() as app:
        chosen = gr.Dropdown(["tried"], value="tried")
        build_charts_section(context.runs, chosen, [chosen.select])
    endpoint = next(fn for fn in app.fns.values() if fn.api_name == "study_figure")
    found = endpoint.fn("tried", "history")
    assert set(found) == {"data", "layout"} and found["layout"]["meta"]["finished"] == 6
    for given in (("..", "history"), ("tried", "pie")):
        with pytest.raises(gr.Error):
            endpoint.fn(*given)
    assert pl.Study(context.study_folder("tried")).figures(["history"])
