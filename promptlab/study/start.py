"""A study or a learning curve is run, whichever its file asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.cancellation import Cancellation
from promptlab.errors import StudyError
from promptlab.events import Events
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from promptlab.study.study import Study

if TYPE_CHECKING:
    from promptlab.models.base import LanguageModel
    from promptlab.study.folder.pinned_model import Loader


def run_study(
    study: str | Path | Mapping[str, Any] | StudySpec | CurveSpec,
    *,
    out: str | Path = "runs",
    changes: Mapping[str, Any] | None = None,
    model: LanguageModel | Loader | None = None,
    events: Events | None = None,
    cancellation: Cancellation | None = None,
    storage: str | None = None,
    accept_changes: bool = False,
) -> Study:
    """Run a study or a learning curve, or continue it where it stopped.

    Args:
        study: A study file, the name of one that comes with promptlab, its YAML text, its keys and
            values, or what `load_spec` gives.
        out: The folder that holds the studies' folders.
        changes: Values by dotted keys, such as ``{"budget.trials": 20}``, in place of the file's.
        model: A model, or a function that loads one for the study's section of it; by default the
            one that the study names.
        events: Is told what happens, see `promptlab.events`.
        cancellation: Stops or pauses the work at its next block or step, from another thread.
        storage: Any Optuna storage; by default SQLite in the study's folder.
        accept_changes: Go on although weights, files, templates or software are not as when the
            study began; the result says which trials rest on what.

    Returns:
        The decided study: its leaderboard, its best predictor, its report.

    Raises:
        InputError: The study cannot be read, or cannot run as it is.
        Cancelled: The work was stopped; the same call continues it.
        WorkError: No trial has succeeded, or what a trial needs could not be reached.

    Example:
        >>> import promptlab as pl
        >>> pl.run_study("no-such-study")
        Traceback (most recent call last):
            ...
        promptlab.errors.StudyError: ...
    """
    from promptlab.study.learning_curve.run import CurveRun
    from promptlab.study.run import StudyRun

    spec = study if isinstance(study, StudySpec | CurveSpec) else load_spec(study, changes)
    if spec is study and changes:
        raise StudyError("changes are for a study's file; this one was read before")
    options: dict[str, Any] = {
        "out": Path(out),
        "events": events,
        "cancellation": cancellation,
        "model": model,
        "accept_changes": accept_changes,
    }
    if isinstance(spec, CurveSpec):
        if storage is not None:
            raise StudyError(
                "storage: a learning curve keeps its cells in its own folder and searches nothing; "
                "leave storage out"
            )
        CurveRun(spec, **options).run()
    else:
        StudyRun(spec, storage=storage, **options).run()
    return Study(Path(out) / spec.study)
