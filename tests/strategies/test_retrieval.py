"""Retrieval: passages near an example in its prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, DataError, InputError, NotFittedError
from promptlab.predictors.base import load
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.strategies.retrieval import Retrieval, read_passages
from tests.conftest import wrapped
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tiny_models import Pair

PASSAGES = ["The moon is made of rock.", "Bees make honey.", "Honey never spoils, bees or not."]
TEMPLATE = "{context}\nQ: {question}\nA: {mask}"


def example(question: str, label: str | None = None, number: int = 0) -> Example:
    return Example(str(number), {"question": question}, label)


def reading(model: ScriptedModel, passages: Any = tuple(PASSAGES), **options: Any) -> Retrieval:
    return Retrieval(PromptGenerator(TEMPLATE, TextParser(), model), passages, **options)


def test_the_nearest_passages_stand_in_the_prompt() -> None:
    model = ScriptedModel(lambda prompt, n: " rock" if "rock" in prompt else " honey")
    strategy = reading(model, k=2)
    found = strategy.predict([example("What is the moon?", "rock"), example("Do bees make honey?")])
    assert found.labels == ["rock", "honey"]
    assert model.calls[0][0][0] == "The moon is made of rock.\nQ: What is the moon?\nA: {mask}"
    assert model.calls[0][1][0].startswith("Bees make honey.\nHoney never spoils")
    assert found[1].trace["passages"] == [1, 2]
    assert [s["name"] for s in found[0].trace["steps"]] == ["retrieve", "answer"]
    assert strategy.fields == ("question",)
    assert strategy.example_prompt(example("moon")).startswith("The moon is made of rock.\nQ: moon")


def test_no_word_in_common_gives_no_passage() -> None:
    model = ScriptedModel(lambda prompt, n: " x")
    (found,) = reading(model).predict([example("Zebra")])
    assert found.trace["passages"] == []
    assert model.calls[0][0][0] == "\nQ: Zebra\nA: {mask}"


def test_training_examples_are_passages_but_never_their_own() -> None:
    model = ScriptedModel(rate=lambda p, answer: float(f"Answer: {answer}" in p.split("\n\n")[-1]))
    inner = PromptClassifier(
        TEMPLATE, {"red": "red", "blue": "blue"}, model, demonstrations=DemonstrationConfig(1)
    )
    strategy = Retrieval(inner, "train", k=1)
    with pytest.raises(NotFittedError, match="passages are the training examples"):
        strategy.predict([example("apple")])
    train = [example("apple fruit", "red", 1), example("fruit sky", "blue", 2)]
    strategy.fit(train)
    assert inner.demonstrations is not None
    (shown,) = inner.demonstrations
    other = {"apple fruit": "fruit sky\nAnswer: blue", "fruit sky": "apple fruit\nAnswer: red"}
    assert shown.fields["context"] == other[shown.fields["question"]]
    assert strategy.predict([example("an apple"), example("the sky")]).labels == ["red", "blue"]
    again = Retrieval.from_settings(strategy.settings(), model)
    assert again.settings() == strategy.settings()
    assert again.predict([example("the sky")]).labels == ["blue"]


def test_passages_come_from_files(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("one line\n\n", encoding="utf-8")
    assert read_passages(lines) == ["one line"]
    lines.write_text("one\ntwo\n", encoding="utf-8")
    assert read_passages(lines) == ["one", "two"]
    lines.write_text("one\nmore\n\ntwo\n", encoding="utf-8")
    assert read_passages(str(lines)) == ["one more", "two"]
    table = tmp_path / "table.jsonl"
    table.write_text("".join(json.dumps({"text": t}) + "\n" for t in ("a", " ", "b")), "utf-8")
    assert read_passages(table) == ["a", "b"]
    with pytest.raises(DataError, match=r"no column 'body'.* its columns are text"):
        read_passages(table, "body")
    with pytest.raises(DataError, match="no such file"):
        read_passages(tmp_path / "none.txt")
    lines.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no passage"):
        read_passages(lines)
    lines.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_passages(lines)
    model = ScriptedModel(lambda prompt, n: " x")
    assert reading(model, table).predict([example("b")])[0].trace["passages"] == [1]


def test_what_is_refused() -> None:
    model = ScriptedModel()
    with pytest.raises(InputError, match="k is 0"):
        reading(model, k=0)
    with pytest.raises(InputError, match="no passages to look in"):
        reading(model, [])
    with pytest.raises(InputError, match=r"put \{facts\} into its template"):
        reading(model, field="facts")
    with pytest.raises(InputError, match="unknown similarity 'luck'"):
        reading(model, method="luck")
    with pytest.raises(CapabilityError, match="gives no vectors"):
        reading(model, method="embedding")
    with pytest.raises(InputError, match="nothing is left to search with"):
        Retrieval(PromptGenerator("{context} {mask}", TextParser(), model), PASSAGES)


def test_a_real_model_finds_by_its_own_vectors(tiny_causal: Pair, tmp_path: Path) -> None:
    model = wrapped(tiny_causal, "tiny-causal")
    inner = PromptClassifier(TEMPLATE, {"good": "good", "bad": "bad"}, model)
    strategy = Retrieval(inner, PASSAGES, k=2, method="embedding")
    rows = [example(PASSAGES[1]), example("the film")]
    found = strategy.predict(rows)
    assert found[0].trace["passages"][0] == 1
    assert [len(row.trace["passages"]) for row in found] == [2, 2]
    strategy.save(tmp_path)
    again = load(tmp_path, wrapped(tiny_causal, "tiny-causal"))
    assert again.predict(rows).labels == found.labels
    assert [row.scores for row in again.predict(rows)] == [row.scores for row in found]
