"""The report and the plot of a learning curve."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import StudyError
from promptlab.study.report.curve_plot import curve_plot, interval_band, tone
from promptlab.study.report.report import write_report
from tests.helpers.report_fixtures import HOSTILE, Page


def point(method: str, size: int, mean: float, reach: float | None = 0.02) -> dict[str, Any]:
    known = reach is not None
    return {
        "method": method, "size": size, "mean": mean, "std": 0.01 if known else None,
        "low": mean - reach if reach is not None else None,
        "high": mean + reach if reach is not None else None, "n_seeds": 3 if known else 1,
    }  # fmt: skip


def result(prompt: str = "prompt", head: str = "head") -> dict[str, Any]:
    """A result document of two methods."""
    cells = [
        {"method": m, "size": size, "seed": seed, "state": "complete", "n": 872, "value": 0.8,
         "unparsed_rate": 0.0, "tokens": 1000, "seconds": 2.0, "reason": None, "repeats": None}
        for m in (prompt, head) for size in (0, 16, 256) for seed in (13, 21, 42)
    ]  # fmt: skip
    cells[9] |= {"state": "needs examples", "value": None, "n": None, "reason": "no examples"}
    return {
        "study": "curve",
        "kind": "learning_curve",
        "task": {"name": "sst2", "labels": ["a", "b"], "n_test": 872},
        "model": {"name": "bert-tiny", "dtype": "float32", "device": "cpu"},
        "objective": "accuracy",
        "maximise": True,
        "sizes": [0, 16, 256],
        "seeds": [13, 21, 42],
        "baseline": head,
        "methods": [{"name": prompt, "kind": "template"}, {"name": head, "kind": "head"}],
        "cells": cells,
        "curves": [
            point(prompt, 0, 0.68, None),
            point(prompt, 16, 0.74),
            point(prompt, 256, 0.99, 0.3),
            point(head, 16, 0.55, 0.1),
            point(head, 256, 0.87),
        ],
        "comparisons": [
            {"method": prompt, "baseline": head, "size": 16, "measure": "accuracy",
             "test": "paired_bootstrap", "n": 872, "n_seeds": 3, "n_discordant": 300,
             "difference": 0.19, "ci95": [0.15, 0.23], "p_value": 0.0001, "p_holm": 0.0002,
             "distinguishable": True},
        ],
        "statements": ["prompt leads head."],
        "tokens": 18000,
        "seconds": 36.0,
    }  # fmt: skip


def render(folder: Path, document: dict[str, Any]) -> tuple[str, Page]:
    (folder / "leaderboard.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "study.yaml").write_text("kind: learning_curve\nstudy: curve\n", encoding="utf-8")
    html = write_report(folder).read_text(encoding="utf-8")
    page = Page(html)
    assert page.open == []
    return html, page


def test_every_part_is_there(tmp_path: Path) -> None:
    html, page = render(tmp_path, result())
    for part in (
        "prompt leads head by most at 16 labels a class: +19.0 points.",
        "Learning curve", "Against head", "paired bootstrap test", "p < 0.001", "leads",
        "74.0", "72.0\u201376.0", "needs examples", "no examples", "kind: learning_curve",
    ):  # fmt: skip
        assert part in page.text, part
    assert page.tags.count("polyline") == page.tags.count("polygon") == 2
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not re.search(r"https?:|url\(|@import|//[a-z]", html)
    assert all(name not in ("src", "style") for _, name, _ in page.attributes)
    links = [value for _, name, value in page.attributes if name == "href"]
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert links and all(link[1:] in ids for link in links)


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    harmless = render(tmp_path, result())[1]
    document = result(HOSTILE, HOSTILE + "2") | {"study": HOSTILE, "statements": [HOSTILE]}
    html, page = render(tmp_path, document)
    assert set(page.tags) == set(harmless.tags)
    assert html.count("</script>") == 1
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


def test_the_plot() -> None:
    plot = curve_plot(result())
    prompt, head = plot.series
    assert [tick.text for tick in plot.x_ticks] == ["0", "16", "256"]
    places = [tick.at for tick in plot.x_ticks]
    assert places[1] - places[0] == pytest.approx((places[2] - places[1]) / 4, abs=0.1)
    assert [dot.x for dot in prompt.dots] == places
    assert [dot.x for dot in head.dots] == places[1:]
    assert len(prompt.band.split()) == 6
    first, *_, last = prompt.band.split()
    assert first == last  # a single seed has no band
    assert "one seed" not in prompt.dots[1].title
    assert "0: 68.0\u00a0%, 1 seed" in prompt.dots[0].title
    for series in plot.series:
        numbers = map(float, re.findall(r"[\d.]+", series.band + " " + series.line))
        assert all(0 <= number <= 100 for number in numbers)


def test_a_band_of_a_share_ends_at_its_limits() -> None:
    assert interval_band("accuracy", point("a", 1, 0.99, 0.3)) == (pytest.approx(0.69), 1.0)
    assert interval_band("matthews", point("a", 1, 0.99, 0.3))[1] == pytest.approx(1.29)


def test_one_size_and_many_methods() -> None:
    names = [f"m{i}" for i in range(7)]
    document = result() | {
        "sizes": [0],
        "methods": [{"name": name, "kind": "template"} for name in names],
        "curves": [point(name, 0, 0.5, None) for name in names],
    }
    plot = curve_plot(document)
    assert len({series.tone for series in plot.series}) == 7
    assert all(series.band == "" and len(series.dots) == 1 for series in plot.series)
    assert tone(5) == "tone-0 dashed"


def test_the_app_tells_the_result() -> None:
    pytest.importorskip("gradio")
    from promptlab.ui.study.run.results_section import results_html

    drawn = str(results_html(result(HOSTILE)))
    assert "prompt leads head." in drawn
    assert "A learning curve" in drawn
    assert "<script" not in drawn


def test_a_document_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "leaderboard.json").write_text('{"kind": "learning_curve"}', encoding="utf-8")
    with pytest.raises(StudyError, match="holds no list of cells"):
        write_report(tmp_path)
    document = result()
    del document["curves"]
    (tmp_path / "leaderboard.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(StudyError, match="not as this version writes it"):
        write_report(tmp_path)
