"""The loop: ask, fit, evaluate in blocks, tell; then decide. It can be killed at any moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from promptlab.cancellation import Cancellation, Cancelled
from promptlab.candidate import Candidate
from promptlab.datasets import load_task
from promptlab.errors import DiskError, InputError, StudyError, WorkError
from promptlab.events import (
    BlockScored,
    Events,
    Phase,
    StudyFinished,
    StudyStarted,
    TrialAsked,
    TrialFinished,
)
from promptlab.models.language_model import LanguageModel
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.study.decide import decide
from promptlab.study.evaluation import evaluate_in_blocks, evaluation_order
from promptlab.study.folder import StudyFolder, read_leaderboard
from promptlab.study.objective import make_objective, summary
from promptlab.study.report import write_report
from promptlab.study.space import Space
from promptlab.study.spec import StudySpec
from promptlab.study.state import StudyState, known
from promptlab.study.storage import storage_errors
from promptlab.study.trials import finished, open_study, queue_candidates, requeue_lost


class StudyRun:
    """One study in one folder.

    ``run`` starts it, continues it where a killed or cancelled run stopped, or returns the result
    of a decided one. ``storage`` is any Optuna storage; the default is SQLite in the folder.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        out: Path = Path("runs"),
        storage: str | None = None,
        events: Events | None = None,
        cancellation: Cancellation | None = None,
        model: LanguageModel | None = None,
    ) -> None:
        self.spec = spec
        self.folder = StudyFolder(out / spec.study)
        self.storage = storage or self.folder.storage_url
        self.events = events or Events()
        self.cancellation = cancellation or Cancellation()
        self._model = model

    def run(self) -> dict[str, Any]:
        """The leaderboard document (also in ``leaderboard.json``).

        Raises `StudyError` before anything is written when the study cannot run, `Cancelled` when
        asked to stop, `WorkError` when no trial succeeds, `DiskError` when the disk is full.
        """
        self.task = load_task(
            **self.spec.task.model_dump(exclude={"data"}), name=self.spec.task.data
        )
        key = "objectives" if self.spec.objectives else "metric of the task"
        try:
            names = self.spec.objectives or [self.task.metric]
            self.objectives = [make_objective(name) for name in names]
        except InputError as error:
            raise StudyError(f"study {self.spec.study!r}, {key}: {error}") from error
        self.space = Space(self.spec.candidates, self.task)
        self.folder.check(self.spec, self.task)
        if self.folder.finished:
            if not self.folder.report_file.exists():  # killed between the two
                write_report(self.folder.path)
            return read_leaderboard(self.folder.path)
        self.model = self._model or self._load_model()
        self.space.check(self.model)
        self.examples = evaluation_order(self.task.dev, self.spec.seed)
        with (
            self.folder.open(self.spec, self.task, self.model.describe()),
            storage_errors(self.storage),
        ):
            return self._run()

    def _load_model(self) -> LanguageModel:
        from promptlab.models.pool import load_model

        self.events.emit(Phase("loading the model"))
        return load_model(**self.spec.model.model_dump(exclude_none=True))

    def _run(self) -> dict[str, Any]:
        started = time.perf_counter()
        self.study = open_study(
            self.spec, self.storage, self.objectives, -(-len(self.examples) // self.spec.block)
        )
        self.planned = queue_candidates(self.spec, self.space, self.study)
        requeue_lost(self.study, self.folder)
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                self.planned,
                len(finished(self.study)),
                len(self.examples),
            )
        )
        before = float(self.study.user_attrs.get("seconds", 0.0))
        try:
            self._search(started - before)
            board = decide(self._state())
        finally:
            seconds = before + time.perf_counter() - started
            self.study.set_user_attr("seconds", seconds)
        board["seconds"] = seconds
        self.folder.write_json("leaderboard.json", board)
        self.events.emit(Phase("report"))
        write_report(self.folder.path)
        best = board["best"]["number"]
        self.events.emit(StudyFinished(self.spec.study, str(self.folder.path), best))
        return board

    def _state(self) -> StudyState:
        return StudyState(
            spec=self.spec,
            folder=self.folder,
            task=self.task,
            model=self.model,
            space=self.space,
            objectives=self.objectives,
            examples=self.examples,
            study=self.study,
            events=self.events,
            cancellation=self.cancellation,
        )

    def _search(self, started: float) -> None:
        limit = self.spec.budget.seconds
        while (left := self.planned - len(finished(self.study))) > 0:
            self.cancellation.check()
            if limit is not None and time.perf_counter() - started > limit:
                break
            self._batch([self._ask() for _ in range(min(left, self.spec.batch))])
        if not any(t.state == TrialState.COMPLETE for t in finished(self.study)):
            reasons = [known(t).get("reason") for t in finished(self.study)]
            raise WorkError(
                "no trial was completed: "
                + (str(reasons[0]) if reasons else "the time was over before the first ended")
            )

    def _ask(self) -> tuple[optuna.Trial, str, Candidate]:
        trial = self.study.ask()
        group, candidate = self.space.suggest(trial)
        asked = {
            "folder": str(self.folder.path.absolute()),
            "kind": candidate.kind,
            "candidate": candidate.settings,
            "name": candidate.name,
            "key": candidate.key,
        }
        trial.set_user_attr("asked", asked)
        self.events.emit(TrialAsked(trial.number, candidate.kind, candidate.name))
        return trial, group, candidate

    def _batch(self, asked: Sequence[tuple[optuna.Trial, str, Candidate]]) -> None:
        """Fit and judge a batch, one group after the other; equal candidates once."""
        new: dict[str, list[tuple[optuna.Trial, Candidate]]] = {}
        repeated: list[tuple[optuna.Trial, Candidate]] = []
        keys = {known(t)["key"] for t in finished(self.study)}
        for trial, group, candidate in asked:
            if candidate.key in keys:
                repeated.append((trial, candidate))
            else:
                keys.add(candidate.key)
                new.setdefault(group, []).append((trial, candidate))
        for group, items in new.items():
            fits = self._fit(group, items)
            for trial, candidate in items:
                started = time.perf_counter()
                self._judge(trial, candidate, next(fits), started)
        for trial, candidate in repeated:
            self._repeat(trial, candidate)

    def _fit(
        self, group: str, items: Sequence[tuple[optuna.Trial, Candidate]]
    ) -> Iterator[Predictor | Exception]:
        candidates = [candidate for _, candidate in items]
        return self.space.kinds[group].fit_many(candidates, self.model, self.events)

    def _judge(
        self,
        trial: optuna.Trial,
        candidate: Candidate,
        fitted: Predictor | Exception,
        started: float,
    ) -> None:
        if isinstance(fitted, DiskError):  # no fault of this candidate: the others would fail too
            raise fitted
        if isinstance(fitted, Exception):
            self._fail(trial, candidate, fitted, started)
            return

        def block_done(number: int, rows: Predictions) -> bool:
            value = float(self.objectives[0].compute(rows))
            self.events.emit(BlockScored(trial.number, len(rows), len(self.examples), value))
            if len(self.objectives) > 1 or self.spec.pruner == "none":
                return False
            latest = rows[number * self.spec.block :]
            report = latest if self.spec.pruner == "wilcoxon" else rows
            trial.report(float(self.objectives[0].compute(report)), step=number)
            return trial.should_prune()

        try:
            rows, pruned = evaluate_in_blocks(
                fitted, self.examples, self.spec.block, self.cancellation, block_done
            )
        except (Cancelled, DiskError):
            raise
        except (InputError, WorkError) as error:
            self._fail(trial, candidate, error, started)
            return
        reason = f"pruned after {len(rows)} examples" if pruned else None
        self._record(trial, fitted, rows, started, reason)
        if pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, [float(o.compute(rows)) for o in self.objectives])
        value = float(self.objectives[0].compute(rows))
        self._tell(trial, candidate, "pruned" if pruned else "complete", value, started)

    def _record(
        self,
        trial: optuna.Trial,
        fitted: Predictor,
        rows: Predictions,
        started: float,
        reason: str | None,
    ) -> None:
        """Everything about the trial goes to disk before it is told: told means kept."""
        rows.to_jsonl(self.folder.predictions_file(trial.number))
        found: dict[str, Any] = {
            "dev": summary(rows, self.objectives),
            "prompt": fitted.example_prompt(self.examples[0]),
            "unparsed_rate": rows.unparsed_rate,
            "tokens_per_example": rows.tokens / len(rows),
            "seconds": time.perf_counter() - started,
        }
        if reason is not None:
            found["reason"] = reason
        trial.set_user_attr("found", found)

    def _repeat(self, trial: optuna.Trial, candidate: Candidate) -> None:
        """An equal candidate was judged before: the same values, no work."""
        earlier = next(t for t in finished(self.study) if known(t)["key"] == candidate.key)
        found = {"repeats": earlier.number}
        if (reason := known(earlier).get("reason")) is not None:
            found["reason"] = reason
        trial.set_user_attr("found", found)
        if earlier.state == TrialState.COMPLETE:
            self.study.tell(trial, earlier.values)
        else:
            self.study.tell(trial, state=earlier.state)
        value = earlier.values[0] if earlier.values else None
        state = earlier.state.name.lower()
        self.events.emit(
            TrialFinished(trial.number, candidate.name, state, value, 0.0, repeated=earlier.number)
        )

    def _fail(
        self, trial: optuna.Trial, candidate: Candidate, error: Exception, started: float
    ) -> None:
        reason = f"{type(error).__name__}: {error}"
        trial.set_user_attr("found", {"reason": reason})
        self.study.tell(trial, state=TrialState.FAIL)
        self._tell(trial, candidate, "failed", None, started, reason)

    def _tell(
        self,
        trial: optuna.Trial,
        candidate: Candidate,
        state: str,
        value: float | None,
        started: float,
        reason: str | None = None,
    ) -> None:
        seconds = time.perf_counter() - started
        self.events.emit(TrialFinished(trial.number, candidate.name, state, value, seconds, reason))
