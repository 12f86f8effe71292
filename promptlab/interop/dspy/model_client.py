"""Where DSPy's calls reach a promptlab model: gathered, remembered, counted and traced."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from promptlab.cancellation import Cancellation
from promptlab.errors import AskError
from promptlab.interop.dspy.batcher import CallBatcher
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost_ledger import CostLedger
from promptlab.models.remote.cost_ledger import current as current_ledger
from promptlab.predictors.model_calls import GenerateCall, ScoreCall, ScoreResult, StrategyRun
from promptlab.predictors.scheduler import run_concurrently
from promptlab.prompts.decoding import Decoding, Generation, too_long_message
from promptlab.prompts.prompt import Prompt

REMEMBERED = 20_000
"""So many replies are kept in memory."""


class TooLong(AskError):
    """The prompt leaves no room for a reply in the model's window."""


class ModelClient:
    """Answers single asks about one model, from any thread, in batches.

    The same ask gets the same answer without new work: greedy text, scores, and sampled text of
    the same sample number. `sample` numbers repeated requests, so that the k-th time the same is
    asked the k-th sample is given, whatever other threads ask. ``spent`` counts the tokens that
    went through the model.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.cancellation = Cancellation()
        self.spent = 0
        self._ledger: CostLedger | None = None
        self._gathering: CallBatcher[GenerateCall | ScoreCall, Any] = CallBatcher(self._answered)
        self._samples: Counter[tuple[Prompt, Decoding]] = Counter()
        self._known: dict[Any, Any] = {}
        self._lock = threading.Lock()

    @property
    def batches(self) -> list[int]:
        """How many asks were answered together, the last batches."""
        return list(self._gathering.batches)

    def expect(self, callers: int) -> None:
        """Say that so many threads are about to ask."""
        self._gathering.expect(callers)

    def sample(self, prompt: Prompt, decoding: Decoding) -> int:
        """The next sample number of this request; always 0 where nothing is drawn."""
        if not decoding.temperature:
            return 0
        with self._lock:
            self._samples[prompt, decoding] += 1
            return self._samples[prompt, decoding] - 1

    def generate(self, prompt: Prompt, decoding: Decoding, sample: int = 0) -> Generation:
        """The text that continues ``prompt``. Raises `AskError` when there is none."""
        key = (prompt, decoding, sample)
        ask = GenerateCall(self.model, prompt, decoding, sample)
        reply: Generation = self._answer(key, ask)
        return reply

    def score(self, prompt: Prompt, answers: Sequence[str]) -> ScoreResult:
        """The log-likelihoods of ``answers``. Raises `AskError` when the prompt is too long."""
        key = (prompt, tuple(answers))
        found: ScoreResult = self._answer(key, ScoreCall(self.model, prompt, tuple(answers)))
        return found

    def fitted(self, decoding: Decoding, prompt: Prompt) -> Decoding:
        """``decoding`` with no more tokens than the window has room for beside the prompt.

        Raises `TooLong` when there is no room at all.
        """
        used = self.model.count_tokens(prompt)
        room = self.model.max_tokens - used
        if room < 1:
            raise TooLong(too_long_message(used, self.model.name, self.model.max_tokens))
        if room >= decoding.max_tokens:
            return decoding
        return Decoding(**{**vars(decoding), "max_tokens": room})

    @contextmanager
    def paid(self) -> Iterator[None]:
        """While inside, what threads of others ask is paid by the work that is in force here."""
        before, self._ledger = self._ledger, current_ledger()
        try:
            yield
        finally:
            self._ledger = before

    def _answered(self, asks: Sequence[GenerateCall | ScoreCall]) -> list[Any]:
        ledger = current_ledger() or self._ledger
        with nullcontext() if ledger is None else ledger.in_force():
            return run_concurrently([_asking(ask) for ask in asks])

    def _answer(self, key: Any, ask: GenerateCall | ScoreCall) -> Any:
        self.cancellation.check()
        with self._lock:
            if key in self._known:
                return self._known[key]
        found = self._gathering.ask(ask)
        if isinstance(found, AskError):
            with self._lock:
                self.spent += 0 if found.reply is None else _tokens(found.reply)
            raise type(found)(str(found), found.reply) from found
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = found
            self.spent += _tokens(found)
        return found


def _asking(ask: GenerateCall | ScoreCall) -> StrategyRun[Any]:
    return (yield ask)


def _tokens(found: Generation | ScoreResult) -> int:
    if isinstance(found, ScoreResult):
        return found.prompt_tokens + sum(found.answer_tokens)
    return found.tokens_in + found.tokens_out
