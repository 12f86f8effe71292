"""A study's folder: what is in it, who may write to it, and whether it fits the study."""

from __future__ import annotations

import hashlib
import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from promptlab.data.task import Task
from promptlab.errors import DiskError, InputError, StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Warned
from promptlab.files.atomic import remove_leftovers
from promptlab.files.cache import atomic_write, disk_errors, remove
from promptlab.files.provenance import package_version
from promptlab.files.text_file import is_there
from promptlab.security.redaction import hide_secrets
from promptlab.security.untrusted_text import json_text
from promptlab.study.folder.documents import (
    BRING_BACK,
    CHECKSUMS,
    DECIDE_AGAIN,
    check_file_types,
    checksums_of,
    find_leaderboard,
    read_json_file,
    read_study_record,
)
from promptlab.study.folder.named_files import BESIDE, absolute_files, seen_from
from promptlab.study.folder.provenance import RESTS_ON, StudyProvenance
from promptlab.study.spec.sections import BudgetedStudy, StudyFile

SMALL = 10_000_000
"""Bytes of a loser's fitted predictor that is worth its disk."""
REPEATS = "repeats.json"
"""The first example of the same text, for each example of test that repeats one."""
_GLANCE = 0.3
"""Seconds after which a lock that is held is no mere look at it (`StudyFolder.is_held`)."""
_SEALED = ("leaderboard.csv", "failures.jsonl", "unanswered.jsonl", "repeats.json")
"""Files that are written with a decision, beside predictions, and sealed by it."""
_RESULTS = ("predictions", "cells")
_WORK = ("predictions", "fitted", "checkpoints", "cells")
"""What has cost time to make."""
_PACKAGES = ("promptlab-workbench", "torch", "transformers", "optuna", "numpy")


class StudyFolder:
    """``runs/<name>/``: every file appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def spec_file(self) -> Path:
        """The resolved study with versions, seeds and content hashes."""
        return self.path / "study.yaml"

    @property
    def storage_url(self) -> str:
        """Optuna's SQLite storage in the folder."""
        return f"sqlite:///{(self.path / 'study.db').absolute()}"

    @cached_property
    def owner(self) -> str:
        """Whose a trial is that runs in a storage shared with others: chosen once, by chance.

        It lies in the folder and moves with it; where the folder is decides nothing.
        """
        path = self.path / "owner.txt"
        found = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        return found or write_text(path, f"{uuid.uuid4().hex}\n").read_text().strip()

    @property
    def leaderboard_file(self) -> Path:
        """The result document."""
        return self.path / "leaderboard.json"

    @property
    def report_file(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    def predictions_file(self, name: int | str) -> Path:
        """Predictions of a trial on dev, or ``test`` for the winner's on test."""
        return self.path / "predictions" / f"{name}.jsonl"

    def fitted_folder(self, key: str) -> Path:
        """Where the fitted predictor of a candidate is kept, if its kind keeps it."""
        return self.path / "fitted" / key

    @property
    def best_folder(self) -> Path:
        """The winner of a decided study, as a saved predictor."""
        return self.path / "best"

    @property
    def cheaper_folder(self) -> Path:
        """The prompt that is equivalent to the winner and cheaper, if the verdict names one."""
        return self.path / "cheaper"

    @property
    def given_folder(self) -> Path:
        """The prompt that was given, where none that was written from it is better."""
        return self.path / "given"

    @property
    def ledger_file(self) -> Path:
        """What endpoints were paid, an entry a request."""
        return self.path / "cost.jsonl"

    @property
    def steps_folder(self) -> Path:
        """What learners did, a file a trial."""
        return self.path / "steps"

    def remove_checkpoints(self, key: str) -> None:
        """Remove how far a candidate's learner was: its trial has been told."""
        for path in (self.path / "checkpoints").glob(f"{key}.*"):
            remove(path)

    def remove_losers(self, winner: str) -> None:
        """Remove the kept predictors of all but the ``winner`` (a candidate's key) that are large.

        Those above 10 MB cost disk; the small ones stay to be looked at.
        """
        for path in (self.path / "fitted").glob("*"):
            if path.name != winner and _size(path) > SMALL:
                remove(path)

    def predictions(self, name: int | str) -> Predictions:
        """What `predictions_file` holds. Raises `StudyError` if it is not there."""
        path = self.predictions_file(name)
        if not is_there(path):
            raise StudyError(
                f"the storage knows trial {name}, but its predictions are not in {path}: bring the "
                "folder back that the trial was run in, or give this run another --name"
            )
        return Predictions.from_jsonl(path)

    def require(self) -> None:
        """Raise `StudyError` if no study has begun here, or something else stands in its place."""
        check_file_types(self.path)
        if not self.spec_file.exists():
            raise StudyError(
                f"there is no study in {self.path} (no study.yaml); `promptlab study run` makes "
                "one, and `promptlab study list` shows those there are"
            )

    @property
    def is_decided(self) -> bool:
        """Whether the study has been decided."""
        return self.leaderboard_file.exists()

    @property
    def is_held(self) -> bool:
        """Whether a process, this one or another, is running the study now."""
        path = self.path / ".lock"
        if not path.exists():
            return False
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except (Timeout, OSError):
            return True

    @contextmanager
    def open(
        self, spec: StudyFile, task: Task, model: dict[str, Any], basis: StudyProvenance
    ) -> Iterator[None]:
        """Hold the folder for one process; create it, or check that it is this very study.

        ``basis`` is what the study rests on now, which is compared with what it rested on.

        A folder that was created here is removed again when the study cannot go on before its
        first trial is finished or anything is learned. Raises `StudyError` when another process
        has it, it belongs to another configuration or rests on something else, `DiskError` when it
        cannot be written.
        """
        self.check(spec, task)
        with disk_errors(self.path, f"Writing the study folder {self.path}"):
            created = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=_GLANCE, poll_interval=0.02)
            except Timeout as error:
                raise StudyError(
                    f"another process is running the study in {self.path}; wait for it, or give "
                    "this run another --name"
                ) from error
            try:
                remove_leftovers(self.path)
                self.check(spec, task)
                anew = basis.settle(self.resolved, self.path)
                if anew or self._is_new(spec) or self._has_moved(spec):
                    record = _record(spec, task, model, basis, self.path)
                    self.write("study.yaml", yaml.safe_dump(record, sort_keys=False))
                if basis.accepted:  # what was learned halfway cannot go on with other weights
                    remove(self.path / "checkpoints")
                yield
            except (InputError, DiskError, OSError):
                if created and not any((self.path / name).exists() for name in _WORK):
                    remove(self.path)
                raise
            finally:
                lock.release()

    def _is_new(self, spec: StudyFile) -> bool:
        """Whether the study's file is to be written: first, or because the study goes on longer."""
        known = self._recorded()
        return known is None or any(
            known.get(key) != spec.document().get(key) for key in ("budget", "decision")
        )

    def _has_moved(self, spec: StudyFile) -> bool:
        """Whether the study's files lie elsewhere than the record says."""
        known = self._recorded()
        return known is not None and absolute_files(known) != absolute_files(spec.document())

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """By which fingerprint the folder knows its study, if one has begun here."""
        known = self._recorded()
        return () if known is None else (str(known["resolved"]["hashes"]["study"]),)

    @property
    def resolved(self) -> dict[str, Any] | None:
        """What the study's record says of seeds, hashes, model and versions, if it has begun."""
        known = self._recorded()
        return None if known is None else dict(known["resolved"])

    def grows(self, spec: StudyFile) -> bool:
        """Whether ``spec`` gives a study that has begun here a larger budget, or decides anew."""
        return self.spec_file.exists() and self._is_new(spec)

    def _recorded(self) -> dict[str, Any] | None:
        return read_study_record(self.spec_file) if is_there(self.spec_file) else None

    def check(self, spec: StudyFile, task: Task) -> None:
        """Raise `StudyError` if the folder holds a study of another configuration."""
        check_file_types(self.path)
        known = self._recorded()
        if known is None:
            self._check_begun()
            return
        hashes = known["resolved"]["hashes"]
        if hashes["study"] not in _accepted(spec, known) and not _is_alike(spec, known):
            known.pop("resolved")
            changed = ", ".join(_differences(known, spec.document())) or "promptlab's version"
            raise StudyError(
                f"a study named {spec.study!r} with another configuration is in {self.path} "
                f"(different: {changed}); give this one another --name, or delete that folder"
            )
        if _is_smaller(spec, known):
            raise StudyError(
                f"the study in {self.path} has a larger budget ({_budget_phrase(known)}), which "
                "may grow and not shrink; leave it as it was, or give this one another --name"
            )
        if hashes["task"] != task.fingerprint:
            raise StudyError(
                f"the data of {spec.task.data} has changed since the study in {self.path} began; "
                "give the study another --name"
            )

    def _check_begun(self) -> None:
        """Raise `StudyError` where there is work of a study that nothing says what it is of."""
        work = [name for name in _RESULTS if any((self.path / name).glob("*.json*"))]
        if work:
            raise StudyError(
                f"{self.path} holds {' and '.join(work)} and no study.yaml, which says what they "
                f"are of; {BRING_BACK}"
            )

    def write(self, name: str, text: str) -> Path:
        """Write a text file whole."""
        return write_text(self.path / name, hide_secrets(text))

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON document whole."""
        return self.write(name, json_text(value, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """Read a JSON document, ``None`` if there is none."""
        return read_json_file(self.path / name, DECIDE_AGAIN)

    def write_result(self, board: Mapping[str, Any]) -> None:
        """Write the result, and before it the checksums of it and of all files that tell of it."""
        text = json_text(board, indent=2) + "\n"
        tables = (path.relative_to(self.path) for path in self.path.glob("predictions/*.jsonl"))
        cells = (path.relative_to(self.path) for path in self.path.glob("cells/*.json*"))
        names = [*map(str, tables), *map(str, cells), *_SEALED]
        known = checksums_of(self.path, names)
        known["leaderboard.json"] = hashlib.sha256(text.encode()).hexdigest()
        self.write_json(CHECKSUMS, known)
        self.write("leaderboard.json", text)


def _accepted(spec: StudyFile, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The fingerprints by which a folder may know the study, whatever its budget was."""
    if isinstance(budget := known.get("budget"), Mapping) and isinstance(spec, BudgetedStudy):
        return (*spec.fingerprints, *spec.with_budget(budget).fingerprints)
    return spec.fingerprints


def _is_alike(spec: StudyFile, known: Mapping[str, Any]) -> bool:
    """Whether a record is of this very study, wherever its files lay then."""
    try:
        return spec.fingerprint_of(known) == spec.fingerprint
    except (AttributeError, KeyError, TypeError, ValueError):  # a record of another shape
        return False


def _is_smaller(spec: StudyFile, known: Mapping[str, Any]) -> bool:
    """Whether the study's budget is smaller than the one that is recorded."""
    budget = known.get("budget")
    if not isinstance(budget, Mapping) or not isinstance(spec, BudgetedStudy):
        return False
    return not spec.budget.covers(spec.with_budget(budget).budget)


def _budget_phrase(known: Mapping[str, Any]) -> str:
    """A recorded budget in words."""
    seconds = known["budget"].get("seconds")
    trials = f"{known['budget'].get('trials')} trials"
    return trials if seconds is None else f"{trials} and {seconds:g} s"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_text(path: Path, text: str) -> Path:
    """Write a text file that appears whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def read_earlier_result(folder: StudyFolder, events: Events) -> dict[str, Any] | None:
    """The result from before; one that is damaged is told, and made anew."""
    if not folder.is_decided:
        return None
    try:
        return read_leaderboard(folder.path)
    except StudyError as error:
        events.emit(Warned(f"{error}; that is done now"))
        return None


def read_leaderboard(folder: Path) -> dict[str, Any]:
    """The result of a decided study. Raises `StudyError` if there is none."""
    check_file_types(folder)
    board = find_leaderboard(folder)
    if board is None:
        state = "is not decided yet" if (folder / "study.yaml").exists() else "does not exist"
        raise StudyError(
            f"the study in {folder} {state}; `promptlab study run` runs and continues studies, "
            "`promptlab study list` shows them"
        )
    return board


def _record(
    spec: StudyFile, task: Task, model: dict[str, Any], basis: StudyProvenance, folder: Path
) -> dict[str, Any]:
    """The spec as it was understood; the file itself can be given to ``study run`` again."""
    return spec.document() | {
        "resolved": {
            "seeds": {"study": spec.seed, "task": spec.task.seed},
            "hashes": {"study": spec.fingerprint, "task": task.fingerprint, "model": model["key"]},
            "model": model,
            "versions": {"python": platform.python_version()}
            | {name: package_version(name) for name in _PACKAGES},
            RESTS_ON: basis.records,
            BESIDE: seen_from(folder, spec.document()),
        }
    }


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Dotted keys at which two documents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(set(old) | set(new))
        return [
            found
            for key in keys
            if key != "description"
            for found in _differences(old.get(key), new.get(key), f"{path}{key}.")
        ]
    return [] if old == new else [path.rstrip(".")]
