"""Axes: round steps, positions inside the drawing, logarithms where they help."""

from __future__ import annotations

import pytest

from promptlab.study.report.scale import cost_scale, scale_over


def test_scale_has_round_steps_and_keeps_marks_inside() -> None:
    scale = scale_over([0.49, 0.863])
    assert [tick.text for tick in scale.ticks(lambda value: f"{value:.1f}")] == [
        "0.4",
        "0.5",
        "0.6",
        "0.7",
        "0.8",
        "0.9",
    ]
    assert scale.at(-5) == 3
    assert scale.at(0.9) == 97
    assert scale_over([0.5, 0.5]).at(0.5) == pytest.approx(50, abs=1)
    upward = scale_over([0, 10], start=88, end=6)
    assert upward.at(0) == 88
    assert upward.at(10) == 6


def test_cost_scale_turns_logarithmic_over_wide_ranges() -> None:
    assert cost_scale([0, 50, 250], start=10, end=90).at(0) == 10
    wide = cost_scale([10, 100, 1000], start=10, end=90)
    assert [wide.at(value) for value in (10, 100, 1000)] == [10, 50, 90]
    assert [tick.text for tick in wide.ticks(lambda value: f"{value:g}")] == [
        "10",
        "30",
        "100",
        "300",
        "1000",
    ]
