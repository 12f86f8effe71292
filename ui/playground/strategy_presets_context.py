"""Strategies that put more into the prompt: knowledge, passages, earlier steps, stretches."""

from __future__ import annotations

from typing import Any

import promptlab as pl
from promptlab.strategies import ChainStep

from ..components.text_fields import read_answers
from .strategy_preset import (
    LABELS,
    LINE,
    StrategyPreset,
    Values,
    answering_predictor,
    decoding_value,
    prompt_predictor,
    split_lines,
    template_value,
)
from .strategy_settings import StrategySetting

_YES_NO = "question = Do fish live in water?"
_FACT = """\
Write a fact about the subject of the question.

Question: {question}
Fact: {mask}"""
_PASSAGES = """\
Warsaw has been the capital of Poland since 1596.
Kraków was the seat of the Polish kings for centuries.
The Vistula is the longest river in Poland; it is 1,047 km long.
Penguins are birds that cannot fly.
Honey keeps for thousands of years."""
_STEPS = """\
subject: Name the subject of this question in a few words: {question}\\nSubject: {mask}
fact: Write one sentence about {subject}.\\nSentence: {mask}
answer: {fact}\\n\\nQuestion: {question}\\nAnswer: {mask}"""
_TYPES = "PER: person\nLOC: location\nORG: organization\nMISC: other\nO: none"


def _knowing(model: pl.LanguageModel, values: Values) -> Any:
    inner = prompt_predictor(model, values, template_value(values))
    return pl.GeneratedKnowledge(
        inner,
        template_value({**values, "template": values["asks"]}),
        count=int(values["count"]),
        choose=values["choose"],
        decoding=decoding_value(
            values, temperature=float(values["warmth"]), top_p=0.9, stop=("\n",), max_tokens=40
        ),
    )


def _retrieving(model: pl.LanguageModel, values: Values) -> Any:
    inner = prompt_predictor(model, values, template_value(values))
    passages = split_lines(values["passages"])
    return pl.Retrieval(inner, passages, k=int(values["k"]), method=values["method"])


def _chained(model: pl.LanguageModel, values: Values) -> Any:
    written = split_lines(values["steps"])
    made = []
    for number, line in enumerate(written, 1):
        name, colon, text = line.partition(":")
        if not colon:
            raise pl.InputError(f"steps, line {number}: expected name: template, found {line!r}")
        text = text.strip().replace("\\n", "\n")
        answered = answering_predictor(values) if number == len(written) else {}
        step = ChainStep.of(
            name.strip(),
            pl.Template(text, chat=bool(values["chat"])),
            decoding=decoding_value(values, stop=() if values["chat"] else ("\n",)),
            **answered,
        )
        made.append(step)
    return pl.Chain(made, model)


def _taken_apart(model: pl.LanguageModel, values: Values) -> Any:
    return pl.SpanDecomposition(
        template_value(values),
        pl.Verbalizer(read_answers(values["labels"])),
        model,
        longest=int(values["longest"]),
        keep=values["keep"],
        bias=float(values["bias"]),
    )


RECIPES = (
    StrategyPreset(
        "generated_knowledge",
        "Generated knowledge",
        "The model writes facts first and answers with each of them (Liu et al. 2022).",
        _knowing,
        {
            "template": "{knowledge}\nQuestion: {question}\nAnswer: {mask}",
            "fields": _YES_NO,
            "reads": LABELS,
            "labels": "yes: yes\nno: no",
            "chat": False,
            "max_tokens": 24,
            "seed": 0,
        },
        (
            StrategySetting("asks", "What asks for a fact", _FACT, lines=4),
            StrategySetting("count", "Facts", 4, low=1, high=20),
            StrategySetting(
                "choose",
                "The answer is chosen by",
                "confidence",
                "confidence needs labels to score.",
                choices=("confidence", "vote"),
            ),
            StrategySetting("warmth", "Temperature of the facts", 0.7, low=0.05, high=2, step=0.05),
        ),
        needs=("knowledge",),
    ),
    StrategyPreset(
        "retrieval",
        "Retrieval",
        "The passages nearest to the question are put into its prompt.",
        _retrieving,
        {
            "template": "{context}\n\nQuestion: {question}\nAnswer: {mask}",
            "fields": "question = Which city is the capital of Poland?",
            "reads": LINE,
            "labels": "yes: yes\nno: no",
            "chat": False,
            "max_tokens": 24,
            "temperature": 0.0,
            "seed": 0,
        },
        (
            StrategySetting("passages", "Passages", _PASSAGES, "One a line.", lines=5),
            StrategySetting("k", "Passages in the prompt", 2, low=1, high=20),
            StrategySetting("method", "Nearness by", "bm25", choices=("bm25", "embedding")),
        ),
        needs=("context",),
    ),
    StrategyPreset(
        "chain",
        "Chain of steps",
        "Named prompts one after the other; each reads what those before it said.",
        _chained,
        {
            "fields": "question = Which river flows through Warsaw?",
            "reads": LINE,
            "labels": "yes: yes\nno: no",
            "chat": False,
            "max_tokens": 32,
            "temperature": 0.0,
            "seed": 0,
        },
        (
            StrategySetting(
                "steps",
                "Steps",
                _STEPS,
                "name: template, one a line; {name of a step} is "
                "what it said; \\n is a line break. The last one answers.",
                lines=6,
            ),
        ),
    ),
    StrategyPreset(
        "decomposition",
        "Decomposition into spans",
        "Every span of words is asked about on its own; names are found without parsing a "
        "reply (Cui et al. 2021).",
        _taken_apart,
        {
            "template": "{sentence} The entity type of {span} is {mask}",
            "fields": "sentence = Marie Curie moved from Warsaw to Paris .",
            "labels": _TYPES,
            "chat": False,
        },
        (
            StrategySetting("longest", "Words at most", 3, low=1, high=6),
            StrategySetting("keep", "Spans of", "capitalised", choices=("words", "capitalised")),
            StrategySetting(
                "bias", "A name must be likelier by (nats)", 0.0, low=-10, high=10, step=0.25
            ),
        ),
        needs=("span",),
        sections=("sentence",),
    ),
)
"""In the order in which they are offered."""
