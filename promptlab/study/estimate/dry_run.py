"""A group's candidates tried on a few examples with a model that only counts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptlab.candidates.base import Kind, LearningKind
from promptlab.data.task import Task
from promptlab.errors import InputError, PromptlabError
from promptlab.models.base import LanguageModel
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.study.estimate.dry_model import CallCounts, DryModel
from promptlab.study.estimate.dry_writer import DryWriter, named_writer, writing_dry
from promptlab.study.spec.space import RandomTrial
from promptlab.tuning.learning_cost import LearningCost, trained_template

_TRIED, _EXAMPLES = 24, 12
_SEED = 13
_SHORT = 0.15
"""A short reply's share of the most tokens that it may have."""


@dataclass(frozen=True)
class TokenMeans:
    """Means of a candidate: tokens an example, and once a candidate (``fitting``, ``learning``).

    ``fresh`` are the scored tokens that no candidate before has asked for (a cache knows the
    others); ``read`` and ``written`` those of generated replies. ``writer_in`` and ``writer_out``
    are what a writer of prompts reads and writes once a candidate; they are in no other number.
    """

    tokens_in: float = 0.0
    tokens_out: float = 0.0
    fresh: float = 0.0
    read: float = 0.0
    written: float = 0.0
    fitting: float = 0.0
    learning: float = 0.0
    share_fresh: float = 1.0
    writer_in: float = 0.0
    writer_out: float = 0.0


@dataclass(frozen=True)
class DryGroup:
    """A group as it was tried: with short replies and early stops, and with the longest.

    ``writer`` is the model that writes its prompts, if one does.
    """

    name: str
    kind: str
    low: TokenMeans
    high: TokenMeans
    prompts: tuple[Prompt, ...] = ()
    notes: tuple[str, ...] = field(default=())
    writer: LanguageModel | None = None

    def untrained(self) -> DryGroup:
        """Without any training."""
        return replace(
            self, low=replace(self.low, learning=0.0), high=replace(self.high, learning=0.0)
        )


class DryRun:
    """Tries groups on examples of a task; nothing is computed by ``model``."""

    def __init__(self, task: Task, model: LanguageModel) -> None:
        self.task, self.model = task, model
        chosen = random.Random(_SEED)
        pool = list(task.dev or task.test or task.train)
        self.examples = chosen.sample(pool, min(_EXAMPLES, len(pool)))
        self._material = " ".join(
            value for example in self.examples for value in example.fields.values()
        )[:8_000]

    def groups(self, kinds: Mapping[str, Kind]) -> list[DryGroup]:
        """All groups; those that build on others' candidates are counted by the others' means."""
        found = {n: self.group(n, kind) for n, kind in kinds.items() if not _builds(kind)}
        for name, kind in kinds.items():
            if _builds(kind):
                found[name] = self._composed_group(name, kind, list(found.values()))
        return [found[name] for name in kinds]

    def group(self, name: str, kind: Kind) -> DryGroup:
        """One group that stands for itself."""
        candidates = sample_trials(kind)
        if isinstance(kind, LearningKind):
            return self._learning_group(name, kind, candidates)
        notes: list[str] = []
        low = self._try_group(kind, candidates, _SHORT, notes)
        writes = low.written > 0 or low.writer_out > 0
        high = self._try_group(kind, candidates, 1.0, []) if writes else low
        if writes:
            notes.append("low: replies end early; high: every reply takes all its tokens")
        writer = named_writer(kind, self.model) if low.writer_out else None
        notes += _writer_notes(writer, self.model, low, high)
        notes = list(dict.fromkeys(notes))
        prompts = self._prompts(candidates)
        return DryGroup(name, kind.name, low, high, prompts, tuple(notes), writer)

    def _try_group(
        self, kind: Kind, candidates: Sequence[Candidate], share: float, notes: list[str]
    ) -> TokenMeans:
        dry = DryModel(self.model, share, self._material)
        sides = []
        with writing_dry(kind, self.model, share) as writer:
            for candidate in candidates:
                try:
                    sides.append(self._try_candidate(kind, candidate, dry, writer))
                except PromptlabError as problem:
                    told = str(problem).splitlines()[0]
                    notes.append(f"{candidate.name} was not tried, nor is it counted: {told}")
        if not sides and notes:
            raise InputError(f"the group {kind.name} cannot be estimated: {notes[0]}")
        if not sides:
            return TokenMeans()
        return TokenMeans(
            **{n: sum(getattr(s, n) for s in sides) / len(sides) for n in vars(sides[0])}
        )

    def _try_candidate(
        self, kind: Kind, candidate: Candidate, dry: DryModel, writer: DryWriter | None
    ) -> TokenMeans:
        """Fitted and tried; its tokens an example."""
        before = replace(dry.tally)
        wrote = CallCounts() if writer is None else replace(writer.tally)
        predictor = kind.fit(candidate, dry)
        fitted = replace(dry.tally)
        rows = predictor.predict(self.examples)
        after, n = dry.tally, len(self.examples)
        asked = fitted.scored - before.scored
        written = fitted.read - before.read + fitted.written - before.written
        return TokenMeans(
            tokens_in=sum(row.tokens_in for row in rows) / n,
            tokens_out=sum(row.tokens_out for row in rows) / n,
            fresh=(after.fresh - fitted.fresh) / n,
            read=(after.read - fitted.read) / n,
            written=(after.written - fitted.written) / n,
            fitting=asked + written,
            share_fresh=(fitted.fresh - before.fresh) / asked if asked else 1.0,
            writer_in=0.0 if writer is None else float(writer.tally.read - wrote.read),
            writer_out=0.0 if writer is None else float(writer.tally.written - wrote.written),
        )

    def _learning_group(
        self, name: str, kind: LearningKind, candidates: Sequence[Candidate]
    ) -> DryGroup:
        cost = LearningCost(self.task, self.model, self.examples)
        lows, highs, notes = [], [], []
        writer = named_writer(kind, self.model)
        for candidate in candidates:
            try:
                low, high, example = cost.of(candidate)
            except PromptlabError as problem:
                notes.append(f"{candidate.name} was not counted: {str(problem).splitlines()[0]}")
                continue
            shared = TokenMeans(tokens_in=example, tokens_out=1.0, fresh=example)
            first, last = cost.writing(candidate, writer or self.model, _SHORT)
            lows.append(replace(shared, learning=low, writer_in=first[0], writer_out=first[1]))
            highs.append(replace(shared, learning=high, writer_in=last[0], writer_out=last[1]))
        if lows and lows != highs:
            notes.append("low: training stops as early as its patience allows; high: all its steps")
        means = _mean(lows), _mean(highs)
        notes += _writer_notes(writer, self.model, *means)
        prompts = self._prompts(candidates)
        return DryGroup(name, kind.name, *means, prompts, tuple(notes), writer)

    def _composed_group(self, name: str, kind: Kind, others: Sequence[DryGroup]) -> DryGroup:
        """A group made of other candidates: ensembles are recalled, students are trained."""
        low, high = (_mean([getattr(other, side) for other in others]) for side in ("low", "high"))
        low, high = replace(low, fitting=0.0), replace(high, fitting=0.0)
        note = "made of other groups' candidates: counted by their means"
        if kind.reuses_predictions:
            note = "put together from kept predictions: the model is not asked on dev"
            return DryGroup(name, kind.name, TokenMeans(), TokenMeans(), notes=(note,))
        if isinstance(kind, LearningKind):
            cost = LearningCost(self.task, self.model, self.examples)
            low, high = cost.student(sample_trials(kind), low, high)
        else:
            low, high = replace(low, learning=0.0), replace(high, learning=0.0)
        return DryGroup(name, kind.name, low, high, notes=(note,))

    def _prompts(self, candidates: Sequence[Candidate]) -> tuple[Prompt, ...]:
        """Plain prompts of the group, for measuring the model's speed."""
        found = []
        for candidate in candidates[:4]:
            settings = _with_template(candidate.settings)
            if settings is None:
                continue
            template: Template = trained_template(settings, words=True)
            fields = dict.fromkeys(template.fields, "") | dict(self.examples[0].fields)
            found.append(template.render(fields))
        if not found:
            text = Template("{text} {mask}")
            words = " ".join(self.examples[0].fields.values())[:2_000]
            found = [text.render({"text": words})]
        return tuple(prompt for prompt in found if prompt.is_text_only)


def _writer_notes(
    writer: LanguageModel | None, model: LanguageModel, low: TokenMeans, high: TokenMeans
) -> list[str]:
    """What writing takes, in words."""
    if writer is None or not high.writer_out:
        return []
    first, last = (round(side.writer_in + side.writer_out) for side in (low, high))
    told = f"{writer.name} writes: {first:,} to {last:,} tokens a candidate"
    return [told if writer is model else f"{told}, whose time is not counted"]


def sample_trials(kind: Kind) -> list[Candidate]:
    """Some of a kind's candidates, different ones, always the same."""
    found: dict[str, Candidate] = {}
    chance = random.Random(_SEED)
    for _ in range(6 * _TRIED):
        candidate = kind.suggest(RandomTrial(chance), "")
        found.setdefault(candidate.key, candidate)
        if len(found) == _TRIED:
            break
    return list(found.values())


def _builds(kind: Kind) -> bool:
    """Whether a kind's candidates are made of other trials' ones."""
    return kind.reuses_predictions or kind.name in ("words", "distillation")


def _with_template(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    while "template" not in settings:
        inner = settings.get("inner")
        if not isinstance(inner, Mapping):
            return None
        settings = inner["settings"]
    return settings


def _mean(sides: Sequence[TokenMeans]) -> TokenMeans:
    if not sides:
        return TokenMeans()
    return TokenMeans(**{n: sum(getattr(s, n) for s in sides) / len(sides) for n in vars(sides[0])})
