"""A study as whoever has its folder sees it: running, interrupted or decided."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.errors import StudyError
from promptlab.files.text_file import is_there
from promptlab.study.folder.documents import TEST_AGAIN, TRIAL_AGAIN, check_unchanged
from promptlab.study.folder.folder import StudyFolder, read_leaderboard

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from promptlab.evaluation.failure_log import FailureLog
    from promptlab.evaluation.predictions import Predictions
    from promptlab.predictors.base import Predictor
    from promptlab.study.comparison import SettingChange
    from promptlab.study.lineage import LineageNode


_SHOWN_ROWS = 20
"""So many trials are shown in a notebook."""


def _next(board: dict[str, Any]) -> str:
    """What to do, by a board's verdict."""
    from promptlab.study.decision.verdict import study_verdict

    verdict = study_verdict(board)
    return f"{verdict.because} {verdict.next}"


def _cell(value: Any) -> str:
    """A value of the leaderboard as people read it."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


class Study:
    """What is in a study's folder, such as ``runs/quickstart``.

    Making one reads nothing, and every method reads what is there by then, so the study may run
    meanwhile, in any process. Methods raise `StudyError` when there is no study, or when it has
    not come as far as what is asked for.

    Args:
        folder: The study's folder.

    Example:
        >>> study = Study("runs/quickstart")
        >>> study.name
        'quickstart'
        >>> study
        Study('runs/quickstart')
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        self._folder = StudyFolder(self.path)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """The leaderboard as a table, for notebooks; every text is escaped."""
        try:
            board = self.leaderboard()
        except StudyError:  # not decided, or damaged: `leaderboard` says which
            return f"<code>{escape(repr(self))}</code>"
        title = f"<caption>{escape(str(board.get('study', self.name)))}</caption>"
        if "trials" not in board:
            return f"<table>{title}</table>"
        objective = str(board.get("objective", "accuracy"))
        names = ("trial", "kind", "name", f"{objective} on dev", "tokens an example")
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        rows = []
        for row in board["trials"][:_SHOWN_ROWS]:
            value = (row.get("dev") or {}).get(objective)
            about = [row.get(key) for key in ("number", "kind", "name")]
            cells = [*about, value, row.get("tokens_per_example")]
            rows.append("".join(f"<td>{escape(_cell(cell))}</td>" for cell in cells))
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>{title}<tr>{head}</tr>{body}</table>"

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.absolute().name

    @property
    def decided(self) -> bool:
        """Whether there is a result."""
        return self._folder.is_decided

    def progress(self) -> dict[str, Any]:
        """How far it is; quick enough to be asked every second, as only what is new is read.

        ``state`` is *decided*, *undecided* (too many answers are missing), *running* (some process
        holds the folder), *stopped* (as asked), *failed* (``message`` says why) or *interrupted*.
        ``trials`` are rows like those of
        `leaderboard`, the best first (cells, of a learning curve, whose ``curves`` are means with
        intervals by method and size), ``best`` is the first one's number; ``running`` are the open
        trials with ``done`` of ``examples`` and ``value`` so far.
        ``planned`` and ``finished`` count trials, ``seconds`` is the time of work,
        ``seconds_left`` that of the search, if it can be told; ``cost`` is an endpoint's.
        """
        from promptlab.study.progress.watch import watch_study

        return watch_study(self.path.absolute()).poll()

    def log(self, tail: int | None = None) -> list[dict[str, Any]]:
        """What happened, in order, or the last ``tail`` events; without a log there are none.

        Each has ``time`` (UTC, ISO 8601), ``event`` (the type's name) and the event's own fields.
        """
        from promptlab.study.folder.event_log import read_log

        self._folder.require()
        return read_log(self.path, tail)

    def leaderboard(self) -> dict[str, Any]:
        """The result of a decided study: its ``leaderboard.json``, which JSON data it is."""
        return read_leaderboard(self.path)

    def learned(self) -> list[int]:
        """Numbers of the trials whose learner has taken steps, in order."""
        from promptlab.study.folder.step_log import step_files

        files = step_files(self.path)
        if not files:
            self._folder.require()
        return list(files)

    def steps(self, trial: int) -> list[dict[str, Any]]:
        """What a trial's learner did so far, in order: ``step``, ``values`` and ``notes``."""
        from promptlab.study.folder.step_log import cached_steps, step_files

        files = step_files(self.path)
        if trial not in files:
            self._folder.require()
            known = ", ".join(map(str, files)) or "none yet"
            raise StudyError(
                f"trial {trial} of {self.path} has taken no steps; trials that have are {known}"
            )
        return cached_steps(files[trial])

    def figures(
        self, names: Sequence[str] | None = None, *, storage: str | None = None
    ) -> dict[str, Figure]:
        """Plotly figures of the search by name, also while it runs.

        ``history``: values by trial; ``importances`` (PED-ANOVA); ``parallel`` coordinates;
        ``pareto``: the first two objectives, or the value against tokens an example. ``storage``
        is the one it was run with, if not the folder's own. Where trials are too few the figure is
        empty and says what is missing; ``figure.layout.meta`` has it as ``missing``, and the
        ``finished`` trials. Raises `InputError` for another name, or without Plotly.
        """
        from promptlab.study.figures.figures import FIGURES, study_figures

        return study_figures(self.path, FIGURES if names is None else names, storage=storage)

    def predictions(self, trial: int | None = None) -> Predictions:
        """What ``trial`` said on dev; without one, what the winner said on test."""
        name = "test" if trial is None else trial
        path = self._folder.predictions_file(name)
        if not is_there(path):
            self._folder.require()
            if trial is None:
                read_leaderboard(self.path)
                raise StudyError(f"the study in {self.path} has no winner that was tested")
            raise StudyError(
                f"the study in {self.path} has no predictions of trial {trial}; "
                f"`promptlab study show {self.name}` lists its trials"
            )
        mend = TEST_AGAIN if trial is None else TRIAL_AGAIN
        check_unchanged(self.path, f"{path.parent.name}/{path.name}", mend)
        return self._folder.predictions(name)

    def best(self, model: Any = None, **options: Any) -> Predictor:
        """The winner, fitted, as `load` gives it: ``model`` replaces its own, options go to
        `load_model`.
        """
        from promptlab.predictors.base import load

        folder = self._folder.best_folder
        if not folder.exists():
            board = read_leaderboard(self.path)
            if board.get("gaps"):
                raise StudyError(f"the study in {self.path} is undecided: {_next(board)}")
            raise StudyError(
                f"the study in {self.path} has no winner: a learning curve compares ways to learn"
            )
        return load(folder, model, **options)

    def lineage(self) -> tuple[LineageNode, ...]:
        """Where every written instruction came from, in the order of trials, also while it runs.

        Each has its ``parents``, how its words differ, the paired result against its first parent,
        and in ``status`` why it was kept or dropped. There is none without instructions that were
        written (kind *instruction_search*).
        """
        from promptlab.study.lineage import read_lineage

        return read_lineage(self)

    def failures(self) -> FailureLog:
        """The winner's misses on dev, to be corrected and exported."""
        from promptlab.evaluation.failure_log import FAILURES, FailureLog

        if not (self.path / FAILURES).is_file():
            read_leaderboard(self.path)
            raise StudyError(f"the study in {self.path} has no failure log ({FAILURES})")
        return FailureLog(self.path)

    def changes(self, later: Study) -> list[SettingChange]:
        """Settings in which a ``later`` study differs, in the file's order."""
        from promptlab.study.comparison import setting_changes

        self._folder.require()
        later._folder.require()
        return setting_changes(self.path, later.path)
