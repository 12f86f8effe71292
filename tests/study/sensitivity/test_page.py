"""The page: self-contained, escaped, with a plot for every part of the result."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.study.sensitivity.analysis import analyse_design
from promptlab.study.sensitivity.design import Factor, FactorialDesign
from promptlab.study.sensitivity.page import sensitivity_page
from promptlab.study.sensitivity.result import Sensitivity
from tests.helpers.report_fixtures import HOSTILE, Page


def sample(word: str = "w", spread: float = 0.2) -> Sensitivity:
    """Three wordings, two formats, three orders, over 60 texts."""
    design = FactorialDesign(
        (
            Factor("wording", tuple(f"{word}{n}" for n in range(3))),
            Factor("format", ("as written", "upper case")),
            Factor("answers", (f"{word} | words",)),
            Factor("order", ("random", "grouped", "given")),
            Factor("seed", ("seed 13",)),
        )
    )
    random = np.random.default_rng(1)
    truth = 0.6 + spread * (np.arange(3) - 1)[:, None, None, None, None, None]
    values = (random.random((*design.shape, 60)) < truth).astype(float)
    prompts = [f"{word} says: fine It was {{mask}}"] * design.size
    found: dict[str, Any] = vars(analyse_design(design, values, prompts, 3))
    return Sensitivity(
        name=word, task="films", model=word, metric="accuracy", started_from=f"trial 1: {word}",
        factors={factor.name: factor.levels for factor in design.factors}, n=60, n_missing=2,
        n_asked=1000, n_reused=80, seed=3, remarks=(f"{word} was left out",), **found,
    )  # fmt: skip


def test_the_page_shows_every_part() -> None:
    found = sample()
    html = sensitivity_page(found)
    page = Page(html)
    assert page.open == []
    for text in (*found.statements, "W was left out.", "test was not read", "worst case", "Seed 3"):
        assert " ".join(text.split()) in " ".join(page.text.split()), text
    assert page.text.count("95 % interval") >= 5
    dots = [value for tag, name, value in page.attributes if tag == "circle" and name == "class"]
    assert len(dots) >= 18 + 3 + 2 + 3  # prompts, and levels of the factors
    assert page.tags.count("polyline") == 2 * 3  # ranks over format and order, a line a wording
    places = [v for t, n, v in page.attributes if n in ("cx", "x", "width") and v.endswith("%")]
    assert all(0 <= float(value[:-1]) <= 100 for value in places)
    ids = {value for _, name, value in page.attributes if name == "id"}
    links = {value[1:] for _, name, value in page.attributes if name == "href"}
    assert links and links <= ids


def test_no_request_and_no_script_of_others() -> None:
    html = sensitivity_page(sample(HOSTILE))
    assert "alert(1)</script>" not in html and "<img" not in html
    assert "{{ 7*7 }}" in Page(html).text
    assert html.count("<script>") == 1
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!#)", html)
    assert not re.findall(r"https?://", html)
    assert not any(name == "style" for _, name, _ in Page(html).attributes)


def test_nothing_differs() -> None:
    found = sample(spread=0.0)
    nothing = replace(
        found,
        variance=0.0,
        noise=0.0,
        shares=tuple(replace(r, index=None, share=None, ci95=None) for r in found.shares),
        stability=(),
    )
    page = Page(sensitivity_page(nothing))
    assert "no more than the noise" in page.text and 'id="ranks"' not in page.text
    assert page.open == []


def test_a_folder_gets_page_and_document(tmp_path: Path) -> None:
    document, page = sample().write(tmp_path / "new")
    assert document.name == "sensitivity.json" and page.name == "sensitivity.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="file"):
        sample().write(tmp_path / "file")
