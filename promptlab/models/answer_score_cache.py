"""The scores of answers at fixed prompts, as `score` gives them, from slots that were read once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from promptlab.engine.scoring.readout import SlotReadout
from promptlab.engine.scoring.request import AnswerRequest, ScoringContext
from promptlab.models.base import Scores
from promptlab.models.local import LocalModel
from promptlab.models.nested_answers import may_be_nested
from promptlab.prompts.prompt import Prompt

MAX_CACHED_ANSWERS = 512
"""So many answers are kept; the oldest are forgotten."""


@dataclass(frozen=True, eq=False)
class _AnswerTokens:
    """What an answer is at every prompt.

    ``token`` ``[prompt]`` its only token, -1 if the network has to read on; ``tokens`` their
    number; ``more`` ``[prompt]`` tokens of its context beyond the slot's; ``alone`` whether its
    context is not changed by the answers beside it.
    """

    token: Int[np.ndarray, " prompt"]
    tokens: Int[np.ndarray, " prompt"]
    more: Int[np.ndarray, " prompt"]
    alone: Bool[np.ndarray, " prompt"]


class AnswerScoreCache:
    """`LocalModel.score` of the same prompts again and again, for one set of answers after another.

    The slots are read once. An answer of one token is then one product; any other (several
    tokens, words after the slot of a causal model, a head that is no plain product) goes through
    the network when it is first asked for and is kept. ``answers`` are the first that will be
    asked for: with them it is checked how the tokenizer cuts answers after these prompts.
    """

    def __init__(
        self, model: LocalModel, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> None:
        self.model = model
        self.prompts = list(prompts)
        asked = {answer: self._asked(range(len(self.prompts)), answer) for answer in answers}
        self._contexts = self._places(list(asked.values()))
        self._lengths = np.array([len(context.ids) for context in self._contexts], dtype=np.int64)
        self._cuts: dict[str, _AnswerTokens] = {}
        self._kept: dict[str, Float[np.ndarray, " prompt"]] = {}
        self._together: dict[tuple[str, ...], Scores] = {}
        self._read: SlotReadout | None = None
        self._groups = self._grouped(asked)
        for answer, items in asked.items():
            self._cuts[answer] = self._cut(items, range(len(self.prompts)))

    def read(self) -> None:
        """Send the prompts through the network, unless that was done before."""
        if self._read is None and self.model.engine.network.head_is_linear:
            self._read = self.model.engine.read_slots(self._contexts)

    def uncached_answers(self, answers: Sequence[str]) -> tuple[str, ...]:
        """Those of the answers for which `score` would ask the network."""
        asked = [answer for answer in answers if answer not in self._kept]
        found = [a for a in asked if (self._of(a).token < 0)[self._of(a).alone].any()]
        if self._dependent(answers).any() and tuple(answers) not in self._together:
            return tuple(answers)
        return tuple(found if self._read is not None else asked)

    def score(self, answers: Sequence[str]) -> Scores:
        """The same as ``model.score(prompts, answers)``."""
        started = time.perf_counter()
        self._find([answer for answer in answers if answer not in self._kept])
        cuts = [self._of(answer) for answer in answers]
        logprobs = np.stack([self._kept[answer] for answer in answers], axis=1)
        tokens = np.stack([cut.tokens for cut in cuts], axis=1)
        lengths = self._lengths + np.stack([cut.more for cut in cuts]).max(axis=0)
        dependent = self._dependent(answers)
        if dependent.any():
            found = self._joint(tuple(answers), np.flatnonzero(dependent))
            logprobs[dependent], tokens[dependent] = found.logprobs, found.answer_tokens
            lengths[dependent] = found.prompt_tokens
        self._forget(answers)
        return Scores(logprobs, tokens, lengths, time.perf_counter() - started)

    def _find(self, answers: Sequence[str]) -> None:
        """Keep the log-probabilities of new answers where they stand alone."""
        if not answers:
            return
        self.read()
        cuts = {answer: self._of(answer) for answer in answers}
        new = {answer: np.zeros(len(self.prompts)) for answer in answers}
        ids = sorted({int(i) for cut in cuts.values() for i in cut.token if i >= 0})
        if ids and self._read is not None:
            columns = self._read.logprobs(self.model.engine.network, ids)
            for answer, cut in cuts.items():
                rows = np.flatnonzero(cut.token >= 0)
                new[answer][rows] = columns[rows, np.searchsorted(ids, cut.token[rows])]
        slow = [a for a, cut in cuts.items() if (cut.alone & (cut.token < 0)).any()]
        rows = np.flatnonzero(
            np.any([cuts[a].alone & (cuts[a].token < 0) for a in slow], axis=0) if slow else []
        )
        if slow:
            asked = [self.prompts[row] for row in rows]
            # What is kept of an answer must not depend on those asked with it.
            groups = [[answer] for answer in slow] if may_be_nested(tuple(slow)) else [slow]
            parts = [self.model.score(asked, group).logprobs for group in groups]
            found = np.concatenate(parts, axis=1)
            for column, answer in enumerate(slow):
                wanted = (cuts[answer].alone & (cuts[answer].token < 0))[rows]
                new[answer][rows[wanted]] = found[wanted, column]
        self._kept |= new

    def _joint(self, answers: tuple[str, ...], rows: Int[np.ndarray, " row"]) -> Scores:
        """Where an answer changes how the text before it is cut, all are scored together."""
        if answers not in self._together:
            chosen = [self.prompts[row] for row in rows]
            self._together[answers] = self.model.score(chosen, answers)
        return self._together[answers]

    def _dependent(self, answers: Sequence[str]) -> Bool[np.ndarray, " prompt"]:
        alone = np.all([self._of(answer).alone for answer in answers], axis=0)
        dependent: Bool[np.ndarray, " prompt"] = ~alone
        if self.model.family != "masked" and may_be_nested(tuple(answers)):
            dependent[:] = True  # the shorter one's score is without the longer one's
        return dependent

    def _of(self, answer: str) -> _AnswerTokens:
        """How an answer is cut: asked of one prompt of every group."""
        if answer not in self._cuts:
            first, group = self._groups
            items = self._asked(first, answer)
            cut = self._cut(items, first)
            self._cuts[answer] = _AnswerTokens(
                cut.token[group], cut.tokens[group], cut.more[group], cut.alone[group]
            )
        return self._cuts[answer]

    def _cut(self, items: Sequence[AnswerRequest], rows: Sequence[int]) -> _AnswerTokens:
        affine, causal = self.model.engine.network.head_is_linear, self.model.family == "causal"
        token, tokens, more, alone = (np.zeros(len(items), dtype=np.int64) for _ in range(4))
        for place, (item, row) in enumerate(zip(items, rows, strict=True)):
            (continuation,) = item.continuations
            here = item.context == self._contexts[row]
            single = here and affine and not self.model.engine.has_tail(continuation)
            token[place] = continuation[0] if single else -1
            tokens[place] = len(continuation)
            more[place] = len(item.context.ids) - len(self._contexts[row].ids)
            alone[place] = here or not causal
        return _AnswerTokens(token, tokens, np.maximum(more, 0), alone.astype(bool))

    def _asked(self, rows: Sequence[int], answer: str) -> list[AnswerRequest]:
        """The one question about one answer, at each of these prompts."""
        questions = self.model.scoring_requests([self.prompts[row] for row in rows], (answer,))
        return [items[0] for items in questions]

    def _places(self, asked: Sequence[Sequence[AnswerRequest]]) -> list[ScoringContext]:
        """What is read before an answer of one token: the most that all of the answers share."""
        found = self.model.slot_contexts(self.prompts)
        for items in asked:
            for row, item in enumerate(items):
                context = item.context
                single = len(item.continuations[0]) == 1 or self.model.family == "causal"
                if single and len(context.ids) > len(found[row].ids):
                    found[row] = context
        return found

    def _grouped(
        self, asked: dict[str, list[AnswerRequest]]
    ) -> tuple[list[int], Int[np.ndarray, " prompt"]]:
        """The first prompt of every group, and the group of every prompt.

        Prompts whose last word before the slot is the same cut an answer alike. That is checked
        with the first answers; where it does not hold every prompt is a group of its own.
        """
        numbers: dict[tuple[str, str], int] = {}
        keys = [self._ending(prompt) for prompt in self.prompts]
        group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
        first = [int(np.argmax(group == number)) for number in range(len(numbers))]
        for items in asked.values():
            for row, item in enumerate(items):
                like = first[group[row]]
                if self._differ(item, row, items[like], like):
                    every = np.arange(len(self.prompts))
                    return every.tolist(), every
        return first, group

    def _differ(self, item: AnswerRequest, row: int, other: AnswerRequest, like: int) -> bool:
        places = [
            (len(i.context.ids) - len(self._contexts[r].ids), i.continuations)
            for i, r in ((item, row), (other, like))
        ]
        return places[0] != places[1]

    def _ending(self, prompt: Prompt) -> tuple[str, str]:
        """What the tokens of an answer depend on."""
        piece = self.model.encode_sides(prompt)
        left = piece.left.text
        words = left.rstrip()
        space = left[len(words) :]
        if self.model.family != "causal":
            return "", " " if space else ""
        return (words.rsplit(None, 1) or [""])[-1] + space, f"{piece.right}{piece.after}"

    def _forget(self, answers: Sequence[str]) -> None:
        for kept in (self._kept, self._cuts, self._together):
            for old in list(kept)[: max(0, len(kept) - MAX_CACHED_ANSWERS)]:
                if old not in answers:
                    del kept[old]  # type: ignore[arg-type]
