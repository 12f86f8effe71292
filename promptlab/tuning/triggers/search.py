"""The trigger search: gradient, candidates, exact losses, the best is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

import numpy as np
from jaxtyping import Bool, Float, Int

from promptlab.errors import InputError, Pruned
from promptlab.tuning.triggers.losses import REMEMBERED, LossCache, Tokens, TriggerScorer
from promptlab.tuning.triggers.proposals import CandidateProposal, ProposalStep, require_positive
from promptlab.tuning.triggers.state import AcceptedTrigger, SearchState

Measure = Callable[[Sequence[Tokens], Sequence[int]], Float[np.ndarray, "candidate example"]]


def successive_halving(
    candidates: Sequence[Tokens],
    measure: Measure,
    examples: Sequence[int],
    *,
    blocks: int = 1,
    keep: int = 1,
    always: Tokens | None = None,
) -> list[tuple[Tokens, float]]:
    """The candidates that were measured on all examples with their mean loss, best first.

    Each of ``blocks`` blocks doubles the number of examples seen, and after each but the last the
    worse half is dropped (never fewer than ``keep`` stay, and ``always`` stays beside them). One
    block is no race: every candidate is measured on every example. Equal losses stay in the order
    given.
    """
    running = list(dict.fromkeys(candidates))
    seen = np.zeros((len(running), 0))
    for bound in _bounds(len(examples), blocks):
        block = measure(running, examples[seen.shape[1] : bound])
        seen = np.ascontiguousarray(np.concatenate([seen, block], axis=1))
        order = np.argsort(seen.mean(axis=1), kind="stable").tolist()
        if bound < len(examples):
            order = _better_half(order, running, keep, always)
        running, seen = [running[i] for i in order], seen[order]
    return list(zip(running, seen.mean(axis=1).tolist(), strict=True))


def _bounds(examples: int, blocks: int) -> list[int]:
    """After how many examples candidates are compared."""
    return sorted({max(1, examples >> (blocks - 1 - block)) for block in range(blocks)})


def _better_half(
    order: list[int], running: list[Tokens], keep: int, always: Tokens | None
) -> list[int]:
    rivals = [i for i in order if running[i] != always]
    stay = set(rivals[: max(keep, (len(rivals) + 1) // 2)])
    return [i for i in order if i in stay or running[i] == always]


TRIED = 6
"""Candidates of a step that are told, the best ones."""
WINDOW = 8
"""Momentum forgets a gradient after so many steps."""


@dataclass(frozen=True)
class SearchSettings:
    """How long and on how many examples a search works.

    ``batch`` examples a gradient and ``accumulate`` such batches a step; candidates are compared
    on ``comparison`` other examples (``None``: as many as ``batch``) in ``blocks`` blocks of a
    race (1: no race). ``momentum`` in [0, 1) is the weight of the steps before. After ``patience``
    steps without a dev score as good the search ends (``None``: never). Raises `InputError`.
    """

    steps: int = 100
    batch: int = 32
    accumulate: int = 1
    comparison: int | None = None
    blocks: int = 1
    momentum: float = 0.0
    patience: int | None = None
    remember: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "comparison", "blocks", "patience"):
            if (value := getattr(self, name)) is not None:
                require_positive(name, value)
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is {self.momentum}; it is at least 0 and below 1")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; it is 0 or more")


class TokenSearch:
    """Looks for the trigger with the lowest loss; every step is a function of the state alone.

    ``examples`` is how many the oracle's training set has, ``allowed`` ``[vocab]`` which entries
    a trigger may get, ``survives`` whether a whole trigger is acceptable (say, is the same after
    decoding and encoding), ``words`` its text. ``on_accepted`` is told every trigger taken on,
    ``on_kept`` the number of every step that kept its trigger, and its loss on that step's
    examples. ``tried`` then has the best candidates of the step and the trigger before, with their
    losses, and ``candidates`` says how many there were.
    """

    def __init__(
        self,
        oracle: TriggerScorer,
        proposal: CandidateProposal,
        settings: SearchSettings,
        *,
        examples: int,
        allowed: Bool[np.ndarray, " vocab"],
        survives: Callable[[Tokens], bool] = lambda tokens: True,
        words: Callable[[Tokens], str] = lambda tokens: " ".join(map(str, tokens)),
        on_accepted: Callable[[AcceptedTrigger], None] = lambda accepted: None,
        on_kept: Callable[[int, Tokens, float], None] = lambda step, tokens, loss: None,
    ) -> None:
        require_positive("examples", examples)
        if allowed.shape != (oracle.vocabulary,) or not allowed.any():
            raise InputError(
                f"{int(allowed.sum())} of {len(allowed)} tokens may stand in a trigger and the "
                f"model has {oracle.vocabulary}; allow at least one of them"
            )
        self.oracle = oracle
        self.proposal = proposal
        self.settings = settings
        self.examples = examples
        self.allowed = allowed
        self.survives = lru_cache(maxsize=100_000)(survives)
        self.words = words
        self.on_accepted = on_accepted
        self.on_kept = on_kept
        self.losses = LossCache(oracle, examples, REMEMBERED if settings.remember else 0)
        self.tried: list[tuple[Tokens, float]] = []
        self.candidates = 0
        self._gradients: dict[tuple[int, Tokens], Float[np.ndarray, "token vocab"]] = {}

    def start(self, tokens: Tokens) -> SearchState:
        """The state before the first step; the starting trigger counts as accepted."""
        if not tokens:
            raise InputError("a trigger has at least one token")
        loss = float(self.losses([tokens], self._comparison(0)).mean())
        accepted = self._accept(0, tokens, loss)
        return SearchState(0, tokens, accepted)

    def run(self, state: SearchState) -> Iterator[SearchState]:
        """The state after every step from ``state`` on, until the search ends."""
        while not self.is_finished(state):
            state = self.step(state)
            yield state

    def is_finished(self, state: SearchState) -> bool:
        """Whether all steps are done or patience has run out."""
        patience = self.settings.patience
        waited = state.step - state.best.step
        return state.step >= self.settings.steps or (patience is not None and waited >= patience)

    def step(self, state: SearchState) -> SearchState:
        """One step; raises `Pruned` when the loss or the gradient is not a number."""
        recent = ((state.step, state.tokens), *state.recent)
        recent = recent[: WINDOW if self.settings.momentum else 1]
        turn = ProposalStep(
            state.step,
            state.tokens,
            np.where(self.allowed, self._direction(recent), np.inf),
            self._random(state.step, 1),
            self.survives,
        )
        (tokens, loss), before = self._best(turn)
        best = state.best
        if loss < before:
            accepted = self._accept(state.step + 1, tokens, loss)
            # Of equal dev scores the later one counts: its training loss is lower.
            best = accepted if accepted.score >= best.score else best
        else:
            tokens = state.tokens
            self.on_kept(state.step + 1, tokens, before)
        return SearchState(
            state.step + 1, tokens, best, recent[: WINDOW - 1] if self.settings.momentum else ()
        )

    def _best(self, turn: ProposalStep) -> tuple[tuple[Tokens, float], float]:
        """The best trigger with its loss, and the loss of the one before on the same examples."""
        current, width = turn.tokens, self.proposal.width
        examples = self._comparison(turn.step)
        beam, before = [current], np.inf
        ranked: list[tuple[Tokens, float]] = []
        self.candidates = 0
        for number in range(self.proposal.rounds(turn)):
            proposed = self.proposal.candidates(turn, number, beam)
            self.candidates += len(proposed)
            ranked = successive_halving(
                [current, *beam, *proposed],
                self.losses,
                examples,
                blocks=self.settings.blocks,
                keep=width,
                always=current,
            )
            before = dict(ranked)[current]
            beam = [tokens for tokens, _ in ranked[:width]]
        self._require_number(current, before)
        self.tried = [row for i, row in enumerate(ranked) if i < TRIED or row[0] == current]
        return ranked[0], before

    def _accept(self, step: int, tokens: Tokens, loss: float) -> AcceptedTrigger:
        self._require_number(tokens, loss)
        score = self.oracle.dev_score(tokens)
        if np.isnan(score):
            raise Pruned(f"the dev score of the trigger {self.words(tokens)!r} is not a number")
        accepted = AcceptedTrigger(step, tokens, self.words(tokens), loss, float(score))
        self.on_accepted(accepted)
        return accepted

    def _require_number(self, tokens: Tokens, loss: float) -> None:
        if not isfinite(loss):
            raise Pruned(
                f"the loss of the trigger {self.words(tokens)!r} is {loss}, not a finite number"
            )

    def _direction(
        self, recent: tuple[tuple[int, Tokens], ...]
    ) -> Float[np.ndarray, "token vocab"]:
        """The gradient now and, with momentum, those of the last steps with falling weights."""
        self._gradients = {key: self._gradients[key] for key in recent if key in self._gradients}
        for key in recent:
            if key not in self._gradients:
                self._gradients[key] = self._gradient(*key)
        weights = self.settings.momentum ** np.arange(len(recent))
        total = sum(w * self._gradients[key] for w, key in zip(weights, recent, strict=True))
        return np.asarray(total / weights.sum())

    def _gradient(self, step: int, tokens: Tokens) -> Float[np.ndarray, "token vocab"]:
        batches = self._batches(step, self.settings.batch, self.settings.accumulate)
        parts = [self.oracle.gradient(tokens, batch.tolist()) for batch in batches]
        gradient = np.mean(parts, axis=0)
        if np.isnan(gradient).any():
            raise Pruned(f"the gradient at the trigger {self.words(tokens)!r} is not a number")
        return np.asarray(gradient)

    def _comparison(self, step: int) -> list[int]:
        """The examples on which a step's candidates are compared; other ones than its gradient's.

        (As far as the training set has others.)
        """
        settings = self.settings
        size = settings.comparison or min(settings.batch, self._most)
        used = {int(i) for b in self._batches(step, settings.batch, settings.accumulate) for i in b}
        order = self._random(step, 2).permutation(self.examples).tolist()
        fresh = [i for i in order if i not in used] + [i for i in order if i in used]
        return fresh[:size]

    @property
    def _most(self) -> int:
        """The most examples a gradient is taken on: half, so that others are left to compare on.

        On all of them every step would propose and compare the same again.
        """
        return max(1, self.examples // 2)

    def _batches(self, step: int, size: int, count: int) -> list[Int[np.ndarray, " example"]]:
        """``count`` batches without repetition inside a batch, distinct as far as possible."""
        size = min(size, self._most)
        rng = self._random(step, 0)
        found: list[Int[np.ndarray, " example"]] = []
        while len(found) < count:
            order = rng.permutation(self.examples)
            found += [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
        return found[:count]

    def _random(self, step: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, step, purpose])
