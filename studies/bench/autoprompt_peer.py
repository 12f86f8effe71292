"""The published AutoPrompt procedure (Shin et al. 2020), rewritten for plain transformers.

Its costs are kept as they are: every parameter takes part in the backward pass, the head is
applied at every position, and the candidates are tried one after the other.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from promptlab.studies.bench.material import TriggerRow

Score = Literal["accuracy", "likelihood"]
"""What candidates are compared by on their batches."""


@dataclass(frozen=True)
class Procedure:
    """The settings of a search; the defaults are small, the paper's runs used larger ones.

    ``iterations`` steps of ``accumulation_steps`` batches of ``batch_size`` rows, and
    ``candidates`` tokens a step. The published program compares candidates by accuracy, the
    paper's equation 1 by *likelihood*. The search ends early once the dev accuracy is ``until``
    or ``limit_seconds`` have gone by.
    """

    iterations: int = 100
    accumulation_steps: int = 1
    batch_size: int = 32
    candidates: int = 10
    score: Score = "accuracy"
    until: float | None = None
    limit_seconds: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Dev accuracy of some trigger tokens, and the seconds gone by when it was known."""

    seconds: float
    dev_accuracy: float
    tokens: tuple[int, ...]


@dataclass
class Work:
    """Rows that went through the network, by their padded length."""

    forward: Counter[int] = field(default_factory=Counter)
    training: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class TriggerSearch:
    """What a search found: all dev evaluations in order, its whole time, and its work."""

    history: list[Evaluation]
    seconds: float
    iterations: int
    work: Work

    @property
    def best(self) -> Evaluation:
        """The first of the highest dev accuracies: the tokens that the procedure returns."""
        return max(self.history, key=lambda one: one.dev_accuracy)

    def seconds_to(self, dev_accuracy: float) -> float | None:
        """Seconds until a dev accuracy at least as high was known, ``None`` if it never was."""
        return next((e.seconds for e in self.history if e.dev_accuracy >= dev_accuracy), None)


def autoprompt(
    model: Any,
    train: Sequence[TriggerRow],
    dev: Sequence[TriggerRow],
    *,
    label_words: Sequence[Sequence[int]],
    initial: Sequence[int],
    allowed: np.ndarray,
    procedure: Procedure = Procedure(),
) -> TriggerSearch:
    """Search trigger tokens for a masked or a causal transformers model.

    ``label_words[label]`` are token ids, ``initial`` the first trigger tokens (mask tokens in
    the paper), ``allowed`` ``[embedding row]`` says which tokens may be candidates. One step:
    the gradient of the mean negative log-probability of the label's words with respect to the
    trigger embeddings is summed over the batches; one position is drawn; the tokens with the
    highest -gradient . embedding are its candidates; each is scored on freshly drawn batches,
    the same for all and for the present token; the best takes its place when it is better, and
    then the dev rows are evaluated. All weights are made trainable meanwhile; afterwards their
    ``requires_grad`` is as before and gradients are dropped.
    """
    before = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(True)
    model.eval()
    try:
        with _embedding_gradient(model) as gradients:
            search = _Search(model, label_words, allowed, procedure, gradients)
            return search.run(train, dev, initial)
    finally:
        model.zero_grad(set_to_none=True)
        for parameter, value in zip(model.parameters(), before, strict=True):
            parameter.requires_grad_(value)


@dataclass(frozen=True)
class _Batch:
    """Rows padded on the right: ``ids`` and ``mask`` [row, token], the rest [row, ...]."""

    ids: Any
    mask: Any
    places: Any
    slots: Any
    labels: Any

    @classmethod
    def of(cls, rows: Sequence[TriggerRow], device: Any) -> _Batch:
        import torch

        longest = max(len(row.ids) for row in rows)
        padding = [longest - len(row.ids) for row in rows]
        columns = (
            [[*row.ids, *([0] * k)] for row, k in zip(rows, padding, strict=True)],
            [[1] * (longest - k) + [0] * k for k in padding],
            [row.places for row in rows],
            [row.slot for row in rows],
            [row.label for row in rows],
        )
        return cls(*(torch.tensor(values, device=device) for values in columns))

    def filled(self, trigger: Any) -> Any:
        """The ids with ``trigger`` in its places."""
        return self.ids.scatter(1, self.places, trigger.expand(len(self.ids), -1))


class _Search:
    """One run of the procedure."""

    def __init__(
        self,
        model: Any,
        label_words: Sequence[Sequence[int]],
        allowed: np.ndarray,
        procedure: Procedure,
        gradients: list[Any],
    ) -> None:
        import torch

        self.model = model
        self.words = [torch.tensor(words, device=model.device) for words in label_words]
        self.allowed = torch.tensor(np.asarray(allowed, dtype=bool), device=model.device)
        self.procedure = procedure
        self.gradients = gradients
        self.random = random.Random(procedure.seed)
        self.work = Work()

    def run(
        self, train: Sequence[TriggerRow], dev: Sequence[TriggerRow], initial: Sequence[int]
    ) -> TriggerSearch:
        """All steps, with a dev evaluation before the first and after every change."""
        import torch

        start = time.perf_counter()
        trigger = torch.tensor(list(initial), device=self.model.device)
        history: list[Evaluation] = []

        def evaluate() -> None:
            accuracy = self._dev_accuracy(dev, trigger)
            tokens = tuple(trigger.tolist())
            history.append(Evaluation(time.perf_counter() - start, accuracy, tokens))

        evaluate()
        steps = 0
        while steps < self.procedure.iterations and not self._ended(history[-1], start):
            steps += 1
            found = self._step(train, trigger)
            if found is not None:
                trigger = found
                evaluate()
        return TriggerSearch(history, time.perf_counter() - start, steps, self.work)

    def _ended(self, last: Evaluation, start: float) -> bool:
        until, limit = self.procedure.until, self.procedure.limit_seconds
        return (until is not None and last.dev_accuracy >= until) or (
            limit is not None and time.perf_counter() - start >= limit
        )

    def _step(self, train: Sequence[TriggerRow], trigger: Any) -> Any:
        """A better trigger, or ``None`` when no candidate beats the present one."""
        gradient = self._gradient(train, trigger)
        place = self.random.randrange(len(trigger))
        options = [trigger]
        for candidate in self._candidates(gradient[place]):
            option = trigger.clone()
            option[place] = candidate
            options.append(option)
        totals = [0.0] * len(options)
        for batch in self._draw(train):
            for index, option in enumerate(options):
                totals[index] += self._score(batch, option)
        best = max(range(1, len(options)), key=totals.__getitem__, default=0)
        return options[best] if totals[best] > totals[0] else None

    def _gradient(self, train: Sequence[TriggerRow], trigger: Any) -> Any:
        """Gradient ``[trigger token, dim]`` of the mean loss, summed over the batches."""
        total: Any = 0.0
        self.model.zero_grad()
        for batch in self._draw(train):
            logp = self._slot_logp(batch, trigger)
            self.work.training[batch.ids.shape[1]] += len(batch.ids)
            (-self._label_logp(logp, batch.labels).mean()).backward()
            (flowing,) = self.gradients
            index = batch.places[:, :, None].expand(-1, -1, flowing.shape[-1])
            total = total + flowing.gather(1, index).sum(0)
            self.gradients.clear()
        return total

    def _candidates(self, gradient: Any) -> Any:
        """The allowed tokens that lower the loss most, to first order."""
        import torch

        with torch.no_grad():
            gain = -(self.model.get_input_embeddings().weight @ gradient)
            gain = gain.masked_fill(~self.allowed, float("-inf"))
            return gain.topk(min(self.procedure.candidates, int(self.allowed.sum()))).indices

    def _score(self, batch: _Batch, trigger: Any) -> float:
        """Right predictions, or summed log-probability in nats, on one batch."""
        import torch

        with torch.no_grad():
            logp = self._slot_logp(batch, trigger)
            self.work.forward[batch.ids.shape[1]] += len(batch.ids)
            if self.procedure.score == "likelihood":
                return float(self._label_logp(logp, batch.labels).sum())
            return float(self._right(logp, batch.labels))

    def _dev_accuracy(self, dev: Sequence[TriggerRow], trigger: Any) -> float:
        import torch

        right, size = 0.0, self.procedure.batch_size
        with torch.no_grad():
            for first in range(0, len(dev), size):
                batch = _Batch.of(dev[first : first + size], self.model.device)
                self.work.forward[batch.ids.shape[1]] += len(batch.ids)
                right += float(self._right(self._slot_logp(batch, trigger), batch.labels))
        return right / len(dev)

    def _draw(self, train: Sequence[TriggerRow]) -> Iterator[_Batch]:
        """The first batches of a new order of the training rows."""
        order, size = self.random.sample(range(len(train)), len(train)), self.procedure.batch_size
        for step in range(self.procedure.accumulation_steps):
            chosen = order[step * size : (step + 1) * size]
            if chosen:
                yield _Batch.of([train[i] for i in chosen], self.model.device)

    def _slot_logp(self, batch: _Batch, trigger: Any) -> Any:
        """Log-probabilities ``[row, vocabulary]`` at the slots, the head applied everywhere."""
        import torch

        logits = self.model(input_ids=batch.filled(trigger), attention_mask=batch.mask).logits
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, batch.slots].log_softmax(-1)

    def _by_label(self, logp: Any) -> Any:
        """Log-probabilities ``[row, label]``, a label's words added up."""
        import torch

        return torch.stack([logp[:, words].logsumexp(-1) for words in self.words], 1)

    def _label_logp(self, logp: Any, labels: Any) -> Any:
        return self._by_label(logp).gather(1, labels[:, None])[:, 0]

    def _right(self, logp: Any, labels: Any) -> Any:
        return (self._by_label(logp).argmax(-1) == labels).sum()


@contextmanager
def _embedding_gradient(model: Any) -> Iterator[list[Any]]:
    """The gradient that flows into the input embeddings' output, kept by a backward hook."""
    kept: list[Any] = []

    def watch(module: Any, inputs: Any, output: Any) -> None:
        if output.requires_grad:
            output.register_hook(kept.append)

    hook = model.get_input_embeddings().register_forward_hook(watch)
    try:
        yield kept
    finally:
        hook.remove()
