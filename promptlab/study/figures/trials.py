"""The trials of a study as its figures show them, read from its storage while it may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from promptlab.compat.optuna import release
from promptlab.errors import StudyError
from promptlab.study.folder.documents import read_study_record
from promptlab.study.folder.event_log import storage_is_made
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.storage import damaged_storage_errors, open_storage, storage_errors
from promptlab.study.formatting import COUNTS
from promptlab.study.trials.trials import trial_record

Direction = Literal["minimize", "maximize"]
_LABEL = 18
"""Characters of a parameter's name; Optuna cuts longer ones."""


@dataclass(frozen=True)
class FigureTrials:
    """A study's trials and what its objectives are called, the first one first.

    ``study`` is `None` as long as nothing was written; ``why`` says so then.
    """

    study: optuna.Study | None
    objectives: tuple[str, ...] = ()
    why: str = ""

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials in order."""
        return [] if self.study is None else self.study.get_trials(deepcopy=False)

    @property
    def complete(self) -> list[FrozenTrial]:
        """Those with a value."""
        return [trial for trial in self.trials if trial.state == TrialState.COMPLETE]

    @property
    def finished(self) -> int:
        """How many are told."""
        return sum(trial.state.is_finished() for trial in self.trials)

    @property
    def directions(self) -> list[Direction]:
        """Optuna's words for where each objective is better."""
        found = [] if self.study is None else self.study.directions
        larger = optuna.study.StudyDirection.MAXIMIZE
        return ["maximize" if direction == larger else "minimize" for direction in found]

    @property
    def maximise(self) -> bool:
        """Whether larger values of the first objective are better."""
        return self.directions[0] == "maximize"

    def name(self, trial: FrozenTrial) -> str:
        """What a trial's candidate is called."""
        return str(self._facts(trial).get("name") or f"trial {trial.number}")

    def tokens(self, trial: FrozenTrial) -> float | None:
        """Tokens an example; a repeated trial has those of the one it repeats."""
        value = self._facts(trial).get("tokens_per_example")
        return None if value is None else float(value)

    def reason(self, trial: FrozenTrial) -> str:
        """Why a trial has no value."""
        return str(self._facts(trial).get("reason") or "")

    def _facts(self, trial: FrozenTrial) -> dict[str, Any]:
        facts = trial_record(trial)
        if "repeats" in facts:
            return trial_record(self.trials[facts["repeats"]]) | {"name": facts.get("name")}
        return facts


@contextmanager
def read_figure_trials(folder: Path, storage: str | None = None) -> Iterator[FigureTrials]:
    """Open a study's trials to be read. Raises `StudyError` for a folder that is no study's."""
    place = StudyFolder(folder)
    place.require()
    document = read_study_record(place.spec_file)
    if document.get("kind") == "learning_curve":
        yield FigureTrials(None, why="A learning curve has cells instead of trials; see its report")
        return
    if storage is None and not storage_is_made(folder):
        told = "its trials are in another storage" if place.is_decided else "no trial has begun yet"
        yield FigureTrials(None, why=f"Nothing to draw: {told}")
        return
    where = storage or place.storage_url
    opened = open_storage(where)
    try:
        with storage_errors(where):
            try:
                study = _read(str(document["study"]), opened, where)
            except KeyError:
                if storage is not None:
                    raise StudyError(
                        f"the storage {where!r} holds no study named {document['study']!r}"
                    ) from None
                yield FigureTrials(None, why="Nothing to draw: no trial has begun yet")
                return
            yield FigureTrials(study, _objectives(document, study))
    finally:
        release(opened)  # a page asks again and again


def _read(name: str, opened: optuna.storages.BaseStorage, where: str) -> optuna.Study:
    """The study, all of whose trials can be read. Raises `KeyError` if there is none."""
    study = optuna.load_study(study_name=name, storage=opened)
    with damaged_storage_errors(where):
        study.get_trials(deepcopy=False)
    return study


def _objectives(document: dict[str, Any], study: optuna.Study) -> tuple[str, ...]:
    named = document.get("objectives") or []
    if len(named) == len(study.directions):
        return tuple(map(str, named))
    metric = (document.get("task") or {}).get("metric")
    if metric:
        return (str(metric),)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        scores = trial_record(trial).get("dev") or {}
        own = [n for n in scores if n != "accuracy" and n not in COUNTS and not n.endswith("ci95")]
        return tuple((own or ["accuracy"])[: len(study.directions)])
    return tuple("value" for _ in study.directions)


def copy_study(
    shown: FigureTrials,
    directions: Sequence[Direction],
    values: Callable[[FrozenTrial], Sequence[float] | None],
    *,
    params: bool = False,
) -> optuna.Study:
    """The trials in memory with other values, under the same numbers.

    A complete trial for which ``values`` gives `None` has none. With ``params`` they have their
    parameters, those of the same name in several groups as one, and the kind as *group*.
    """
    made = optuna.create_study(directions=list(directions))
    readable = _Parameters(shown.trials) if params else None
    made.add_trials([_copy(trial, values, readable) for trial in shown.trials])
    return made


def _copy(
    trial: FrozenTrial,
    values: Callable[[FrozenTrial], Sequence[float] | None],
    readable: _Parameters | None,
) -> FrozenTrial:
    found = values(trial) if trial.state == TrialState.COMPLETE else None
    given = {} if readable is None else readable.of(trial)
    return optuna.trial.create_trial(
        state=TrialState.FAIL if found is None else TrialState.COMPLETE,
        values=None if found is None else list(found),
        params=given,
        distributions={} if readable is None else {n: readable.known[n] for n in given},
    )


class _Parameters:
    """Parameters under their last names: ``template.calibration`` is *calibration*."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        seen: dict[str, list[tuple[Any, Any]]] = {}
        for trial in trials:
            for name, value in trial.params.items():
                seen.setdefault(_last(name), []).append((trial.distributions[name], value))
        self.known = {name: _distribution(rows) for name, rows in seen.items()}

    def of(self, trial: FrozenTrial) -> dict[str, Any]:
        """A trial's parameters, categories as readable values."""
        found = {}
        for name, value in trial.params.items():
            short = _last(name)
            categories = isinstance(self.known[short], CategoricalDistribution)
            found[short] = _category(value) if categories else float(value)
        return found


def _last(name: str) -> str:
    last = name.rsplit(".", 1)[-1].replace("_", " ")
    return last if len(last) <= _LABEL else f"{last[: _LABEL - 1]}…"


def _distribution(rows: Sequence[tuple[Any, Any]]) -> Any:
    """One for all values of a name: a range where all are ranges, else their categories."""
    ranges = [d for d, _ in rows if not isinstance(d, CategoricalDistribution)]
    if len(ranges) == len(rows):
        low, high = min(d.low for d in ranges), max(d.high for d in ranges)
        return FloatDistribution(low, high, log=all(d.log for d in ranges))
    values = dict.fromkeys(_category(value) for _, value in rows)
    return CategoricalDistribution(tuple(values))


def _category(value: Any) -> str | int | float:
    """A value as its axis names it; numbers stay numbers, so that they are put in order."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return value if isinstance(value, int | float) else str(value)
