"""Kind *tree_of_thoughts*: how thoughts are found and judged, and the tree is searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.parsers import ParserSettings
from promptlab.candidates.template import DecodingSettings, InlineTemplate
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.files.settings import Seed, Settings
from promptlab.library.sources import find_template
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.tree_of_thoughts.evaluation import (
    WORTHS,
    EvaluationMethod,
    StateEvaluator,
)
from promptlab.strategies.tree_of_thoughts.exploration import RESERVED
from promptlab.strategies.tree_of_thoughts.node import Budget
from promptlab.strategies.tree_of_thoughts.problem import find_problem, problem_name
from promptlab.strategies.tree_of_thoughts.search import SearchMethod, TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator, ThoughtMethod

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
    evaluation: list[EvaluationMethod] = Field(default=["value"], min_length=1)
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


class TreeOfThoughtsKind(Kind):
    """Tree of thoughts (Yao et al. 2023) over the study's templates."""

    name: ClassVar[str] = "tree_of_thoughts"
    Settings: ClassVar[type[KindSettings]] = TreeSettings
    settings: TreeSettings

    def __init__(self, settings: TreeSettings, task: Task) -> None:
        super().__init__(settings, task)
        self.problem = find_problem(settings.problem)
        self.templates = {
            use: dict(map(_made, getattr(settings, use)))
            for use in ("propose", "sample", "value", "vote")
        }
        self._check()

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Method and template of thoughts and judgements, and the search's shape."""
        labels: list[str] = []
        chat = suggest_choice(trial, f"{prefix}chat", self.settings.chat)
        settings = {
            "thoughts": self._thoughts(trial, prefix, chat, labels).settings(),
            "judgement": self._judgement(trial, prefix, chat, labels).settings(),
            "search": self._search(trial, prefix, labels).settings(),
            "problem": problem_name(self.problem),
            "answer": self._answer(chat),
            "parser": self.settings.parser,
            "decoding": Decoding(**self.settings.answering.model_dump()).settings(),
        }
        labels.extend(["chat"] if chat else [])
        return Candidate.of(self.name, settings, f"tree: {' · '.join(labels)}")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """Nothing is learned."""
        return TreeOfThoughts.from_settings(candidate.settings, model)

    def check(self, model: LanguageModel) -> None:
        """The model must generate thoughts and score values, whichever the group asks for."""
        texts = {"value_text", "vote_text"} & set(self.settings.evaluation)
        if texts or set(self.settings.thoughts) != {"moves"} or self.settings.answer is not None:
            model.require("generate")
        if {"value", "vote"} & set(self.settings.evaluation):
            model.require("score")
        example = (self.task.train or self.task.dev)[0]
        more = dict.fromkeys(RESERVED, "1")
        if "value" in self.settings.evaluation:
            for name, (template, answers) in self.templates["value"].items():
                try:
                    prompt = template.render({**example.fields, **more})
                    model.check([prompt], self._verbalizer(answers).answers)
                except InputError as error:
                    raise StudyError(f"template {name!r}: {error}") from error

    def _thoughts(
        self, trial: Trial, prefix: str, chat: bool, labels: list[str]
    ) -> ThoughtGenerator:
        method = suggest_choice(trial, f"{prefix}thoughts", self.settings.thoughts)
        labels.append(method)
        if method == "moves":
            return ThoughtGenerator(method=method)
        template, _ = self._template(trial, prefix, method, chat, labels)
        count = suggest_choice(trial, f"{prefix}count", self.settings.count)
        options = self.settings.decoding.model_dump()
        if method == "sample":
            options["temperature"] = self._temperature(trial, prefix, labels)
        return ThoughtGenerator(template, method, count, Decoding(**options))

    def _judgement(
        self, trial: Trial, prefix: str, chat: bool, labels: list[str]
    ) -> StateEvaluator:
        method = suggest_choice(trial, f"{prefix}evaluation", self.settings.evaluation)
        seed = (
            suggest_choice(trial, f"{prefix}seed", self.settings.seed) if method == "random" else 0
        )
        if method == "random":
            labels.append("random values" + (f" (seed {seed})" if seed else ""))
            return StateEvaluator(method=method, seed=seed)
        labels.append(method.replace("_", " "))
        use = method.removesuffix("_text")
        template, answers = self._template(trial, prefix, use, chat, labels)
        options = self.settings.judging.model_dump()
        samples = 1
        if method != use:
            samples = suggest_choice(trial, f"{prefix}samples", self.settings.samples)
            if samples > 1:
                options["temperature"] = self._temperature(trial, prefix, labels)
                labels.append(f"{samples} samples")
        if use == "vote":
            return StateEvaluator(template, method, samples=samples, decoding=Decoding(**options))
        return StateEvaluator(
            template,
            method,
            self.settings.worths,
            self._verbalizer(answers),
            samples,
            Decoding(**options),
        )

    def _search(self, trial: Trial, prefix: str, labels: list[str]) -> TreeSearch:
        method = suggest_choice(trial, f"{prefix}search", self.settings.search)
        beam = suggest_choice(trial, f"{prefix}beam", self.settings.beam)
        depth = suggest_choice(trial, f"{prefix}depth", self.settings.depth)
        threshold = suggest_choice(trial, f"{prefix}threshold", self.settings.threshold)
        labels.append(f"{method} first, beam {beam}, depth {depth}")
        labels.extend([] if threshold is None else [f"threshold {threshold:g}"])
        return TreeSearch(
            method, depth, beam, threshold, Budget(**self.settings.budget.model_dump())
        )

    def _temperature(self, trial: Trial, prefix: str, labels: list[str]) -> float:
        found: float = suggest_choice(trial, f"{prefix}temperature", self.settings.temperature)
        told = f"temperature {found:g}"
        labels.extend([] if told in labels else [told])
        return found

    def _template(
        self, trial: Trial, prefix: str, use: str, chat: bool, labels: list[str]
    ) -> tuple[Template, Mapping[str, Any] | None]:
        names = list(self.templates[use])
        name = suggest_choice(trial, f"{prefix}{use}", names)
        labels.extend([name] if len(names) > 1 else [])
        template, answers = self.templates[use][name]
        return replace(template, chat=chat or template.chat), answers

    def _answer(self, chat: bool) -> dict[str, Any] | None:
        if self.settings.answer is None:
            return None
        _, (template, _) = _made(self.settings.answer)
        return replace(template, chat=chat or template.chat).settings()

    def _verbalizer(self, answers: Mapping[str, Any] | None) -> Verbalizer:
        return Verbalizer(answers or {word: word for word in self.settings.worths})

    def _check(self) -> None:
        """Everything that can be wrong before a model is needed."""
        for use, why in self._uses():
            if not self.templates[use]:
                raise StudyError(f"{why} need templates: list them under '{use}:'")
        if "moves" in self.settings.thoughts and not self.problem.lists_moves:
            raise StudyError(
                "thoughts 'moves' are listed by a problem, and this group names none that lists "
                "them; give 'problem: game24', or use propose or sample"
            )
        for name, template in self._named():
            lacking = [f for f in template.fields if f not in (*self.task.fields, *RESERVED)]
            if lacking:
                raise StudyError(
                    f"template {name!r} reads the field {', '.join(map(repr, lacking))}; the "
                    f"data's fields are {', '.join(self.task.fields)}, the search's own are "
                    f"{', '.join(RESERVED)}"
                )
        lacking = [field for field in self.problem.fields if field not in self.task.fields]
        if lacking:
            raise StudyError(
                f"the problem {self.settings.problem!r} reads the field {lacking[0]!r}, which the "
                f"data lacks; its fields are {', '.join(self.task.fields)}"
            )
        if self.settings.parser is not None:
            parser_from_settings(self.settings.parser)

    def _uses(self) -> Iterator[tuple[str, str]]:
        for method in self.settings.thoughts:
            if method != "moves":
                yield method, f"thoughts {method!r}"
        for judged in self.settings.evaluation:
            if judged != "random":
                yield judged.removesuffix("_text"), f"evaluation {judged!r}"

    def _named(self) -> Iterator[tuple[str, Template]]:
        for found in self.templates.values():
            for name, (template, _) in found.items():
                yield name, template
        if self.settings.answer is not None:
            name, (template, _) = _made(self.settings.answer)
            yield name, template


def _made(entry: Entry) -> tuple[str, tuple[Template, Mapping[str, Any] | None]]:
    """A template under the name that the sampler sees, with its answers."""
    if isinstance(entry, InlineTemplate):
        name = entry.name or entry.text or "template"
        template = Template(
            entry.text, entry.parts, name, entry.separator, entry.demonstration_separator
        )
        return name, (template, entry.answers)
    if "{" in entry:
        return entry, (Template(entry), None)
    item = find_template(entry)
    return item.full_name, (item.template, item.answers)
