"""A strategy on offer: what it asks to be set, an example that works, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import promptlab as pl
from promptlab.prompts import parser_from_settings

from ..components.text_fields import read_answers, read_fields
from .strategy_settings import StrategySetting

Values = Mapping[str, Any]
Build = Callable[[pl.LanguageModel, Values], Any]

NUMBER, LINE, REPLY, LABELS = "the last number", "the first line", "the whole reply", "labels"
QUESTION = (
    "question = Tom has 3 apples. He buys 4 more and eats 2 of them. "
    "How many apples does Tom have now?"
)
TEMPLATE = "Q: {question}\nA: {mask}"

COMMON: tuple[StrategySetting, ...] = (
    StrategySetting(
        "template",
        "Template",
        TEMPLATE,
        "{name} is a field, {mask} where the model writes.",
        lines=3,
    ),
    StrategySetting(
        "fields", "Fields", QUESTION, "name = value, one a line; \\n is a line break.", lines=3
    ),
    StrategySetting("reads", "The answer is", NUMBER, choices=(NUMBER, LINE, REPLY, LABELS)),
    StrategySetting(
        "labels", "Labels", "yes: yes\nno: no", "label: answer, answer – one label a line.", lines=2
    ),
    StrategySetting("chat", "As a chat", False, "Through the model's chat template."),
    StrategySetting("max_tokens", "Max tokens", 64, low=1, high=512),
    StrategySetting("temperature", "Temperature", 0.0, "0 is greedy.", low=0, high=2, step=0.05),
    StrategySetting("seed", "Seed", 0, low=0, high=9999),
)
"""Settings that most strategies have; a recipe names those that are its own, with defaults."""


@dataclass(frozen=True)
class StrategyPreset:
    """``common`` are defaults of the `COMMON` settings that are used, ``own`` further settings.

    ``needs`` are fields that its template must read, ``sections`` names of fields that an example
    must have. ``build`` makes the predictor from a model and all values.
    """

    name: str
    title: str
    about: str
    build: Build
    common: Mapping[str, Any]
    own: tuple[StrategySetting, ...] = ()
    needs: tuple[str, ...] = ()
    sections: tuple[str, ...] = ("question",)

    @property
    def settings(self) -> tuple[StrategySetting, ...]:
        """All settings, with this recipe's defaults."""
        used = [replace(s, default=self.common[s.name]) for s in COMMON if s.name in self.common]
        return (*used, *self.own)


def template_value(values: Values, key: str = "template") -> Any:
    """A template from a box."""
    return pl.Template(str(values[key]), chat=bool(values.get("chat", False)))


def decoding_value(values: Values, **more: Any) -> Any:
    """How text is generated; ``more`` overrides."""
    chosen = {
        "max_tokens": int(values["max_tokens"]),
        "temperature": float(values.get("temperature", 0.0)),
        "seed": int(values.get("seed", 0)),
    }
    return pl.Decoding(**{**chosen, **more})


def parser_value(values: Values) -> Any:
    """What reads the answer out of a reply."""
    kinds: dict[str, dict[str, Any]] = {
        NUMBER: {"type": "number"},
        LINE: {"type": "text", "stop": ["\n"]},
        REPLY: {"type": "text"},
    }
    return parser_from_settings(kinds[values["reads"]])


def answering_predictor(values: Values) -> dict[str, Any]:
    """The arguments ``parser`` or ``verbalizer``, whichever the answer is read by."""
    if values["reads"] == LABELS:
        return {"verbalizer": pl.Verbalizer(read_answers(values["labels"]))}
    return {"parser": parser_value(values)}


def prompt_predictor(model: pl.LanguageModel, values: Values, text: Any, **more: Any) -> Any:
    """A bare prompt: labels are scored, anything else is generated and read."""
    if values["reads"] == LABELS:
        return pl.PromptClassifier(
            text, pl.Verbalizer(read_answers(values["labels"])), model, **more
        )
    return pl.PromptGenerator(
        text, parser_value(values), model, decoding=decoding_value(values), **more
    )


def split_blocks(text: str) -> list[dict[str, str]]:
    """Groups of ``name = value`` lines, an empty line between two."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [read_fields("\n".join(lines)) for lines in found if lines]


def split_lines(text: str) -> Sequence[str]:
    """Lines that are not blank."""
    return [line.strip() for line in text.splitlines() if line.strip()]
