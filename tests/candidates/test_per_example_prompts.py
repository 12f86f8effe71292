"""The kind *per_example_prompts*: what the model is shown, and what stands in each prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FixedTrial

import promptlab as pl
from promptlab.candidates.base import find_kind
from promptlab.candidates.per_example_prompts import (
    PerExamplePromptsKind,
    PerExamplePromptsSettings,
)
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import StudyError
from tests.helpers.scripted_model import ScriptedModel

ROWS = [
    Example(str(n), {"text": f"the {noun} was {word}", "shop": shop}, label)
    for n, (noun, word, shop, label) in enumerate(
        [("plot", "fine", "films", "good"), ("plot", "dull", "films", "bad"),
         ("engine", "fine", "cars", "good"), ("engine", "dull", "cars", "bad"),
         ("plot", "weak", "films", "bad"), ("engine", "quick", "cars", "good")]
    )
]  # fmt: skip
TASK = Task("shops", tuple(ROWS[:4]), (ROWS[4],), (ROWS[5],), labels=("bad", "good"),
            fields=("text", "shop"))  # fmt: skip
INNER = {
    "kind": "template",
    "templates": [{"text": "{features}. {text} {mask}", "answers": {"bad": "bad", "good": "good"}}],
}


def made(**changes: Any) -> PerExamplePromptsKind:
    given = {"kind": "per_example_prompts", "inner": INNER, "domain": "shop"} | changes
    return PerExamplePromptsKind(PerExamplePromptsSettings.model_validate(given), TASK)


def write(prompt: str, sample: int) -> str:
    question = prompt.rsplit("Text: ", 1)[-1]
    return "films: plot" if "plot" in question else "cars: engine" if "engine" in question else ""


def rate(prompt: str, answer: str) -> float:
    """Films are good and cars are bad, by what was written alone."""
    right = "good" if prompt.startswith("films: plot.") else "bad"
    return 0.0 if answer == right else -3.0


def test_the_model_is_shown_examples_with_features_of_their_domain() -> None:
    assert find_kind("per_example_prompts") is PerExamplePromptsKind
    shown = {one["fields"]["text"]: one["knowledge"] for one in made(features=1).shown}
    assert shown == {
        "the plot was fine": "films: plot", "the plot was dull": "films: plot",
        "the engine was fine": "cars: engine", "the engine was dull": "cars: engine",
    }  # fmt: skip
    assert all(":" not in one["knowledge"] for one in made(domain=None).shown)


def test_each_example_has_a_prompt_of_its_own(tmp_path: Path) -> None:
    kind, model = made(), ScriptedModel(write, rate)
    predictor = kind.fit(kind.suggest(FixedTrial({}), ""), model)
    rows = predictor.predict([ROWS[4], ROWS[5]])
    assert rows.labels == ["good", "bad"]
    asked = [prompt for batch in model.calls for prompt, _ in batch]
    assert all(prompt.count("About: ") >= 4 and "shop" not in prompt.lower() for prompt in asked)
    assert any("films: plot. the plot was weak" in prompt for prompt in model.scored)
    again = pl.load(predictor.save(tmp_path / "saved"), model)
    assert again.predict([ROWS[4], ROWS[5]]).labels == rows.labels


def test_an_example_of_which_nothing_is_written_is_told_or_asked_bare() -> None:
    odd = Example("odd", {"text": "the soup was cold", "shop": "food"}, "bad")
    kind, model = made(), ScriptedModel(write, rate)
    (row,) = kind.fit(kind.suggest(FixedTrial({}), ""), model).predict([odd])
    assert row.label is None and row.unparsed
    bare = made(bare=[True])
    (row,) = bare.fit(bare.suggest(FixedTrial({}), ""), model).predict([odd])
    assert row.label == "bad"


def test_what_cannot_be() -> None:
    with pytest.raises(StudyError, match="the data has no field 'place'"):
        made(domain="place")
    plain = Task("t", (Example("1", {"text": "of the"}, "bad"),), (), (), labels=("bad", "good"),
                 fields=("text",))  # fmt: skip
    given = {"kind": "per_example_prompts", "inner": INNER}
    with pytest.raises(StudyError, match="no training text has a word"):
        PerExamplePromptsKind(PerExamplePromptsSettings.model_validate(given), plain)
