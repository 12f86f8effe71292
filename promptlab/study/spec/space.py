"""The search space: groups of candidates, each of a kind, with their own dimensions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from promptlab.candidates.base import Kind, KindSettings, Trial, find_kind
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.candidate import Candidate


class SearchSpace:
    """Every group's kind, made for one task; a trial picks a group, then its dimensions.

    ``names`` is what messages call the groups.
    """

    def __init__(
        self, groups: Sequence[KindSettings], task: Task, names: Sequence[str] | None = None
    ) -> None:
        self.kinds: dict[str, Kind] = {}
        self._names = names or [f"candidates, group {n}" for n in range(1, len(groups) + 1)]
        for index, settings in enumerate(groups):
            kind = find_kind(settings.kind)
            try:
                made = kind(settings, task)
            except InputError as error:
                raise self._error(settings, index, str(error)) from error
            self.kinds[_group_name(kind.name, index, self.kinds)] = made

    def check(self, model: LanguageModel) -> None:
        """Refuse what can never work with ``model``. Raises `StudyError` naming the group."""
        for index, kind in enumerate(self.kinds.values()):
            try:
                kind.check(model)
            except InputError as error:
                raise self._error(kind.settings, index, str(error)) from error

    def suggest(self, trial: Trial) -> tuple[str, Candidate]:
        """The group's name and the candidate that ``trial`` stands for.

        A kind may suggest a candidate of another kind, such as the template that it starts from: it
        is of a group of that kind, if there is one.
        """
        group = self.group(trial)
        made = self.kinds[group].suggest(trial, f"{group}.")
        if made.kind != self.kinds[group].name:
            homes = (name for name, kind in self.kinds.items() if kind.name == made.kind)
            group = next(homes, group)
        return group, made

    def group(self, trial: Trial) -> str:
        """The name of the group that ``trial`` picks."""
        names = list(self.kinds)
        if len(names) == 1:
            return names[0]
        group: str = trial.suggest_categorical("group", names)
        return group

    def enumerate(self, limit: int) -> list[dict[str, Any]] | None:
        """All distinct candidates as parameters, or ``None`` if infinite or more than ``limit``."""
        found = self.candidates(limit)
        return None if found is None else list(found.values())

    def candidates(self, limit: int) -> dict[str, dict[str, Any]] | None:
        """The parameters of all distinct candidates by key; ``None`` as for `enumerate`."""
        found: dict[str, dict[str, Any]] = {}
        for trial, candidate in self._walk():
            if trial.infinite:
                return None
            found.setdefault(candidate.key, dict(trial.params))
            if len(found) > limit:
                return None
        return found

    def count(self, group: str, limit: int) -> int | None:
        """How many distinct candidates a group has; ``None`` if infinite or more than ``limit``."""
        found: set[str] = set()
        for trial, candidate in _walk(lambda trial: self.kinds[group].suggest(trial, "")):
            if trial.infinite or len(found) > limit:
                return None
            found.add(candidate.key)
        return len(found)

    def single(self) -> Candidate:
        """The one candidate of a single group. Raises `StudyError` naming what has several values.

        Settings whose values all make the same candidate are no choice.
        """
        first: Candidate | None = None
        for trial, candidate in self._walk():
            first = first or candidate
            if trial.infinite or candidate.key != first.key:
                (kind,) = self.kinds.values()
                told = ", ".join(name.partition(".")[2] for name in trial.varying)
                raise self._error(
                    kind.settings,
                    0,
                    f"stands for more than one candidate (several values of {told}); give each a "
                    "single value, or list the others apart",
                )
        assert first is not None
        return first

    def _error(self, settings: KindSettings, index: int, text: str) -> StudyError:
        name = f"{self._names[index]} ({settings.kind})"
        return StudyError.at(settings.location, f"{name}: {text}")

    def _walk(self) -> Iterator[tuple[_EnumeratedTrial, Candidate]]:
        return _walk(lambda trial: self.suggest(trial)[1])


def _walk(suggest: Callable[[Trial], Candidate]) -> Iterator[tuple[_EnumeratedTrial, Candidate]]:
    """Every combination of choices, with its candidate."""
    waiting: list[list[int]] = [[]]
    while waiting:
        trial = _EnumeratedTrial(waiting.pop())
        candidate = suggest(trial)
        for depth in range(len(trial.given), len(trial.taken)):
            for choice in range(1, trial.sizes[depth]):
                waiting.append([*trial.taken[:depth], choice])
        yield trial, candidate


class RandomTrial:
    """A trial that takes whatever ``chance`` gives; equal names are given equal values."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.params: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return self.params.setdefault(name, self._chance.choice(list(choices)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A number of the range."""
        return int(self.params.setdefault(name, self._chance.randrange(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number of the range, evenly, whatever ``log`` says."""
        return float(self.params.setdefault(name, self._chance.uniform(low, high)))


class _EnumeratedTrial:
    """A trial that takes given choices, then the first of everything, and notes what there was."""

    def __init__(self, given: list[int]) -> None:
        self.given = given
        self.taken: list[int] = []
        self.sizes: list[int] = []
        self.params: dict[str, Any] = {}
        self.unbounded: list[str] = []

    @property
    def infinite(self) -> bool:
        """Whether a dimension has more values than can be counted."""
        return bool(self.unbounded)

    @property
    def varying(self) -> list[str]:
        """The dimensions with more than one value."""
        several = [name for name, size in zip(self.params, self.sizes, strict=True) if size > 1]
        return several + self.unbounded

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if name in self.params:
            return self.params[name]
        depth = len(self.taken)
        index = self.given[depth] if depth < len(self.given) else 0
        self.taken.append(index)
        self.sizes.append(len(choices))
        self.params[name] = choices[index]
        return choices[index]

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return int(self.suggest_categorical(name, range(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        if step is None:
            self.unbounded.append(name)
            return low
        count = int((high - low) / step + 1e-9) + 1
        return float(self.suggest_categorical(name, [low + step * i for i in range(count)]))


def _group_name(kind: str, index: int, taken: dict[str, Kind]) -> str:
    return kind if kind not in taken else f"{kind}-{index + 1}"
