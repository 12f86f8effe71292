"""Triggers of a template on a frozen model: what a search asks of them, computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.data.example import Example
from promptlab.engine.kv_cache.training_cache import TrainingPrefixCache
from promptlab.engine.scoring.request import AnswerRequest, ScoringContext, ScoringRequest
from promptlab.engine.training.forward_plan import TrainingItem
from promptlab.engine.training.gradients import GradientScorer, ItemScores
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Predictions
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.objectives import LabelObjective
from promptlab.tuning.triggers.losses import Tokens
from promptlab.tuning.triggers.segments import (
    trigger_lengths,
    with_soft_triggers,
    with_trigger_tokens,
)
from promptlab.tuning.triggers.spelling import TriggerWriter

ROWS = 8192
"""So many rows of the embedding are compared with the gradient at a time."""

Judge = Callable[[Predictions], float]


class TriggerObjective:
    """The triggers of one template as a `TriggerScorer`.

    ``examples`` is the labelled set, with ``target`` as if all of it had that label (a universal
    trigger towards a label). ``dev`` (else the examples) and ``judge`` (else accuracy; larger is
    better) make the dev score. Raises `TemplateError` for a template without ``{trigger:n}``.
    """

    def __init__(
        self,
        model: LocalModel,
        template: Template,
        verbalizer: Verbalizer,
        examples: Sequence[Example],
        *,
        dev: Sequence[Example] = (),
        judge: Judge | None = None,
        target: str | None = None,
    ) -> None:
        model.require("gradients")
        self.model = model.base
        self.template = template
        self.verbalizer = verbalizer
        self.judge = judge or get_metric("accuracy").compute
        self.lengths = trigger_lengths(template)
        if target is not None:
            examples = [replace(example, label=target) for example in examples]
            dev = [replace(example, label=target) for example in dev]
        network, runner = self.model.engine.network, self.model.engine.runner
        self.network = network
        self.vocabulary = network.virtual_tokens.first_id
        classifier = self._asking(template)
        shares = runner.can_share_prefixes
        self.train = LabelObjective(classifier, examples, shares=shares)
        self.dev = LabelObjective(classifier, dev, shares=shares) if dev else self.train
        self.scorer = GradientScorer(network, runner)
        self.states = TrainingPrefixCache(network, self.scorer.budget)
        self.writing = TriggerWriter(self.model, self.lengths, verbalizer.answers)
        shortest = sorted(examples, key=lambda example: sum(map(len, example.fields.values())))
        self._samples = [
            (self._prompt(example), self.train.exercises[examples.index(example)].asked)
            for example in shortest[:2]
        ]

    def _asking(self, template: Template) -> PromptClassifier:
        """The prompts with vectors where the triggers stand: ids from ``vocabulary`` on."""
        soft = tuple((str(number), count) for number, count in enumerate(self.lengths))
        zeros = torch.zeros((sum(self.lengths), self.network.virtual_tokens.width))
        view = self.model.with_learned_parts(LearnedParts(zeros, soft), keep=False)
        return PromptClassifier(with_soft_triggers(template), self.verbalizer, view)

    def _prompt(self, example: Example) -> Prompt:
        view = with_trigger_tokens(self.model, self.template)
        return PromptClassifier(self.template, self.verbalizer, view).render_prompt(example)

    @property
    def computed_tokens(self) -> int:
        """Tokens that went through the network so far."""
        return self.scorer.computed_tokens + self.states.computed_tokens

    @property
    def length(self) -> int:
        """Tokens of all trigger segments together."""
        return sum(self.lengths)

    def losses(
        self, tokens: Sequence[Tokens], examples: Sequence[int]
    ) -> Float[np.ndarray, "candidate example"]:
        """Cross-entropy in nats of the right label, for every trigger and example."""
        found = self._scored(
            self.train,
            [(trigger, number) for trigger in tokens for number in examples],
            lambda numbers, scored: self.train.losses(numbers, scored, None),
        )
        return found.reshape(len(tokens), len(examples))

    def gradient(self, tokens: Tokens, examples: Sequence[int]) -> Float[np.ndarray, "token vocab"]:
        """First-order change in nats of the mean loss for every swap of one token."""
        self._prepare(self.train, examples)
        items = [self.train.item(number, (0,), states=self.states) for number in examples]
        ids = torch.tensor(tokens, device=self.network.device)
        with torch.no_grad():
            vectors = self.network.virtual_tokens.embed(ids).clone()
        vectors.requires_grad_(True)

        def loss(batch: list[int], scored: ItemScores) -> Tensor:
            numbers = [examples[index] for index in batch]
            return self.train.losses(numbers, scored, None).sum() / len(examples)

        _, (gradient,) = self.scorer.gradients(
            items, loss, [vectors], vectors=vectors, normalised=self.train.normalised
        )
        return self._changes(gradient, vectors.detach())

    def dev_score(self, tokens: Tokens) -> float:
        """What the judge says of the predictions on dev."""
        numbers = list(range(len(self.dev)))
        found = self._scored(
            self.dev,
            [(tokens, number) for number in numbers],
            lambda numbers, scored: self.dev.scores(numbers, scored, None),
        )
        return float(self.judge(self.dev.predictions(numbers, found)))

    def round_trips(self, tokens: Tokens) -> bool:
        """Whether prompts with the trigger written out are tokenised as with its ids put in."""
        return all(
            self.writing.read_back(prompt, tokens) == [self._spelled(one, tokens) for one in asked]
            for prompt, asked in self._samples
        )

    def _spelled(self, request: AnswerRequest, tokens: Tokens) -> AnswerRequest:
        moved = self._with(request, tokens)
        return AnswerRequest(moved.context, moved.continuations, request.answers)

    def words(self, tokens: Tokens) -> str:
        """The trigger as text; several segments are divided by a bar."""
        decode = self.model.tokenizer.decode
        return " | ".join(decode(list(part)).strip() for part in self.split(tokens))

    def split(self, tokens: Tokens) -> tuple[Tokens, ...]:
        """The trigger's tokens, segment by segment."""
        return self.writing.split(tokens)

    def predictor(self, tokens: Tokens, facts: dict[str, Any] | None = None) -> PromptClassifier:
        """The template with these tokens, ready to predict."""
        learned = LearnedParts(
            triggers=self.split(tokens), facts={"words": self.words(tokens)} | (facts or {})
        )
        return PromptClassifier(
            self.template, self.verbalizer, self.model.with_learned_parts(learned)
        )

    def _changes(
        self, gradient: Float[Tensor, "token dim"], current: Float[Tensor, "token dim"]
    ) -> Float[np.ndarray, "token vocab"]:
        """``gradient . (E_v - E_current)`` for every entry v, some rows at a time."""
        virtual, device = self.network.virtual_tokens, self.network.device
        parts = []
        with torch.no_grad():
            for begin in range(0, self.vocabulary, ROWS):
                ids = torch.arange(begin, min(begin + ROWS, self.vocabulary), device=device)
                parts.append(gradient @ virtual.embed(ids).T)
            changes = torch.cat(parts, dim=1) - (gradient * current).sum(1, keepdim=True)
        return np.asarray(changes.cpu().numpy())

    def _scored(
        self,
        exercises: LabelObjective,
        pairs: Sequence[tuple[Tokens, int]],
        read: Callable[[list[int], ItemScores], Tensor],
    ) -> Float[np.ndarray, " pair ..."]:
        """What ``read`` makes of the scores of (trigger, example) pairs, a row a pair."""
        self._prepare(exercises, [number for _, number in pairs])
        found: list[Any] = [None] * len(pairs)
        items = [self._item(exercises, trigger, number) for trigger, number in pairs]

        def work(batch: list[int]) -> None:
            with torch.no_grad():
                scored = self.scorer.score(
                    [items[index] for index in batch], normalised=exercises.normalised
                )
                values = read([pairs[index][1] for index in batch], scored)
            for index, value in zip(batch, values.cpu().numpy(), strict=True):
                found[index] = value

        self.scorer.budget.run([self.scorer.planner.length(item) for item in items], work)
        return np.stack(found)

    def _item(self, exercises: LabelObjective, tokens: Tokens, number: int) -> TrainingItem:
        item = exercises.item(number, (0,), states=self.states)
        return replace(item, requests=tuple(self._with(one, tokens) for one in item.requests))

    def _with(self, question: ScoringRequest, tokens: Tokens) -> ScoringRequest:
        """The question with the trigger's tokens in their places."""
        context = ScoringContext(self._put(question.context.ids, tokens), question.context.position)
        return ScoringRequest(context, tuple(self._put(c, tokens) for c in question.continuations))

    def _put(self, ids: tuple[int, ...], tokens: Tokens) -> tuple[int, ...]:
        start = self.vocabulary
        return tuple([tokens[token - start] if token >= start else token for token in ids])

    def _prepare(self, exercises: LabelObjective, numbers: Sequence[int]) -> None:
        """Compute the states of what stands before the triggers, where they are kept."""
        if exercises.shares:
            fixed = [exercises.frozen_prefix(number) for number in dict.fromkeys(numbers)]
            self.states.prepare([ids for ids in fixed if ids])
