"""Saved predictors of every kind over one tiny model, for the surfaces that damage them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import promptlab as pl
from promptlab.data.example import Example
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import TunedWeights
from promptlab.predictors.answer_vectors import AnswerVectorClassifier
from promptlab.predictors.ensemble.cascade import Cascade
from promptlab.predictors.head import HeadClassifier
from promptlab.predictors.prototypes import PrototypeClassifier
from promptlab.predictors.soft_prompt_mixture import MixtureClassifier
from promptlab.prompts.parsers.parsers import ChoiceParser, TextParser
from promptlab.strategies.chain import Chain, ChainStep
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from promptlab.strategies.generated_knowledge import GeneratedKnowledge
from promptlab.strategies.retrieval import Retrieval
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.strategies.span_decomposition.strategy import SpanDecomposition
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.search import TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from tests.helpers import tiny_models

ANSWERS = {"negative": ["bad", "awful"], "positive": ["good", "great"]}
TRAIN = [
    Example(f"{label}{n}", {"text": f"the {thing} was {word}"}, label)
    for label, word in (("negative", "dull"), ("positive", "witty"))
    for n, thing in enumerate(("film", "plot", "soup", "hour"))
]
TEXTS = ["a gorgeous film .", "a dull film ."]
FEW = pl.Decoding(max_tokens=3)
DRAWN = pl.Decoding(max_tokens=3, temperature=1.0)
CHOICE = ChoiceParser((("negative", ("bad",)), ("positive", ("good",))))


def tiny_model() -> LocalModel:
    """A tiny Llama in memory."""
    return from_transformers(*tiny_models.llama(), name="tiny")


def learned_model(model: LocalModel, *names: str) -> LocalModel:
    """The model with random learned parts of these names."""
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    virtual = model.engine.network.virtual_tokens
    layers, heads, size = model.prefix_shape or (0, 0, 0)
    parts: dict[str, Any] = {}
    if "vectors" in names:
        parts |= {"vectors": drawn(3, virtual.width), "soft": (("0", 3),)}
    if "mixed" in names:
        parts |= {"vectors": drawn(6, virtual.width), "soft": (("0", 3), ("0m", 3))}
    if "prefix" in names:
        parts |= {"prefix": drawn(layers, 2, heads, 2, size)}
    if "triggers" in names:
        parts |= {"triggers": ((5, 9),)}
    if "head" in names:
        parts |= {"head": drawn(2, virtual.width), "head_bias": drawn(2)}
    if "weights" in names:
        weights = dict(model.engine.network.model.named_parameters())
        name = "model.layers.1.mlp.down_proj.weight"
        parts |= {"weights": TunedWeights({name: weights[name].detach() + 0.1})}
    if "lora" in names:
        place = "base_model.model.model.layers.1.self_attn.q_proj"
        tensors = {f"{place}.lora_A.weight": drawn(2, 32), f"{place}.lora_B.weight": drawn(32, 2)}
        facts = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none",
                 "fan_in_fan_out": False, "peft_type": "LORA"}  # fmt: skip
        parts |= {"weights": TunedWeights(tensors, facts)}
    return model.with_learned_parts(LearnedParts(facts={"tokens": 7}, **parts))


def learned_predictors(model: LocalModel) -> dict[str, pl.Predictor]:
    """One predictor a sort of learned parts."""
    soft = pl.Template("{text}{soft:3} It was {mask}")
    plain = pl.Template("{text} It was {mask}")
    return {
        "soft": pl.PromptClassifier(soft, ANSWERS, learned_model(model, "vectors")),
        "prefix": pl.PromptClassifier(plain, ANSWERS, learned_model(model, "prefix")),
        "triggers": pl.PromptClassifier(
            pl.Template("{text}{trigger:2} It was {mask}"),
            ANSWERS,
            learned_model(model, "triggers"),
        ),
        "tuned": pl.PromptClassifier(plain, ANSWERS, learned_model(model, "weights")),
        "lora": pl.PromptClassifier(plain, ANSWERS, learned_model(model, "lora")),
        "head": HeadClassifier("{text}", list(ANSWERS), learned_model(model, "head")),
        "mixture": MixtureClassifier(
            pl.PromptClassifier(soft, ANSWERS, learned_model(model, "mixed")), [0.25, 0.75]
        ),
    }


def predictors(model: LocalModel) -> dict[str, pl.Predictor]:
    """A fitted predictor of every kind."""
    template = "{text} It was {mask}"
    plain = pl.PromptClassifier(template, ANSWERS, model, calibration="contextual").fit(TRAIN)
    shown = pl.PromptClassifier(template, ANSWERS, model, demonstrations=2).fit(TRAIN)
    nearest = pl.PromptClassifier(
        template, ANSWERS, model, demonstrations=pl.DemonstrationConfig(1, selection="nearest")
    ).fit(TRAIN)
    generator = pl.PromptGenerator(template, TextParser(("\n",)), model, decoding=FEW)
    writing = pl.PromptGenerator(template, CHOICE, model, decoding=DRAWN)
    thought = ChainOfThought(template, model, verbalizer=pl.Verbalizer(ANSWERS), decoding=FEW)
    knowing = pl.PromptClassifier("{knowledge} {text} It was {mask}", ANSWERS, model)
    span = pl.Template("{text} {span} is {mask}")
    names = pl.Verbalizer({"person": "man", "O": "none"})
    soft = learned_predictors(model)["soft"]
    return {
        "classifier": plain,
        "demonstrations": shown,
        "nearest": nearest,
        "generator": generator,
        "chain": Chain(
            [
                ChainStep.of("first", "{text} So {mask}", decoding=FEW),
                ChainStep.of("second", "{first} It was {mask}", verbalizer=ANSWERS),
            ],
            model,
        ),
        "thought": thought,
        "consistency": SelfConsistency(writing, samples=2),
        "knowledge": GeneratedKnowledge(knowing, "{text} Fact: {mask}", count=2, decoding=DRAWN),
        "retrieval": Retrieval(
            pl.PromptClassifier("{passages} {text} It was {mask}", ANSWERS, model),
            ["a witty film", "a dull plot"],
            k=1,
            field="passages",
        ),
        "spans": SpanDecomposition(span, names, model, outside="O", bias=0.0, longest=2),
        "tree": TreeOfThoughts(
            ThoughtGenerator(pl.Template("{text} {state} {mask}"), "propose", 2, FEW),
            StateEvaluator(pl.Template("{text} {state} is {mask}")),
            model,
            search=TreeSearch(depth=1, beam=1),
            parser=TextParser(),
        ),
        "ensemble": pl.Ensemble([plain, soft, shown], "learned").fit([], dev=TRAIN),
        "cascade": Cascade([plain, shown], [0.2]),
        "prototypes": PrototypeClassifier(template, model).fit(TRAIN),
        "vectors": AnswerVectorClassifier(template, model, ANSWERS).fit(TRAIN),
    }


def save_all(made: dict[str, pl.Predictor], folder: Path) -> dict[str, Path]:
    """The folders of saved predictors, by name."""
    return {name: one.save(folder / name) for name, one in made.items()}


def predicted(predictor: pl.Predictor) -> list[Any]:
    """What it predicts, to the digits that a saved file keeps."""
    rows = predictor.predict(TEXTS)
    return [
        (row.label, row.text, None if row.scores is None else
         {k: round(v, 4) for k, v in row.scores.items()})
        for row in rows
    ]  # fmt: skip
