"""Strategies with tiny real models: the same in any batch, and after saving and loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.predictors.wrapper import WrappingStrategy
from promptlab.prompts.parsers.parsers import NumberParser, TextParser
from promptlab.strategies.chain_of_thought.automatic import AutoCoTConfig
from tests.conftest import wrapped
from tests.helpers.tiny_models import Pair

WARM = pl.Decoding(max_tokens=8, temperature=1.0, seed=3)
ANSWERS = {"good": "good", "bad": "bad"}
TEXTS = ["the film was great", "a dull plot", "cold soup and a loud joke", "an hour", "it"]


def rows(labelled: bool = False) -> list[pl.Example]:
    return [
        pl.Example(str(n), {"text": text}, ("good", "bad")[n % 2] if labelled else None)
        for n, text in enumerate(TEXTS)
    ]


def thought(model: Any, **options: Any) -> pl.ChainOfThought:
    return pl.ChainOfThought("Review : {text} Sentiment : {mask}", model, decoding=WARM, **options)


def strategies(model: Any) -> dict[str, pl.Predictor]:
    scored = thought(model, verbalizer=ANSWERS)
    inner = pl.PromptClassifier("{knowledge} {text} It was {mask}", ANSWERS, model)
    read = thought(model, parser=TextParser())
    return {
        "scored": scored,
        "read": read,
        "automatic": thought(
            model,
            verbalizer=ANSWERS,
            mode="auto",
            count=2,
            automatic=AutoCoTConfig(right_only=False, steps=50, by="embedding"),
        ),
        "knowledge": pl.GeneratedKnowledge(inner, "A fact : {text} {mask}", count=3, decoding=WARM),
        "consistent": pl.SelfConsistency(scored, samples=4, adaptive="dirichlet"),
        "overlap": pl.SelfConsistency(read, samples=3, vote="overlap"),
        "weighted": pl.SelfConsistency(read, samples=3, vote="weighted"),
    }


@pytest.fixture(scope="module")
def model(tiny_causal: Pair) -> Any:
    return wrapped(tiny_causal, "tiny-causal")


NAMES = ("scored", "read", "automatic", "knowledge", "consistent", "overlap", "weighted")


@pytest.mark.parametrize("name", NAMES)
def test_batches_and_files_change_nothing(name: str, model: Any, tmp_path: Path) -> None:
    strategy = strategies(model)[name].fit(rows(labelled=True))
    whole = strategy.predict(rows())
    alone = [strategy.predict([row])[0] for row in rows()]
    assert [row.error for row in whole] == [row.error for row in alone]
    assert whole.labels == [row.label for row in alone]
    for one, other in zip(whole, alone, strict=True):
        assert (one.scores is None) == (other.scores is None)
        if one.scores is not None and other.scores is not None:
            assert one.scores == pytest.approx(other.scores, abs=1e-3)
    again = pl.load(strategy.save(tmp_path), model)
    assert type(again) is type(strategy)
    assert again.settings() == strategy.settings()
    assert again.predict(rows()).labels == whole.labels


def test_seeds_and_samples_give_other_reasoning(model: Any) -> None:
    strategy = pl.SelfConsistency(thought(model, parser=TextParser()), samples=4)
    (found,) = strategy.predict(rows()[:1])
    replies = [s["reply"] for s in found.trace["steps"] if s["name"] == "reasoning"]
    assert len(set(replies)) > 1


def test_the_assistants_turn_goes_on_in_a_chat(model: Any) -> None:
    template = pl.Template(parts={"input": "{text}", "cue": "{mask}"}, chat=True)
    strategy = pl.ChainOfThought(template, model, verbalizer=ANSWERS, decoding=WARM)
    found = strategy.predict(rows())
    assert set(found.labels) <= {"good", "bad"}
    assert found.errors == []
    steps = found[0].trace["steps"]
    prompts = found[0].trace["prompts"]
    assert prompts[steps[0]["prompt"]].endswith("[assistant] Let's think step by step.{mask}")


def test_an_encoder_decoder_reasons_too(tiny_seq2seq: Pair) -> None:
    model = wrapped(tiny_seq2seq, "tiny-seq2seq")
    strategy = pl.ChainOfThought("{text} {mask}", model, parser=NumberParser(), decoding=WARM)
    found = strategy.predict(rows())
    assert len(found) == len(TEXTS)
    assert all(row.unparsed == (row.label is None) for row in found)


def test_a_wrapper_has_its_inner_strategys_model(model: Any) -> None:
    strategy = strategies(model)["consistent"]
    assert isinstance(strategy, WrappingStrategy)
    assert strategy.model is strategy.inner.model
    assert strategy.example_prompt("x") == "Review : x Sentiment : Let's think step by step.{mask}"
