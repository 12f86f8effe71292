"""What notebooks show of texts: every text in it is escaped."""

from __future__ import annotations

from typing import Any

import pytest

import promptlab as pl
from promptlab.security.html import html_facts, html_table

HOSTILE = "<script>alert(1)</script>"


def test_titles_names_and_values_are_escaped() -> None:
    facts = html_facts(HOSTILE, {HOSTILE: HOSTILE})
    table = html_table(HOSTILE, [HOSTILE], [[HOSTILE]])
    for shown, count in ((facts, 3), (table, 3)):
        assert "<script" not in shown and shown.count("&lt;script&gt;") == count


def test_a_long_text_is_cut() -> None:
    assert len(html_facts("x", {"y": "z" * 100_000})) < 2_000


@pytest.mark.parametrize(
    "value",
    [
        pl.Template(f"{HOSTILE} {{text}} {{mask}}", name=HOSTILE),
        pl.Template(f"{HOSTILE} {{text}} {{mask}}").render({"text": HOSTILE}),
        pl.Verbalizer({HOSTILE: "a", "b": HOSTILE}),
        pl.Prediction(HOSTILE, HOSTILE, HOSTILE, text=HOSTILE),
        pl.Task(HOSTILE, (), (), (), labels=(HOSTILE, "b")),
        pl.Predictions([pl.Prediction(HOSTILE, HOSTILE, HOSTILE)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_show_themselves_escaped(value: Any) -> None:
    shown = value._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown


def test_an_evaluation_shows_its_interval() -> None:
    rows = pl.Predictions([pl.Prediction("1", "yes", "yes"), pl.Prediction("2", "yes", "no")])
    shown = pl.Evaluation.from_predictions(rows)._repr_html_()
    assert "0.500" in shown and "95 % interval" in shown and "n = 2" in shown


def test_a_verbalizer_is_written_as_it_is_made() -> None:
    made = pl.Verbalizer({"positive": ["great", "good"], "negative": "bad"}, aggregation="max")
    words = "{'positive': ['great', 'good'], 'negative': 'bad'}"
    assert repr(made) == f"Verbalizer({words}, aggregation='max')"
