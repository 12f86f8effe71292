"""promptlab's side of the prompt tuning benchmarks, and the same runs as its peers take them."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench.comparison import require_same_ids
from promptlab.studies.bench.material import TrainingRow, training_rows
from promptlab.studies.bench.peft_peer import Space, TuningRun
from promptlab.studies.bench.roofline import ForwardCost
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.objectives import LabelObjective, TrainingObjective, make_text_objective
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.soft_prompt import SoftPromptInit, make_parameters
from promptlab.tuning.trainer_state import TrainState

VERBALIZER = Verbalizer({"negative": "terrible", "positive": "great"})
CUE = " It was"
WORDS = Template("{text}" + CUE + " {mask}")
"""The prompt without vectors, as the peers get it."""


@dataclass(frozen=True)
class Place:
    """Where ``tokens`` learned vectors stand: before everything, or between example and cue."""

    tokens: int
    after: bool = False

    @property
    def template(self) -> Template:
        """The prompt with its vectors."""
        soft = f"{{soft:{self.tokens}}}"
        return Template(
            "{text} " + soft + CUE + " {mask}" if self.after else soft + "{text}" + CUE + " {mask}"
        )

    @property
    def peer_after(self) -> str:
        """The words that the peers' vectors stand before; nothing for all of them."""
        return CUE if self.after else ""


@dataclass(frozen=True)
class Hyper:
    """What the runs of a benchmark differ in."""

    learning_rate: float = 0.01
    batch: int = 16
    seed: int = 13


class OwnTuning:
    """One prompt tuning that can be begun again and again, by promptlab's own classes.

    The vectors start from a vocabulary sample; AdamW without weight decay, warm-up or clipping.
    With ``space`` *answers* the loss is the cross-entropy among the answers, else that over the
    vocabulary. Raises `WorkError` when the peer would not read the same tokens.
    """

    def __init__(
        self,
        model: LocalModel,
        examples: Sequence[Example],
        place: Place,
        hyper: Hyper,
        *,
        steps: int,
        space: Space = "answers",
    ) -> None:
        self.place, self.space, self.steps = place, space, steps
        self.training = TrainingConfig(
            hyper.learning_rate,
            steps=steps,
            batch_size=hyper.batch,
            warmup=0.0,
            schedule="constant",
            clip=1e9,
            evaluate_every=steps,
            seed=hyper.seed,
        )
        template = place.template
        self._learner = make_parameters(model, template, SoftPromptInit("vocabulary", hyper.seed))
        view = model.with_learned_parts(self._learner.learned()[0], keep=False)
        self.exercises = _exercises(view, template, examples, space)
        words = PromptClassifier(WORDS, VERBALIZER, model)
        self.rows = training_rows(words, examples, after=place.peer_after)
        if space == "vocabulary":
            taught = [e.asked[0].continuations[0][1:] for e in self.exercises.exercises]
            self.rows = [replace(r, end=end) for r, end in zip(self.rows, taught, strict=True)]
        require_same_ids(
            [self._own_ids(number) for number in range(len(self.rows))],
            [_with_vectors(row, place.tokens) for row in self.rows],
        )

    def trainee(self) -> TrainState:
        """A new beginning."""
        learner = copy.deepcopy(self._learner)
        return TrainState(learner, self.training, self.exercises, self.exercises)

    def run(self) -> TuningRun:
        """The same for a peer: the first vectors, and the rows of every step."""
        trainee = self.trainee()
        batches = []
        for step in range(self.steps):
            trainee.progress.step = step
            batches.append(trainee.batch())
        vectors = self._learner.vectors()
        assert vectors is not None
        return TuningRun(
            vectors.detach().float().numpy().copy(), self.training.learning_rate, batches
        )

    def lengths(self) -> list[int]:
        """Tokens of every row of every step, the vectors among them."""
        return [
            len(self.rows[number].ids) + self.place.tokens
            for batch in self.run().batches
            for number in batch
        ]

    def known(self) -> list[int]:
        """The tokens of the same rows whose keys and values are kept across the steps."""
        return [
            len(self.exercises.frozen_prefix(number))
            for batch in self.run().batches
            for number in batch
        ]

    def first_lengths(self) -> list[int]:
        """The lengths of what is computed once and kept."""
        numbers = {number for batch in self.run().batches for number in batch}
        return [length for n in sorted(numbers) if (length := len(self.exercises.frozen_prefix(n)))]

    def _own_ids(self, number: int) -> list[int]:
        ids = self.exercises.exercises[number].asked[0].context.ids
        start = self.exercises.start
        return [token if token < start else start - token - 1 for token in ids]


@dataclass(frozen=True)
class OwnResult:
    """Every tuning's mean loss in nats before each step's update, and the wall seconds of all.

    ``computed_tokens`` went through the network, kept ones once.
    """

    losses: list[list[float]]
    seconds: float
    computed_tokens: int


def train(model: LocalModel, tunings: Sequence[OwnTuning]) -> OwnResult:
    """All steps of the tunings in one pack, begun anew; nothing that was kept before is known."""
    trainees = [tuning.trainee() for tuning in tunings]
    losses: list[list[float]] = [[] for _ in trainees]
    start = time.perf_counter()
    pack = PackedTrainer(model)
    for _ in range(tunings[0].steps):
        for curve, loss in zip(losses, pack.step(trainees), strict=True):
            if isinstance(loss, Exception):
                raise loss
            curve.append(loss)
    return OwnResult(losses, time.perf_counter() - start, pack.computed_tokens)


def own_flops(tunings: Sequence[OwnTuning], cost: ForwardCost, computed_tokens: int) -> float:
    """What the work needs.

    Where fewer tokens were computed than the rows have, vectors in front went through the network
    once a step, as they are the same in all rows. Among answers the head costs nothing.
    """
    lengths = sum(sum(one.lengths()) for one in tunings)
    total = 0.0
    for one in tunings:
        known, tokens = one.known(), one.place.tokens
        if not one.place.after and computed_tokens < lengths:
            known = [tokens] * len(known)
            total += cost.training_flops([tokens] * one.steps, slots=0)
        slots = len(known) if one.space == "vocabulary" else 0
        total += cost.training_flops(one.lengths(), slots=slots, known=known)
        total += cost.flops(one.first_lengths(), slots=0)
    return total


def padded_lengths(tuning: OwnTuning) -> list[int]:
    """Tokens of every row of every step as a peer pads them: to its batch's longest row."""
    padded = []
    for batch in tuning.run().batches:
        longest = max(len(tuning.rows[number].ids) for number in batch)
        padded += [longest + tuning.place.tokens] * len(batch)
    return padded


def _exercises(
    view: LocalModel, template: Template, examples: Sequence[Example], space: Space
) -> TrainingObjective:
    shares = view.engine.runner.can_share_prefixes
    if space == "answers":
        return LabelObjective(PromptClassifier(template, VERBALIZER, view), examples, shares=shares)
    words = dict(zip(VERBALIZER.labels, VERBALIZER.answers, strict=True))
    written = [replace(example, label=words[str(example.label)]) for example in examples]
    return make_text_objective(
        PromptGenerator(template, TextParser(), view), written, shares=shares
    )


def _with_vectors(row: TrainingRow, tokens: int) -> list[int]:
    """A peer's row with negative numbers for the vectors."""
    return [*row.ids[: row.soft_at], *(-1 - n for n in range(tokens)), *row.ids[row.soft_at :]]
