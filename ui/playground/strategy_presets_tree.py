"""Trees of thoughts: the game of 24, and any problem whose steps can be written in words."""

from __future__ import annotations

from typing import Any

import promptlab as pl
from promptlab.strategies import StateEvaluator, ThoughtGenerator, TreeSearch

from .strategy_preset import NUMBER, QUESTION, StrategyPreset, Values, decoding_value, parser_value
from .strategy_settings import StrategySetting

_STEP = """\
Solve the problem in short steps, one a line.

Problem: {question}
Steps:
{steps}{mask}"""
_VALUE = """\
Problem: {question}
Steps so far:
{steps}
Do these steps lead to the right answer? Say sure, likely or impossible.
Answer: {mask}"""
_ANSWER = """\
Problem: {question}
Steps:
{steps}Therefore, the answer (arabic numerals) is {mask}"""
_SEARCH = (
    StrategySetting(
        "search",
        "Search",
        "breadth",
        "breadth: the best states of a level go on; depth: the "
        "best child first, and back from a dead end.",
        choices=("breadth", "depth"),
    ),
    StrategySetting("beam", "States followed", 3, low=1, high=10),
    StrategySetting("depth", "Thoughts in a path", 3, low=1, high=8),
    StrategySetting(
        "prune", "Pruned below the value", 0.0, "0 prunes nothing.", low=0, high=20, step=0.1
    ),
)


def _search(values: Values) -> Any:
    least = float(values["prune"])
    return TreeSearch(
        method=values["search"],
        depth=int(values["depth"]),
        beam=int(values["beam"]),
        threshold=least or None,
    )


def _game(model: pl.LanguageModel, values: Values) -> Any:
    moves = values["thoughts"] == "moves"
    by_model = values["evaluation"] == "value"
    asks = None if moves else pl.load_template("game24/propose")
    judges = pl.load_template("game24/value") if by_model else None
    return pl.TreeOfThoughts(
        ThoughtGenerator(asks, method=values["thoughts"], decoding=decoding_value(values)),
        StateEvaluator(judges, method=values["evaluation"], seed=int(values["seed"])),
        model,
        search=_search(values),
        problem="game24",
    )


def _free(model: pl.LanguageModel, values: Values) -> Any:
    chat = bool(values["chat"])
    judged = {"value": values["value"], "random": ""}[values["evaluation"]]
    return pl.TreeOfThoughts(
        ThoughtGenerator(
            pl.Template(values["asks"], chat=chat),
            method=values["thoughts"],
            count=int(values["count"]),
            decoding=decoding_value(values),
        ),
        StateEvaluator(
            pl.Template(judged, chat=chat) if judged else None,
            method=values["evaluation"],
            seed=int(values["seed"]),
        ),
        model,
        search=_search(values),
        answer=pl.Template(values["answer"], chat=chat),
        parser=parser_value(values),
        decoding=decoding_value(values, max_tokens=16, temperature=0.0),
    )


RECIPES = (
    StrategyPreset(
        "tree_game24",
        "Tree of thoughts: game of 24",
        "Steps towards 24 are proposed, valued and searched (Yao et al. 2023).",
        _game,
        {"fields": "numbers = 4 5 6 10", "max_tokens": 120, "seed": 0},
        (
            StrategySetting(
                "thoughts",
                "Thoughts",
                "moves",
                "moves: all legal ones, by the rules; propose: written by the model.",
                choices=("moves", "propose"),
            ),
            StrategySetting(
                "evaluation",
                "Values",
                "value",
                "value: sure, likely or impossible, scored by the model; random: the control.",
                choices=("value", "random"),
            ),
            *_SEARCH,
        ),
        sections=("numbers",),
    ),
    StrategyPreset(
        "tree",
        "Tree of thoughts: any problem",
        "Steps are written by the model, valued by it, and the best path answers.",
        _free,
        {
            "fields": QUESTION,
            "reads": NUMBER,
            "chat": False,
            "max_tokens": 32,
            "temperature": 0.8,
            "seed": 0,
        },
        (
            StrategySetting(
                "thoughts",
                "Thoughts",
                "sample",
                "sample: one a reply; propose: several in one reply.",
                choices=("sample", "propose"),
            ),
            StrategySetting("count", "Thoughts of a state", 3, low=1, high=8),
            StrategySetting("evaluation", "Values", "value", choices=("value", "random")),
            *_SEARCH,
            StrategySetting(
                "asks", "What asks for a step", _STEP, "{steps} are those so far.", lines=5
            ),
            StrategySetting("value", "What asks for a value", _VALUE, lines=5),
            StrategySetting("answer", "What asks for the answer", _ANSWER, lines=4),
        ),
    ),
)
"""In the order in which they are offered."""
