"""What a search looks like: its history, what mattered, how it is spread, what it costs.

The drawings are Optuna's; here they get readable names, and say what is missing where there is
too little to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial

from promptlab.errors import InputError
from promptlab.study.decision.importances import importance_options, unwarned
from promptlab.study.figures.trials import FigureTrials, copy_study, read_figure_trials

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FIGURES = ("history", "importances", "parallel", "pareto")
"""What `Study.figures` draws, in this order."""
_AT_LEAST = 4
"""Complete trials below which importances say nothing."""


def study_figures(
    folder: str | Path, names: Sequence[str] = FIGURES, *, storage: str | None = None
) -> dict[str, Figure]:
    """Plotly figures of a study that runs, was interrupted, or is decided.

    ``history``: values by trial; ``importances`` (PED-ANOVA); ``parallel`` coordinates; ``pareto``:
    the first two objectives, or the value against tokens an example. ``folder`` is the study's,
    ``storage`` the one it was run with. Where trials are too few the figure is empty and says
    what is missing; ``figure.layout.meta`` has it as ``missing``, and the ``finished`` trials.
    Raises `InputError` for no study, another name, or without Plotly.
    """
    try:
        import plotly  # noqa: F401
    except ImportError as error:
        raise InputError(
            'figures of a study need Plotly: pip install "promptlab-workbench[ui]"'
        ) from error
    if unknown := [name for name in names if name not in FIGURES]:
        raise InputError(f"there is no figure {unknown[0]!r}; there are {', '.join(FIGURES)}")
    with read_figure_trials(Path(folder), storage) as shown:
        return {name: _figure(name, shown) for name in names}


def _figure(name: str, shown: FigureTrials) -> Figure:
    from promptlab.study.figures import style

    missing = shown.why or _missing(name, shown)
    if missing:
        return style.empty_figure(missing, shown.finished)
    try:
        figure = _DRAWN[name](shown)
    except (ValueError, RuntimeError) as error:  # what Optuna cannot compute it says so
        return style.empty_figure(f"This cannot be drawn: {error}", shown.finished)
    return style.apply_style(figure, shown.finished)


def _missing(name: str, shown: FigureTrials) -> str:
    complete = len(shown.complete)
    if not complete:
        return f"No trial is complete yet ({shown.finished} finished)"
    if name in ("importances", "parallel") and not any(t.params for t in shown.complete):
        return "The study has a single candidate: no setting was varied"
    if name == "importances" and complete < _AT_LEAST:
        return f"Importances need {_AT_LEAST} complete trials; there are {complete} so far"
    if name == "importances" and len({trial.values[0] for trial in shown.complete}) == 1:
        return "All complete trials have the same value: no setting made a difference"
    return ""


def _history(shown: FigureTrials) -> Figure:
    from optuna.visualization import plot_optimization_history

    from promptlab.study.figures import style

    copy = copy_study(shown, shown.directions[:1], lambda trial: trial.values[:1])
    figure = plot_optimization_history(copy, target_name=shown.objectives[0])
    return style.history_figure(figure, shown)


def _importances(shown: FigureTrials) -> Figure:
    from optuna.visualization import plot_param_importances

    from promptlab.study.figures import style

    study = shown.study
    assert study is not None
    options = importance_options(study, shown.maximise)
    figure = unwarned(
        lambda: plot_param_importances(study, target_name=shown.objectives[0], **options)
    )
    return style.importances_figure(figure)


def _parallel(shown: FigureTrials) -> Figure:
    from optuna.visualization import plot_parallel_coordinate

    from promptlab.study.figures import style

    copy = copy_study(shown, shown.directions[:1], lambda trial: trial.values[:1], params=True)
    figure = plot_parallel_coordinate(copy, target_name=shown.objectives[0])
    return style.parallel_figure(figure, shown.maximise)


def _pareto(shown: FigureTrials) -> Figure:
    """Cost to the right, value upwards; with three objectives the front is that of all three."""
    from optuna.visualization import plot_pareto_front

    from promptlab.study.figures import style

    directions = shown.directions
    names = list(shown.objectives)
    if len(directions) == 1:
        copy = copy_study(shown, ["minimize", directions[0]], _with_tokens(shown))
        names = [names[0], "tokens an example"]
        across, up = 0, 1
    else:
        copy = copy_study(shown, directions, lambda trial: trial.values)
        across, up = 1, 0
    figure = plot_pareto_front(
        copy,
        targets=lambda trial: (trial.values[across], trial.values[up]),
        target_names=[names[1], names[0]],
    )
    return style.pareto_figure(figure, shown, names)


def _with_tokens(shown: FigureTrials) -> Callable[[FrozenTrial], Sequence[float] | None]:
    def values(trial: FrozenTrial) -> Sequence[float] | None:
        tokens = shown.tokens(trial)
        return None if tokens is None else (tokens, trial.values[0])

    return values


_DRAWN: dict[str, Callable[[FigureTrials], Figure]] = {
    "history": _history,
    "importances": _importances,
    "parallel": _parallel,
    "pareto": _pareto,
}
