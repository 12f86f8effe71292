"""Who has looked at test: written down twice before it is looked at, and read before it counts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Phase, Warned
from promptlab.files.text_file import is_there
from promptlab.predictors.base import Predictor
from promptlab.study.decision.reference import Reference
from promptlab.study.folder.documents import BRING_BACK, file_checksum, is_test_lock, read_json_file
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.folder.provenance import TESTED
from promptlab.study.trials.blocks import check_answered, predict_in_blocks, predict_missing
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import trial_record

LOCK = "test.lock.json"
_ATTRIBUTE = "test"
"""The user attribute of a study with the same, so that a damaged file gives no second look."""
_CHECKSUMS = "test_checksums"
_NEXT = ":next"
"""How the keys end of checksums of files that are about to be written."""
_FILE = "test"


def lock_test(context: StudyContext, best: FrozenTrial, reference: Reference | None) -> None:
    """Write down who looks at test, before it is looked at.

    A run killed after that repeats the same winner. Raises `StudyError` for another one, and when
    what was written down cannot be read.
    """
    record = {"trial": best.number, "candidate": trial_record(best)["key"]}
    if reference is not None:
        record["reference"] = trial_record(reference.trial)["key"]
    lock = _known_lock(context.folder, context.study, context.events)
    spent = None if lock is None else (lock["candidate"], lock.get("reference"))
    if lock is None or spent == (record["candidate"], record.get("reference")):
        kept = record if lock is None else lock
        context.folder.write_json(LOCK, kept)
        context.study.set_user_attr(_ATTRIBUTE, kept)
        return
    what = "winner" if lock["candidate"] != record["candidate"] else "baseline"
    now = best.number if what == "winner" or reference is None else reference.trial.number
    raise StudyError(
        f"the test split of {context.spec.study!r} was spent on trial {lock['trial']} and the "
        f"{what} is now trial {now}; test data decides nothing, and nothing twice. The result "
        "from before stays as it is (`promptlab study show`). To test what is best now, start "
        "a study with another --name and fresh test examples, or another seed of the task: "
        "replies that are kept are not asked for again"
    )


def predict_test(context: StudyContext, name: str, predictor: Predictor) -> Predictions:
    """A predictor's predictions on test, kept under ``name``; damaged ones are made again."""
    path = context.folder.predictions_file(name)
    block, cancellation = context.spec.block, context.cancellation
    rows: Predictions | None = None
    if path.exists():
        try:
            rows = _kept(context.folder, context.study, context.task, name)
        except InputError as error:
            context.events.emit(Warned(f"{error}; the same prompt predicts test again"))
    if rows is not None and not rows.n_missing:
        return rows
    context.events.emit(Phase(name))
    if rows is not None:
        rows = predict_missing(predictor, rows, context.task.test, block, cancellation)
    else:
        rows, _ = predict_in_blocks(predictor, context.task.test, block, cancellation)
        check_answered(rows)
        if name == _FILE:
            context.study.set_user_attr(TESTED, context.provenance.key)
    _keep(context.folder, context.study, name, rows)
    return rows


def _keep(folder: StudyFolder, study: optuna.Study, name: str, rows: Predictions) -> None:
    """Write predictions of test; a run killed in the midst finds the file as before, or as now."""
    written, following = hashlib.sha256(rows.to_text().encode()).hexdigest(), f"{name}{_NEXT}"
    known_sums = study.user_attrs.get(_CHECKSUMS, {})
    study.set_user_attr(_CHECKSUMS, {**known_sums, following: written})
    rows.to_jsonl(folder.predictions_file(name))
    others = {key: value for key, value in known_sums.items() if key != following}
    study.set_user_attr(_CHECKSUMS, {**others, name: written})


def _kept(folder: StudyFolder, study: optuna.Study, task: Task, name: str) -> Predictions:
    """The predictions that an earlier run has made. Raises `InputError` for damaged ones."""
    path = folder.predictions_file(name)
    rows = read_table(path, task.test, task.labels)
    known_sums = study.user_attrs.get(_CHECKSUMS, {})
    expected = [known_sums[key] for key in (name, f"{name}{_NEXT}") if key in known_sums]
    if expected and file_checksum(path) not in expected:
        raise StudyError(f"{path} is not as it was written (its checksum is another one)")
    return rows


def _known_lock(folder: StudyFolder, study: optuna.Study, events: Events) -> dict[str, Any] | None:
    """Who has looked at test, by the file or by the storage; ``None``: nobody yet."""
    path = folder.path / LOCK
    kept = study.user_attrs.get(_ATTRIBUTE)
    try:
        found = read_test_lock(path)
    except InputError as error:
        if not is_test_lock(kept):
            raise
        events.emit(Warned(f"{error}; it is written again as the storage knows it"))
        found = None
    if found is None and kept is None and folder.predictions_file(_FILE).exists():
        raise StudyError(
            f"{path} is gone, and test was looked at: {folder.predictions_file(_FILE)} is "
            f"there. Which prompt has looked at it decides; {BRING_BACK}"
        )
    if found is not None and kept is not None and is_test_lock(kept) and found != kept:
        raise StudyError(
            f"{path} says that trial {found['trial']} has looked at test, and the storage knows "
            f"that it was trial {kept['trial']}; {BRING_BACK}"
        )
    lock: dict[str, Any] | None = found or kept
    return lock


def read_test_lock(path: Path) -> dict[str, Any] | None:
    """What ``test.lock.json`` holds, ``None`` without it. Raises `StudyError` for anything else."""
    found = read_json_file(path, BRING_BACK)
    if found is None and not is_there(path):
        return None
    if not is_test_lock(found):
        raise StudyError(
            f"{path} does not say which trial has looked at test, so it is damaged; {BRING_BACK}"
        )
    lock: dict[str, Any] = found
    return lock
