"""Labelled examples as what the network is trained on: questions, right answers, losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.data.example import Example
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.kv_cache.training_cache import MIN_FIXED_TOKENS, TrainingPrefixCache
from promptlab.engine.scoring.request import AnswerRequest, ScoringRequest
from promptlab.engine.training.forward_plan import TrainingItem
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.local import LocalModel
from promptlab.models.nested_answers import exclusive_logprobs_with_graph
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.verbalizer import Verbalizer


class LabelLoss:
    """`Verbalizer.label_scores` with a graph (eq. 3.2 of the book)."""

    def __init__(self, verbalizer: Verbalizer) -> None:
        self.verbalizer = verbalizer
        self._members = [
            torch.tensor([i for i, of in enumerate(verbalizer.label_of) if of == label])
            for label in range(len(verbalizer.labels))
        ]
        self._weights = torch.tensor(verbalizer.weights)

    def label_scores(
        self, logprobs: Float[Tensor, "row answer"], tokens: Int[Tensor, "row answer"]
    ) -> Float[Tensor, "row label"]:
        """Normalised log-probabilities of the labels in nats.

        ``tokens`` are the answers' lengths, for verbalizers that normalise by them.
        """
        if self.verbalizer.length_normalise:
            logprobs = logprobs / tokens.to(logprobs.device)
        scores = torch.stack([self._joined(logprobs, m) for m in self._members], dim=1)
        return scores.log_softmax(1)

    def _joined(
        self, logprobs: Float[Tensor, "row answer"], members: Int[Tensor, " member"]
    ) -> Float[Tensor, " row"]:
        weights = self._weights[members].to(logprobs.device)
        chosen = logprobs[:, members.to(logprobs.device)]
        match self.verbalizer.aggregation:
            case "sum":
                return (chosen + weights.log()).logsumexp(1)
            case "mean":
                return chosen @ (weights / weights.sum())
            case _:
                return (chosen + weights.log()).max(1).values


Scored = list[Float[Tensor, " _continuation"]]


@dataclass(frozen=True)
class TrainingExample:
    """One example: its questions with the answers they are about, and the right label."""

    example: Example
    asked: tuple[AnswerRequest, ...]
    label: int
    tokens: int


class TrainingObjective(ABC):
    """Examples of one candidate, asked through a model whose virtual ids begin at ``start``."""

    def __init__(self, exercises: Sequence[TrainingExample], *, start: int, shares: bool) -> None:
        self.exercises = list(exercises)
        self.start = start
        self.shares = shares

    def __len__(self) -> int:
        return len(self.exercises)

    @property
    @abstractmethod
    def normalised(self) -> bool:
        """Whether likelihoods over the whole vocabulary are needed."""

    @abstractmethod
    def losses(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, " example"]:
        """The loss of each of these examples in nats, from all members' scores."""

    def scores(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, "example label"] | None:
        """Log-probabilities of the labels in nats; ``None`` where there are no labels."""
        return None

    def frozen_prefix(self, number: int) -> tuple[int, ...]:
        """The ids before all that is learned; empty where keeping their state is not worth it."""
        if not self.shares:
            return ()
        ids = self.exercises[number].asked[0].context.ids
        first = next((i for i, token in enumerate(ids) if token >= self.start), len(ids))
        first = min(first, len(ids) - 1)
        return ids[:first] if first >= MIN_FIXED_TOKENS else ()

    @cached_property
    def shared_prefix(self) -> tuple[int, ...]:
        """The ids that all contexts begin with, if vectors are among them; else nothing.

        Their keys and values are the same in every row, so a step computes them once.
        """
        if not self.shares or len(self.exercises) < 2:
            return ()
        rows = [e.asked[0].context.ids for e in self.exercises]
        most = min(map(len, rows)) - 1
        first, last = min(rows), max(rows)
        length = next((i for i in range(most) if first[i] != last[i]), most)
        lead = first[:length]
        return lead if any(token >= self.start for token in lead) else ()

    def shared_prefix_at(self, offset: int) -> tuple[int, ...]:
        """`shared_prefix` with its virtual ids where this candidate's vectors stand."""
        return self._shifted(self.shared_prefix, offset)

    def item(
        self,
        number: int,
        offsets: Sequence[int],
        *,
        prefix: KVState | None = None,
        states: TrainingPrefixCache | None = None,
    ) -> TrainingItem:
        """What is scored for an example: its questions once a member, at the members' vectors."""
        asked = self.exercises[number].asked
        state = prefix
        if prefix is None and states is not None and (ids := self.frozen_prefix(number)):
            state = states.get(ids)
        questions = tuple(self._moved(one, offset) for offset in offsets for one in asked)
        return TrainingItem(questions, state)

    def _moved(self, question: ScoringRequest, offset: int) -> ScoringRequest:
        """The question with its virtual ids moved to where this candidate's vectors stand."""
        if not offset:
            return question
        context = replace(question.context, ids=self._shifted(question.context.ids, offset))
        return ScoringRequest(
            context, tuple(self._shifted(c, offset) for c in question.continuations)
        )

    def _shifted(self, ids: tuple[int, ...], offset: int) -> tuple[int, ...]:
        return tuple(token + offset if token >= self.start else token for token in ids)


class LabelledObjective(TrainingObjective):
    """Cross-entropy over labels, whatever their log-probabilities are made of."""

    labels: tuple[str, ...]

    @abstractmethod
    def scores(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, "example label"]:
        """Log-probabilities of the labels in nats."""

    def losses(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, " example"]:
        """Cross-entropy of the right label."""
        scores = self.scores(numbers, scored, mixture)
        right = torch.tensor([self.exercises[n].label for n in numbers], device=scores.device)
        return -scores.gather(1, right[:, None])[:, 0]

    def predictions(
        self, numbers: Sequence[int], scores: Float[np.ndarray, "example label"]
    ) -> Predictions:
        """The table for a judge, of labels with these log-probabilities."""
        return Predictions(
            Prediction(
                example_id=self.exercises[number].example.id,
                label=self.labels[int(np.argmax(row))],
                target=self.exercises[number].example.label,
                scores=dict(zip(self.labels, map(float, row), strict=True)),
                tokens_in=self.exercises[number].tokens,
            )
            for number, row in zip(numbers, scores, strict=True)
        )


class LabelObjective(LabelledObjective):
    """Cross-entropy over the labels that the verbalizer makes of the answers."""

    def __init__(
        self, classifier: PromptClassifier, examples: Sequence[Example], *, shares: bool
    ) -> None:
        model = classifier.model
        assert isinstance(model, LocalModel)
        self.verbalizer = classifier.verbalizer
        self.loss = LabelLoss(self.verbalizer)
        prompts = [classifier.render_prompt(example) for example in examples]
        rows = model.answer_requests(prompts, self.verbalizer.answers)
        self.labels = labels = self.verbalizer.labels
        made = [
            TrainingExample(
                example,
                tuple(row),
                labels.index(str(example.label)),
                sum(len(one.context.ids) for one in row),
            )
            for example, row in zip(examples, rows, strict=True)
        ]
        super().__init__(made, start=model.engine.network.virtual_tokens.first_id, shares=shares)
        self._single = all(
            len(one.asked) == 1 and all(len(c) == 1 for c in one.asked[0].continuations)
            for one in made
        )

    @property
    def normalised(self) -> bool:
        """Not where all answers are single tokens of one slot: the normaliser cancels."""
        return not self._single

    def scores(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, "example label"]:
        """Log-probabilities of the labels in nats."""
        members = 1 if mixture is None else len(mixture)
        rows = [
            self._answers(number, found, member)
            for number, found in zip(numbers, scored, strict=True)
            for member in range(members)
        ]
        lengths = [self._lengths(number) for number in numbers for _ in range(members)]
        scores = self.loss.label_scores(torch.stack(rows), torch.tensor(lengths))
        if mixture is None:
            return scores
        parts = scores.view(len(numbers), members, -1)
        weights = mixture.log_softmax(0).to(parts.device)
        return (parts + weights[None, :, None]).logsumexp(1)

    def _answers(self, number: int, scored: Scored, member: int) -> Float[Tensor, " answer"]:
        """The answers' likelihoods in the verbalizer's order."""
        asked = self.exercises[number].asked
        found = scored[member * len(asked) : (member + 1) * len(asked)]
        parts = [
            exclusive_logprobs_with_graph(values, one.continuations)
            for values, one in zip(found, asked, strict=True)
        ]
        if len(asked) == 1:
            return parts[0]
        order = [answer for one in asked for answer in one.answers]
        return torch.cat(parts)[torch.tensor(order).argsort()]

    def _lengths(self, number: int) -> list[int]:
        found = {
            answer: len(continuation)
            for one in self.exercises[number].asked
            for answer, continuation in zip(one.answers, one.continuations, strict=True)
        }
        return [found[answer] for answer in range(len(self.verbalizer.answers))]


def make_text_objective(
    generator: PromptGenerator, examples: Sequence[Example], *, shares: bool
) -> TextObjective:
    """Exercises in writing each example's label (its target text) at the slot, to its end."""
    model = generator.model
    assert isinstance(model, LocalModel)
    if model.thinking == "on":
        raise InputError(
            f"{model.name} is set to think before it writes, and a prompt is learned for answers "
            "without reasoning; leave thinking out of the model's settings"
        )
    prompts = [generator.render_prompt(example) for example in examples]
    rows = model.reply_requests(prompts, [str(example.label) for example in examples])
    made = [
        TrainingExample(example, (asked,), 0, len(asked.context.ids))
        for example, asked in zip(examples, rows, strict=True)
    ]
    return TextObjective(made, start=model.engine.network.virtual_tokens.first_id, shares=shares)


class TextObjective(TrainingObjective):
    """The language model's own loss on the target text, in nats a token."""

    @property
    def normalised(self) -> bool:
        """Always: a text's likelihood is among all texts."""
        return True

    def losses(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, " example"]:
        """Mean negative log-likelihood of the target's tokens, that of its end among them."""
        parts = []
        for number, found in zip(numbers, scored, strict=True):
            length = len(self.exercises[number].asked[0].continuations[0])
            values = torch.stack([one[0] for one in found])
            if mixture is None:
                parts.append(-values[0] / length)
            else:
                weights = mixture.log_softmax(0).to(values.device)
                parts.append(-(values + weights).logsumexp(0) / length)
        return torch.stack(parts)
