"""The loop: ask, fit, evaluate in blocks, tell; then decide. It can be killed at any moment."""

from __future__ import annotations

import random
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
from promptlab.study.decide import decide, known
from promptlab.study.evaluation import evaluate_in_blocks, evaluation_order
from promptlab.study.folder import StudyFolder, read_leaderboard
from promptlab.study.objective import make_objective, summary
from promptlab.study.report import write_report
from promptlab.study.samplers import make_pruner, make_sampler
from promptlab.study.space import Space
from promptlab.study.spec import StudySpec
from promptlab.study.storage import open_storage, storage_errors
from promptlab.task import Task

_MOST_ENUMERATED = 10_000


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
        self.study = self._open_study()
        self.planned = self._queue()
        self._requeue_lost()
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                self.planned,
                len(self._finished()),
                len(self.examples),
            )
        )
        before = float(self.study.user_attrs.get("seconds", 0.0))
        try:
            self._search(started - before)
            board = decide(self)
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

    def _open_study(self) -> optuna.Study:
        storage = open_storage(self.storage)
        study = optuna.create_study(
            study_name=self.spec.study,
            storage=storage,
            directions=[objective.direction for objective in self.objectives],
            pruner=make_pruner(self.spec, -(-len(self.examples) // self.spec.block)),
            load_if_exists=True,
        )
        known = study.user_attrs.setdefault("fingerprint", self.spec.fingerprint)
        if known != self.spec.fingerprint:
            raise StudyError(
                f"the storage holds another study named {self.spec.study!r}; give this one "
                "another --name"
            )
        study.set_user_attr("fingerprint", self.spec.fingerprint)
        study.sampler = make_sampler(self.spec, len(study.get_trials(deepcopy=False)))
        return study

    def _queue(self) -> int:
        """Put all candidates of a small enough space into the queue; how many trials there are."""
        trials = self.spec.budget.trials
        if self.spec.sampler not in ("auto", "exhaustive"):
            return trials
        every = self.space.enumerate(_MOST_ENUMERATED)
        if every is None or (self.spec.sampler == "auto" and len(every) > trials):
            if self.spec.sampler == "exhaustive":
                raise StudyError(
                    "an exhaustive study needs a finite space of at most "
                    f"{_MOST_ENUMERATED} candidates; use the sampler tpe or random"
                )
            return trials
        self.exhaustive = True
        if "queued" not in self.study.user_attrs:
            random.Random(self.spec.seed).shuffle(every)
            for params in every[:trials]:
                self.study.enqueue_trial(params, skip_if_exists=True)
            self.study.set_user_attr("queued", min(trials, len(every)))
        return min(trials, len(every))

    def _requeue_lost(self) -> None:
        """Trials that a killed run of this folder left unfinished are asked for again."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            owner = known(trial).get("folder")
            if owner in (None, str(self.folder.path.absolute())):
                self.study.tell(trial.number, state=TrialState.FAIL)
                params = trial.system_attrs.get("fixed_params", {}) | trial.params
                self.study.enqueue_trial(params, user_attrs={"again": trial.number})

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        """Trials that count towards the budget; lost and requeued ones do not."""
        trials = self.study.get_trials(deepcopy=False)
        return [
            trial
            for trial in trials
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            or (trial.state == TrialState.FAIL and "reason" in known(trial))
        ]

    def _search(self, started: float) -> None:
        limit = self.spec.budget.seconds
        while (left := self.planned - len(self._finished())) > 0:
            self.cancellation.check()
            if limit is not None and time.perf_counter() - started > limit:
                break
            self._batch([self._ask() for _ in range(min(left, self.spec.batch))])
        if not any(t.state == TrialState.COMPLETE for t in self._finished()):
            reasons = [known(t).get("reason") for t in self._finished()]
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
        keys = {known(t)["key"] for t in self._finished()}
        for trial, group, candidate in asked:
            if candidate.key in keys:
                repeated.append((trial, candidate))
            else:
                keys.add(candidate.key)
                new.setdefault(group, []).append((trial, candidate))
        for group, items in new.items():
            for (trial, candidate), fitted in zip(items, self._fit(group, items), strict=True):
                self._judge(trial, candidate, fitted)
        for trial, candidate in repeated:
            self._repeat(trial, candidate)

    def _fit(
        self, group: str, items: Sequence[tuple[optuna.Trial, Candidate]]
    ) -> Iterator[Predictor | Exception]:
        candidates = [candidate for _, candidate in items]
        return self.space.kinds[group].fit_many(candidates, self.model, self.events)

    def _judge(
        self, trial: optuna.Trial, candidate: Candidate, fitted: Predictor | Exception
    ) -> None:
        started = time.perf_counter()
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
        earlier = next(t for t in self._finished() if known(t)["key"] == candidate.key)
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

    def fit(self, trial: optuna.trial.FrozenTrial, task: Task | None = None) -> Predictor:
        """The predictor of a finished trial, fitted again (on another task for controls)."""
        facts = known(trial)
        candidate = Candidate.of(facts["kind"], facts["candidate"], facts["name"])
        kinds = [k for k in self.space.kinds.values() if k.name == candidate.kind]
        kind = kinds[0] if task is None else type(kinds[0])(kinds[0].settings, task)
        return kind.fit(candidate, self.model)
