"""Self-consistency: several sampled solutions, and the answer that most of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, get_args

from promptlab.data.example import Example
from promptlab.errors import AskError, InputError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.model_calls import Gather, StrategyResult, StrategyRun
from promptlab.predictors.retrieval import EmbeddingIndex, check_embeds
from promptlab.predictors.wrapper import WrappingStrategy, inner_from_settings
from promptlab.prompts.parsers.open_answer import normalize_answer
from promptlab.strategies.self_consistency.stopping import StoppingRule, should_stop
from promptlab.strategies.self_consistency.voting import (
    SampledAnswer,
    VoteRule,
    cluster_vote,
    log_shares,
    majority_vote,
    overlap_vote,
    weighted_vote,
    winner,
)

_COMPARED = 128
"""At most so many training answers say what all answers have in common."""


class SelfConsistency(WrappingStrategy):
    """``samples`` solutions by ``inner``, whose text is sampled, vote on the answer.

    ``vote`` (Wang et al. 2022): *majority*; *weighted* by the solutions' probabilities, each
    normalised for its length; for free text *semantic*, groups of answers whose vectors (the
    model's, the mean of the training answers taken off) have a cosine of ``similarity`` or more,
    or *overlap*, the answer that shares most n-grams with all others. Ties go to the larger
    summed probability, then to the answer that came first.

    ``adaptive`` stops a majority vote early, by a rule of `should_stop` and its ``threshold``.
    Solutions are sampled in waves of ``wave`` (by default 1, or all at once where nothing stops
    early) and counted in the order of their numbers, so that the result is the same for any wave
    and batch. A solution that fails has no vote; the example fails if all do.

    Args:
        inner: The strategy whose solutions vote; its decoding needs a temperature above 0.
        samples: How many solutions are drawn at most.

    Raises:
        InputError: For an inner strategy that gives the same solution every time, or settings
            that do not go together.

    Example:
        >>> from promptlab.predictors.generator import PromptGenerator
        >>> from promptlab.prompts.decoding import Decoding
        >>> from promptlab.prompts.parsers.parsers import NumberParser
        >>> warm = Decoding(max_tokens=8, temperature=0.7)
        >>> inner = PromptGenerator("{question} = {mask}", NumberParser(), model, decoding=warm)
        >>> SelfConsistency(inner, samples=3).predict(["3 + 4"]).labels
        ['7']
    """

    def __init__(
        self,
        inner: Predictor,
        *,
        samples: int = 5,
        vote: VoteRule = "majority",
        adaptive: StoppingRule = "none",
        threshold: float = 0.95,
        wave: int | None = None,
        similarity: float = 0.7,
    ) -> None:
        super().__init__(inner)
        self.samples, self.vote, self.adaptive = samples, vote, adaptive
        self.threshold, self.wave, self.similarity = threshold, wave, similarity
        _check(self)
        if vote == "semantic":
            check_embeds(self.model)
        self._index: EmbeddingIndex | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The inner strategy's labels, if it has some."""
        return tuple(getattr(self.inner, "labels", ()))

    def learn(self, train: Sequence[Example]) -> None:
        """For semantic votes: what answers look like, as vectors."""
        if self.vote == "semantic":
            self._compare(list(dict.fromkeys(e.label for e in train if e.label is not None)))

    def prepare(self, examples: Sequence[Example]) -> None:
        """What the inner strategy needs for all examples."""
        self.inner.prepare(examples)

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The elected answer, with the votes among its facts."""
        ballot_box = _BallotBox()
        drawn = 0
        while drawn < self.samples and not ballot_box.closed:
            size = min(self._wave, self.samples - drawn)
            numbers = [sample * self.samples + drawn + n for n in range(size)]
            parts = [self._one(example, branch, number) for number in numbers]
            found: list[tuple[StrategyResult, TraceCursor] | AskError] = yield Gather(
                parts, return_errors=True
            )
            for each in found:
                self._take(ballot_box, each)
            drawn += size
        return self._outcome(ballot_box, drawn)

    def _one(
        self, example: Example, branch: TraceCursor, number: int
    ) -> StrategyRun[tuple[StrategyResult, TraceCursor]]:
        after = branch.step("sample", number=number)
        found = yield from self.inner.solve(example, after, number)
        after.annotate(label=found.label)
        return found, after

    def _take(self, box: _BallotBox, found: tuple[StrategyResult, TraceCursor] | AskError) -> None:
        """Count one solution, in order; those beyond the one that decided are not looked at."""
        if box.closed:
            if not isinstance(found, AskError):
                found[1].annotate(counted=False)
            return
        box.used += 1
        if isinstance(found, AskError):
            box.failed.append(found)
        else:
            box.outcomes.append(found[0] if self.labels else box.alike(found[0]))
        left = self.samples - box.used
        box.closed = should_stop(box.counts, left, self.adaptive, self.threshold)

    def _outcome(self, box: _BallotBox, drawn: int) -> StrategyResult:
        if not box.outcomes:
            raise box.failed[0]
        facts: dict[str, Any] = {
            "samples": box.used,
            "drawn": drawn,
            "votes": dict(box.counts),
            **({"failed": len(box.failed)} if box.failed else {}),
        }
        chosen = [o for o in box.outcomes if o.label is not None]
        if not chosen:
            first = box.outcomes[0]
            return replace(first, scores=None, facts={**first.facts, **facts})
        ballots = [SampledAnswer.of(outcome) for outcome in chosen]
        totals = self._totals(ballots)
        if self.vote != "majority":
            facts[self.vote] = totals
        label = winner(totals, ballots)
        first = next(outcome for outcome in chosen if outcome.label == label)
        return replace(
            first, scores=log_shares(totals, self.labels), facts={**first.facts, **facts}
        )

    def _totals(self, ballots: Sequence[SampledAnswer]) -> dict[str, float]:
        match self.vote:
            case "majority":
                return majority_vote(ballots)
            case "weighted":
                return weighted_vote(ballots)
            case "overlap":
                return overlap_vote(ballots)
        if self._index is None:
            raise not_fitted_error("semantic votes compare answers with the training answers' mean")
        vectors = self._index.vectors([ballot.label for ballot in ballots])
        return cluster_vote(ballots, vectors @ vectors.T, self.similarity)

    @property
    def _wave(self) -> int:
        if self.wave is not None:
            return self.wave
        return self.samples if self.adaptive == "none" else 1

    def _compare(self, answers: Sequence[str]) -> None:
        if not answers:
            raise InputError(
                "semantic votes compare answers with the mean of the training answers, and the "
                "training examples have no labels; give some, or use vote overlap"
            )
        self._index = EmbeddingIndex(answers[:_COMPARED], self.model)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return super().settings() | {
            "samples": self.samples,
            "vote": self.vote,
            "adaptive": self.adaptive,
            "threshold": self.threshold,
            "wave": self.wave,
            "similarity": self.similarity,
            "answers": None if self._index is None else list(self._index.texts),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        own = {k: v for k, v in settings.items() if k not in ("inner", "answers")}
        made = cls(inner_from_settings(settings["inner"], model), **own)
        if settings["answers"] is not None:
            made._compare(settings["answers"])
        return made


@dataclass
class _BallotBox:
    """The solutions of one example that were counted so far."""

    outcomes: list[StrategyResult] = field(default_factory=list)
    failed: list[AskError] = field(default_factory=list)
    used: int = 0
    closed: bool = False
    written: dict[str, str] = field(default_factory=dict)

    def alike(self, outcome: StrategyResult) -> StrategyResult:
        """An open answer as it was first written by a solution that came to the same."""
        if outcome.label is None:
            return outcome
        first = self.written.setdefault(normalize_answer(outcome.label), outcome.label)
        return replace(outcome, label=first)

    @property
    def counts(self) -> Counter[str]:
        """How often each label was answered."""
        return Counter(o.label for o in self.outcomes if o.label is not None)


def _check(made: SelfConsistency) -> None:
    for name, value, known in (
        ("vote", made.vote, get_args(VoteRule)),
        ("adaptive", made.adaptive, get_args(StoppingRule)),
    ):
        if value not in known:
            raise InputError(f"unknown {name} {value!r}; it is one of {', '.join(known)}")
    if made.samples < 1 or (made.wave is not None and made.wave < 1):
        raise InputError(
            f"samples is {made.samples} and wave {made.wave}; at least one solution is drawn"
        )
    if not 0.5 <= made.threshold < 1:
        raise InputError(f"threshold is {made.threshold}; it is a probability from .5 to below 1")
    if made.adaptive != "none" and made.vote != "majority":
        raise InputError(
            f"adaptive stopping counts votes, and vote is {made.vote}; use vote majority, or "
            "adaptive none"
        )
    if made.samples > 1 and not any(d.temperature > 0 for d in made.inner.decodings):
        raise InputError(
            f"self-consistency votes on {made.samples} sampled solutions, and those of "
            f"{type(made.inner).__name__} are all alike: its decoding's temperature is 0 or it "
            "generates nothing; set the inner decoding's temperature above 0, such as 0.7"
        )
