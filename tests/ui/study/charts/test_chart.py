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
from promptlab.ui.context import Workbench
from promptlab.ui.study.charts.chart import CHARTS, Chart, draw
from promptlab.ui.study.charts.section import look, section
from tests.study.figures.test_figures import HOSTILE, study, trial


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    runs = tmp_path / "runs"
    runs.mkdir()
    study(runs / "tried", [trial(number) for number in range(6)])
    return Workbench(("tiny",), runs)


def document(chart: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(chart.plot.plot)
    return found


@pytest.mark.parametrize("name", list(CHARTS))
def test_charts_have_no_background_and_no_tools(bench: Workbench, name: str) -> None:
    found = draw(bench.study("tried"), name)
    assert isinstance(found, Chart) and found.plot is not None
    drawn = document(found)
    assert drawn["config"]["displayModeBar"] is False
    assert drawn["layout"]["paper_bgcolor"] == drawn["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert drawn["layout"]["dragmode"] is False
    assert "<a href" not in found.plot.plot and HOSTILE.split()[0] not in found.plot.plot


def test_a_chart_is_drawn_again_when_a_trial_has_finished(bench: Workbench) -> None:
    folder = bench.study("tried")
    first = draw(folder, "history")
    assert isinstance(first, Chart)
    settled = draw(folder, "history", first.key)  # SQLite's log may have been folded meanwhile
    assert not isinstance(settled, Chart) and draw(folder, "history", settled) == settled
    assert isinstance(draw(folder, "pareto", first.key), Chart)
    kept = optuna.load_study(study_name="tried", storage=f"sqlite:///{folder / 'study.db'}")
    kept.ask()
    same = draw(folder, "history", first.key)
    assert not isinstance(same, Chart) and same.finished == 6
    kept.add_trial(trial(7))
    again = draw(folder, "history", same)
    assert isinstance(again, Chart) and again.key.finished == 7
    assert len(document(again)["data"][0]["x"]) == 7


def test_what_cannot_be_drawn_is_told(bench: Workbench) -> None:
    plot, told, key = look(bench, None, "history", None)
    assert not plot.visible and "Choose a study" in told and key is None
    plot, told, _ = look(bench, "../tried", "history", None)
    assert not plot.visible and "holds no study named" in told
    (bench.runs / "begun").mkdir()
    record = (bench.runs / "tried" / "study.yaml").read_text()
    (bench.runs / "begun" / "study.yaml").write_text(record)
    plot, told, key = look(bench, "begun", "parallel", None)
    assert not plot.visible and "no trial has begun yet" in told
    plot, told, key = look(bench, "tried", "parallel", key)
    assert plot.visible and "A line is a trial" in told
    assert look(bench, "tried", "parallel", key)[:2] == (gr.skip(), gr.skip())


def test_the_section_has_an_endpoint(bench: Workbench) -> None:
    with gr.Blocks() as app:
        chosen = gr.Dropdown(["tried"], value="tried")
        section(bench, chosen, [chosen.select])
    endpoint = next(fn for fn in app.fns.values() if fn.api_name == "study_figure")
    found = endpoint.fn("tried", "history")
    assert set(found) == {"data", "layout"} and found["layout"]["meta"]["finished"] == 6
    for given in (("..", "history"), ("tried", "pie")):
        with pytest.raises(gr.Error):
            endpoint.fn(*given)
    assert pl.Study(bench.study("tried")).figures(["history"])
