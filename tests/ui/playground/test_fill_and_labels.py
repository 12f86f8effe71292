"""Fill in the blank and label probabilities, as the playground shows them, without a browser."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest

from tests.helpers.scripted_model import ScriptedModel

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.ui.playground import fill_cards, fill_section, labels_section

HOSTILE = "<script>alert(1)</script>"
TEMPLATES = "the film was {mask}.\na {mask} {x} film\nno slot"
ANSWERS = "negative: terrible, bad\npositive: great"


@pytest.mark.parametrize("name", ["causal", "masked"])
def test_the_expected_answer_stands_beside_the_fills(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: Any = request.getfixturevalue(name)
    rows = fill_section.fill_templates(model, TEMPLATES, "x = slow", 5, "great")
    assert "no answer slot" in rows[2]["error"]
    for row in rows[:2]:
        target = row["target"]
        assert target["answer"] == "great" and target["tokens"] == 1
        if target["rank"] <= 5:
            item = row["fills"][target["rank"] - 1]
            assert item["probability"] == pytest.approx(target["probability"], rel=1e-5)
        else:
            assert target["probability"] <= row["fills"][-1]["probability"]
    shown = str(fill_cards.fill_html(rows))
    assert shown.count("<tr>") == 3 and "P(great)" in shown
    assert shown.count("pl-strong") >= 3  # the best word of each card, and the best template


def test_a_first_place_and_an_answer_of_several_tokens(causal: Any) -> None:
    best = fill_section.fill_templates(causal, "the film was {mask}", "", 3)[0]["fills"][0]["token"]
    target = {"answer": "x", "probability": 0.5, "rank": 1, "tokens": 1}
    assert "\u2713" in fill_cards.rank_html(target)
    assert "3 tokens" in fill_cards.rank_html(target | {"rank": None, "tokens": 3})
    row = fill_section.fill_templates(causal, "the film was {mask}", "", 3, "great film")[0]
    assert row["target"]["rank"] is None
    assert "several tokens" in str(fill_cards.fill_html([row])) and best is not None


def test_without_an_answer_one_template_has_no_table(causal: Any) -> None:
    one = fill_section.fill_templates(causal, "the film was {mask}", "", 3)
    assert "<table" not in fill_cards.fill_html(one)
    assert "<table" in fill_cards.fill_html(one * 2) and "P(" not in fill_cards.fill_html(one * 2)


def test_a_model_that_cannot_fill_is_told_once() -> None:
    with pytest.raises(pl.InputError, match="cannot"):
        fill_section.fill_templates(ScriptedModel(), TEMPLATES, "x = slow", 5)


def test_the_capitals_read_the_country() -> None:
    rows = [pl.Template(text) for text in fill_section.CAPITALS.splitlines()]
    assert len(rows) == 4 and all(row.fields == ("country",) for row in rows)


def test_words_of_white_space_are_visible() -> None:
    assert [fill_cards.token_word(token) for token in (" a", " ", "\n", "")] == [
        "a",
        "\u2423",
        "\u23ce",
        "\u2205",
    ]


def test_several_inputs_under_every_calibration(causal: Any) -> None:
    inputs = labels_section.read_inputs("text = a dull film\n\n\ntext = a great joy\n")
    assert inputs == [{"text": "a dull film"}, {"text": "a great joy"}]
    names = list(labels_section.CALIBRATIONS)
    found = labels_section.calibrated_probabilities(
        causal, "{text} it was {mask}", ANSWERS, inputs, names
    )
    assert [list(row["probabilities"]) for row in found["inputs"]] == [names, names]
    verbalizer = pl.Verbalizer({"negative": ["terrible", "bad"], "positive": ["great"]})
    for name in names:
        kind: Any = name
        model = pl.PromptClassifier("{text} it was {mask}", verbalizer, causal, calibration=kind)
        model.fit([pl.Example(str(i), row) for i, row in enumerate(inputs)])
        expected = model.predict_proba(inputs)
        shown = [list(row["probabilities"][name].values()) for row in found["inputs"]]
        np.testing.assert_allclose(shown, expected, atol=1e-6)
    assert list(found["priors"]) == ["contextual", "pmi", "batch"]
    for prior in found["priors"].values():
        assert sum(prior.values()) == pytest.approx(1)
    drawn = str(labels_section.label_cards_html(found))
    assert drawn.count("<tr>") == 3 and "Batch" in drawn and "prior taken off" in drawn


def test_the_prior_is_what_calibration_divides_by(causal: Any) -> None:
    answers = "negative: terrible\npositive: great"  # one answer a label
    inputs = [{"text": "a film"}]
    found = labels_section.calibrated_probabilities(
        causal, "{text} it was {mask}", answers, inputs, ["none", "pmi"]
    )
    (row,) = found["inputs"]
    divided = {k: v / found["priors"]["pmi"][k] for k, v in row["probabilities"]["none"].items()}
    total = sum(divided.values())
    for label, share in row["probabilities"]["pmi"].items():
        assert share == pytest.approx(divided[label] / total, rel=1e-4)


def test_a_changed_label_is_marked() -> None:
    row = {
        "fields": {"text": HOSTILE},
        "prompt": f"{HOSTILE} {{mask}}",
        "slot": len(HOSTILE) + 1,
        "shortened": [],
        "probabilities": {"none": {"a": 0.6, "b": 0.4}, "pmi": {"a": 0.3, "b": 0.7}},
    }
    found = {
        "inputs": [row],
        "answers": {"a": ["x"], "b": ["y"]},
        "priors": {"pmi": {"a": exp(-0.5), "b": 1 - exp(-0.5)}},
    }
    one = str(labels_section.label_cards_html(found))
    assert one.count("pl-play-changed") == 1 and one.count('pl-play-prior"') == 2
    many = str(labels_section.label_cards_html(found | {"inputs": [row, row]}))
    assert many.count("pl-play-flip") == 2
    assert "<script" not in one + many


def test_unreadable_inputs_are_told(causal: Any) -> None:
    with pytest.raises(pl.InputError, match="expected name = value"):
        labels_section.read_inputs("text = a\n\nb")
    with pytest.raises(pl.InputError, match="scores 50"):
        labels_section.read_inputs("text = a\n\n" * 51)
    assert labels_section.read_inputs("") == [{}]
    with pytest.raises(pl.InputError, match="chat"):
        labels_section.calibrated_probabilities(
            causal, "{x} {mask} b", ANSWERS, [{"x": "a"}], ["none"], chat=True
        )
