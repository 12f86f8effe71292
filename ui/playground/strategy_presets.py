"""Strategies that reason or vote: direct, few-shot, chain of thought, self-consistency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import promptlab as pl

from .strategy_preset import (
    LABELS,
    NUMBER,
    QUESTION,
    TEMPLATE,
    StrategyPreset,
    Values,
    answering_predictor,
    decoding_value,
    prompt_predictor,
    split_blocks,
    template_value,
)
from .strategy_settings import StrategySetting

_EXAMPLES = """\
question = Lea has 5 pens and buys 3 more. How many pens does she have?
reasoning = Lea had 5 pens. She bought 3 more. 5 + 3 = 8.
answer = 8

question = There were 9 birds on a tree. 4 flew away. How many are left?
reasoning = There were 9 birds. 4 flew away. 9 - 4 = 5.
answer = 5

question = Max had 2 coins, found 6 and lost 1. How many does he have?
reasoning = Max had 2 coins. He found 6: 2 + 6 = 8. He lost 1: 8 - 1 = 7.
answer = 7"""
_EXTRACTION = "Therefore, the answer (arabic numerals) is"
_SHOWN = StrategySetting(
    "examples",
    "Solved examples",
    _EXAMPLES,
    "name = value lines with an answer (and its reasoning); an empty line between two.",
    lines=5,
)
_THINKING = (
    StrategySetting("trigger", "The reasoning begins", "Let's think step by step."),
    StrategySetting("extraction", "The answer is asked for by", _EXTRACTION),
    StrategySetting(
        "extract",
        "The answer is read",
        "second",
        "second: asked for after the reasoning; reply: read where the reasoning says it.",
        choices=("second", "reply"),
    ),
)


def _common(**more: Any) -> dict[str, Any]:
    defaults = {
        "template": TEMPLATE,
        "fields": QUESTION,
        "reads": NUMBER,
        "labels": "yes: yes\nno: no",
        "chat": False,
        "max_tokens": 64,
        "temperature": 0.0,
        "seed": 0,
    }
    return {**defaults, **more}


def _direct(model: pl.LanguageModel, values: Values) -> Any:
    return prompt_predictor(model, values, template_value(values))


def _few_shot(model: pl.LanguageModel, values: Values) -> Any:
    rows = [_solved(row) for row in split_blocks(values["examples"])]
    choice = pl.DemonstrationConfig(len(rows), selection="first", order="given")
    made = prompt_predictor(model, values, template_value(values), demonstrations=choice)
    return made.fit([fields for fields, _ in rows], [answer for _, answer in rows])


def _solved(row: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The fields and the answer of a solved example."""
    if "answer" not in row:
        raise pl.InputError(
            f"solved examples: the one with {next(iter(row))} = … has no answer; add answer = …"
        )
    fields = {name: value for name, value in row.items() if name not in ("answer", "reasoning")}
    return fields, row["answer"]


def _thought(model: pl.LanguageModel, values: Values, **more: Any) -> Any:
    return pl.ChainOfThought(
        template_value(values),
        model,
        mode="zero_shot",
        trigger=values["trigger"],
        extraction=values["extraction"],
        extract=values["extract"],
        decoding=decoding_value(values, **more),
        **answering_predictor(values),
    )


def _worked(model: pl.LanguageModel, values: Values, **more: Any) -> Any:
    shown = []
    for row in split_blocks(values["examples"]):
        fields, answer = _solved(row)
        shown.append({"fields": fields, "reasoning": row.get("reasoning", ""), "answer": answer})
    return pl.ChainOfThought(
        template_value(values),
        model,
        mode="manual",
        extract="second" if values["reads"] == LABELS else "reply",
        demonstrations=shown,
        decoding=decoding_value(values, **more),
        **answering_predictor(values),
    )


def _consistent(model: pl.LanguageModel, values: Values) -> Any:
    inner = _worked(model, values) if values["inner"] == _INNER[0] else _zero(model, values)
    return pl.SelfConsistency(
        inner,
        samples=int(values["samples"]),
        vote=values["vote"],
        adaptive=values["adaptive"],
    )


def _zero(model: pl.LanguageModel, values: Values) -> Any:
    thinking = {"trigger": "Let's think step by step.", "extraction": _EXTRACTION}
    return _thought(model, {**values, **thinking, "extract": "second"})


_INNER = ("chain of thought with solved examples", "chain of thought, zero-shot")

RECIPES = (
    StrategyPreset(
        "direct",
        "Direct",
        "The prompt alone: the model answers at once.",
        _direct,
        _common(max_tokens=24),
    ),
    StrategyPreset(
        "few_shot",
        "Few-shot",
        "Solved examples stand before the question.",
        _few_shot,
        _common(max_tokens=24),
        (_SHOWN,),
    ),
    StrategyPreset(
        "chain_of_thought",
        "Chain of thought, zero-shot",
        "The model reasons first, then the answer is asked for (Kojima et al. 2022).",
        _thought,
        _common(),
        _THINKING,
    ),
    StrategyPreset(
        "chain_of_thought_manual",
        "Chain of thought, with solved examples",
        "Worked examples show how to reason (Wei et al. 2022).",
        _worked,
        _common(),
        (_SHOWN,),
    ),
    StrategyPreset(
        "self_consistency",
        "Self-consistency",
        "Several sampled chains of thought vote on the answer (Wang et al. 2022).",
        _consistent,
        _common(temperature=0.7, max_tokens=48),
        (
            StrategySetting("samples", "Solutions", 7, low=2, high=40),
            StrategySetting(
                "vote", "Vote", "majority", choices=("majority", "weighted", "overlap")
            ),
            StrategySetting(
                "adaptive",
                "Stops early",
                "none",
                "certain: once no vote can change it; for a majority vote.",
                choices=("none", "certain", "beta", "dirichlet"),
            ),
            StrategySetting("inner", "Each solution by", _INNER[0], choices=_INNER),
            _SHOWN,
        ),
    ),
)
"""In the order in which they are offered."""
