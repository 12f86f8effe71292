"""The whole way of a batch of candidates: steps, evaluations, pruning, and who comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from promptlab.errors import Cancelled, DiskError, NotFiniteError, Pruned, StudyError
from promptlab.events import Step, Warned
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.objectives import LabelledObjective, TrainingObjective
from promptlab.tuning.trainer_state import TrainState

Make = Callable[[FitRequest], TrainState]
Notes = Callable[[TrainState], dict[str, str]]


@runtime_checkable
class BatchStepper(Protocol):
    """Runs the network for candidates in training: `PackedTrainer`, or `HeadTrainer`."""

    def step(self, trainees: Sequence[TrainState]) -> list[float | Exception]:
        """One step for each; its loss in nats, or why it was given up."""

    def scores(self, trainee: TrainState, exercises: TrainingObjective) -> tuple[np.ndarray, float]:
        """Label log-probabilities ``[example, label]`` (empty for texts), and the mean loss."""


class TrainingLoop:
    """Trains the asked candidates ``room`` at a time in one pack.

    Whoever is finished or given up leaves, and the next one takes its rows: first those asked,
    then what ``fitting.next_candidate`` gives. Every step is told as an event, every evaluation on
    dev is reported, and the checkpoint of each candidate is written at its evaluations. ``notes``
    says what is to be told of a trainee at an evaluation beside its numbers.

    Whom a killed run has left behind the others catches up before these go on: who is reported
    before whom, which may decide who is given up, is as in a run that nobody killed.
    """

    def __init__(
        self,
        pack: BatchStepper,
        make: Make,
        fitting: FitContext,
        *,
        room: int,
        notes: Notes = lambda trainee: {},
    ) -> None:
        self.pack = pack
        self.make = make
        self.fitting = fitting
        self.room = room
        self.notes = notes
        self._more = True
        self._round = 0

    def run(self, asked: Sequence[FitRequest]) -> Iterator[tuple[int, TrainState | Exception]]:
        """Trainees with their best parameters, or what went wrong, as they get ready."""
        waiting = deque(asked)
        active: list[TrainState] = []
        while True:
            yield from self._join(active, waiting)
            if not active:
                return
            self.fitting.cancellation.check()
            least = min(trainee.progress.round for trainee in active)
            taken = [trainee for trainee in active if trainee.progress.round == least]
            self._round = max(self._round, least + 1)
            for trainee, found in zip(taken, self.pack.step(taken), strict=True):
                error = found if isinstance(found, Exception) else self._after(trainee, found)
                late = error is None and not trainee.is_finished and self.fitting.is_time_up()
                if late:
                    error = self._stop(trainee)
                if error is not None or late or trainee.is_finished:
                    active.remove(trainee)
                    yield trainee.number, error or self._done(trainee)

    def _join(
        self, active: list[TrainState], waiting: deque[FitRequest]
    ) -> Iterator[tuple[int, TrainState | Exception]]:
        while len(active) < self.room and (item := self._next(waiting)) is not None:
            try:
                trainee = self.make(item)
                again = bool(trainee.progress.evaluations)
                if not again:
                    trainee.progress.joined = self._round
                self._round = max(self._round, trainee.progress.round)
                error = self._report(trainee) if again else self._evaluate(trainee)
            except (StudyError, DiskError, Cancelled):
                raise
            except Exception as problem:
                yield item.number, problem
                continue
            if error is not None or trainee.is_finished:
                yield item.number, error or self._done(trainee)
            else:
                active.append(trainee)

    def _next(self, waiting: deque[FitRequest]) -> FitRequest | None:
        if waiting:
            return waiting.popleft()
        found = self.fitting.next_candidate() if self._more else None
        self._more = found is not None
        return found

    def _after(self, trainee: TrainState, loss: float) -> Exception | None:
        values, notes = {"loss": loss}, {}
        step = trainee.progress.step
        if trainee.is_evaluation_due:
            try:
                error = self._evaluate(trainee)
            except (Pruned, NotFiniteError) as problem:
                error = problem
            if error is not None:
                return error
            values |= {
                "dev": trainee.progress.curve[-1][1],
                "dev_loss": trainee.progress.curve[-1][2],
            }
            notes = self.notes(trainee)
        self.fitting.events.emit(Step(trainee.number, step, values, notes))
        return None

    def _stop(self, trainee: TrainState) -> Exception | None:
        """The time is over: judge what was learned since the last evaluation, and tell it."""
        error = None if trainee.is_evaluation_due else self._evaluate(trainee)
        told = f"the time is over at step {trainee.progress.step} of at most {trainee.most}"
        self.fitting.events.emit(Warned(f"{told}; their best by dev is taken"))
        return error

    def _evaluate(self, trainee: TrainState) -> Exception | None:
        """Score dev; why the candidate is to be given up, if it is."""
        value, loss = self.evaluate(trainee, trainee.dev)
        trainee.record_evaluation(value, loss)
        return self._report(trainee)

    def _report(self, trainee: TrainState) -> Exception | None:
        """Report the last evaluation; why the candidate is to be given up, if it is.

        One that goes on from a checkpoint may have been killed before it reported that.
        """
        value = trainee.progress.curve[-1][1]
        if self.fitting.should_prune(trainee.number, trainee.progress.evaluations, value):
            return Pruned(
                f"given up at step {trainee.progress.step}: its dev score {value:.3f} is behind "
                "the others' at that point"
            )
        return None

    def evaluate(self, trainee: TrainState, exercises: TrainingObjective) -> tuple[float, float]:
        """The judge's value (for texts: minus the loss) and the mean loss in nats."""
        scores, loss = self.pack.scores(trainee, exercises)
        if not isinstance(exercises, LabelledObjective):
            return -loss, loss
        rows = exercises.predictions(range(len(exercises)), scores)
        return self.fitting.score_dev(rows), loss

    def _done(self, trainee: TrainState) -> TrainState:
        trainee.restore_best()
        return trainee


def train_one(
    trainee: TrainState, pack: BatchStepper, item: FitRequest, fitting: FitContext
) -> TrainState:
    """The trainee of one candidate after its whole course. Raises what went wrong.

    ``fitting`` gives no other candidate (`PhaseContext`).
    """
    for _, found in TrainingLoop(pack, lambda _: trainee, fitting, room=1).run([item]):
        if isinstance(found, Exception):
            raise found
    return trainee
