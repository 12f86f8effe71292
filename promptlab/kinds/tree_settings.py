"""The section of a study file for the kind *tree_of_thoughts*."""

from __future__ import annotations

from pydantic import Field

from promptlab.kinds.kind import KindSettings
from promptlab.kinds.parsing import ParserSettings
from promptlab.kinds.template import DecodingSettings, InlineTemplate
from promptlab.settings import Seed, Settings
from promptlab.strategies.judgement import WORTHS, JudgementMethod
from promptlab.strategies.search import SearchMethod
from promptlab.strategies.thoughts import ThoughtMethod

Entry = str | InlineTemplate
"""A library name, a template's text, or a template written out."""


class BudgetSettings(Settings):
    """What one example's search may cost; nothing is no limit."""

    asks: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    states: int | None = Field(default=None, ge=1)


class TreeSettings(KindSettings):
    """Templates by what they are for (``propose``, ``sample``, ``value``, ``vote``, ``answer``).

    ``temperature`` is that of sampled thoughts and of judgements in several samples.
    """

    problem: str | None = None
    propose: list[Entry] = Field(default=[])
    sample: list[Entry] = Field(default=[])
    value: list[Entry] = Field(default=[])
    vote: list[Entry] = Field(default=[])
    answer: Entry | None = None
    parser: ParserSettings | None = None
    thoughts: list[ThoughtMethod] = Field(default=["propose"], min_length=1)
    evaluation: list[JudgementMethod] = Field(default=["value"], min_length=1)
    search: list[SearchMethod] = Field(default=["breadth"], min_length=1)
    count: list[int] = Field(default=[8], min_length=1)
    beam: list[int] = Field(default=[5], min_length=1)
    depth: list[int] = Field(default=[3], min_length=1)
    threshold: list[float | None] = Field(default=[None], min_length=1)
    temperature: list[float] = Field(default=[0.7], min_length=1)
    samples: list[int] = Field(default=[1], min_length=1)
    seed: list[Seed] = Field(default=[0], min_length=1)
    chat: list[bool] = Field(default=[False], min_length=1)
    worths: dict[str, float] = Field(default=dict(WORTHS))
    budget: BudgetSettings = BudgetSettings()
    decoding: DecodingSettings = DecodingSettings(max_tokens=96)
    judging: DecodingSettings = DecodingSettings(max_tokens=8)
    answering: DecodingSettings = DecodingSettings()
