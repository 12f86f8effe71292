"""The report's plots as geometry."""

from __future__ import annotations

from typing import Any

from promptlab.study.report import plots
from promptlab.study.report.scale import scale_over


def trial(number: int, value: float, tokens: float, **settings: Any) -> dict[str, Any]:
    return {
        "number": number,
        "name": f"t{number}",
        "kind": "template",
        "dev": {"accuracy": value},
        "tokens_per_example": tokens,
        "candidate": settings,
    }


TRIALS = [  # best first
    trial(3, 0.9, 40, template="b", calibration="batch"),
    trial(1, 0.8, 20, template="a", calibration="batch"),
    trial(2, 0.7, 30, template="a", calibration=None),
    trial(0, 0.5, 20, template="b", calibration=None),
]


def test_spread_groups_by_template_and_colours_by_the_telling_setting() -> None:
    spread = plots.spread_plot(TRIALS, "accuracy", scale_over([0.5, 0.9]), {}, winner=3)
    assert [row.label for row in spread.rows] == ["b", "a"]
    assert [len(row.dots) for row in spread.rows] == [2, 2]
    assert spread.tone_name == "calibration"
    assert spread.tones == [("tone-0", "None"), ("tone-1", "batch")]
    assert spread.rows[0].dots[0].tone == "tone-1 winner"
    assert spread.rows[0].text == "90.0\u00a0%"


def test_history_steps_up_and_never_down() -> None:
    history: list[dict[str, Any]] = [
        {"number": 0, "value": 0.5, "best": 0.5},
        {"number": 1, "value": None, "best": 0.5},
        {"number": 2, "value": 0.8, "best": 0.8},
        {"number": 3, "value": 0.6, "best": 0.8},
    ]
    chart = plots.history_chart(history, "accuracy")
    assert len(chart.dots) == 3
    assert len(chart.lines) == 4
    assert all(line.y2 <= line.y1 for line in chart.lines)  # up is a smaller y
    assert plots.history_chart([], "accuracy").dots == []


def test_cost_links_the_prompts_that_no_cheaper_one_beats() -> None:
    chart = plots.cost_chart(TRIALS, "accuracy", winner=3)
    assert [dot.tone for dot in chart.dots] == [
        "tone-0",
        "tone-quiet",
        "tone-quiet",
        "tone-0 winner",
    ]
    assert len(chart.lines) == 2


def test_importances_are_ordered_and_relative() -> None:
    bars = plots.importance_bars({"a": 0.2, "b": 0.8, "c": float("nan")})
    assert [(bar.label, bar.width, bar.text) for bar in bars] == [
        ("b", 100.0, "0.80"),
        ("a", 25.0, "0.20"),
    ]
    assert plots.importance_bars({"a": 0.0})[0].width == 0.0


def test_confusion_shades_by_row_and_names_the_unparsed_column() -> None:
    grid = plots.confusion_grid({"labels": ["x", "y"], "matrix": [[8, 1, 1], [0, 0, 0]]})
    assert grid is not None
    assert grid.columns == ["x", "y", "(unparsed)"]
    assert [(cell.heat, cell.share) for cell in grid.rows[0][1]] == [
        (8, "80\u00a0%"),
        (1, "10\u00a0%"),
        (1, "10\u00a0%"),
    ]
    assert [cell.share for cell in grid.rows[1][1]] == ["", "", ""]
    assert plots.confusion_grid({}) is None
    many = [str(number) for number in range(60)]
    assert plots.confusion_grid({"labels": many, "matrix": [[1] * 60] * 60}) is None
