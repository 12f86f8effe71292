"""What is wrong with a study that only its data can tell, and all that is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from promptlab.data.load_task import load_task
from promptlab.data.task import Task
from promptlab.errors import InputError, Location, ValidationIssue
from promptlab.study.decision.regression import read_regression_suite
from promptlab.study.spec.curve_plan import CurvePlan
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import STUDY_FILE, load_spec
from promptlab.study.spec.objective import make_objective
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec

Load = Callable[..., Task]


def check_study(
    spec: StudySpec | CurveSpec, *, load: Load = load_task
) -> tuple[Task, SearchSpace | None]:
    """The study's task and space, checked as far as they can be without a model.

    A learning curve has no space. ``load`` opens the data. Raises `InputError`.
    """
    task = load(**spec.task.model_dump(exclude={"data"}), name=spec.task.data)
    if isinstance(spec, CurveSpec):
        CurvePlan(spec, task)
        return task, None
    for index, name in enumerate(spec.objectives or [task.metric]):
        place = ("objectives", index) if spec.objectives else ("task",)
        try:
            make_objective(name)
        except InputError as error:
            raise spec.error(place, str(error)) from error
    space = SearchSpace(spec.candidates, task)
    if spec.baseline not in (None, *space.kinds):
        raise spec.error(
            ("baseline",),
            f"there is no group {spec.baseline!r}; the groups are {', '.join(space.kinds)}",
        )
    if spec.regression is not None:
        read_regression_suite(spec.regression, task)
    return task, space


def validate_study(
    text: str,
    source: str = STUDY_FILE,
    *,
    policy: StudyPolicy | None = None,
    load: Load | None = None,
) -> list[ValidationIssue]:
    """Everything that is wrong with a study's text; nothing for a study that can be run.

    Its data is opened, too, so that templates, fields and labels are known to fit.

    Args:
        text: The study as YAML.
        source: What the issues' locations call it.
        policy: What the study may name, for one that a stranger wrote.
        load: Opens the data, as `load_task` does by default.

    Returns:
        An issue each, with its line (from 1) where it has one.

    Example:
        >>> (issue,) = validate_study("study: two words\\ntask: sst2\\ncandidates: []\\n")[:1]
        >>> issue.line, issue.text
        (1, "study: a study's name has letters, digits, '.', '_' and '-' alone (found 'two words')")
    """
    try:
        spec = load_spec(text, source=source, policy=policy)
    except InputError as error:
        return _issues_of(error, source)
    try:
        check_study(spec, load=load or load_task)
    except InputError as error:
        place = Location(source, spec.line("task"))
        return [
            issue if issue.line else replace(issue, location=place)
            for issue in _issues_of(error, source)
        ]
    return []


def _issues_of(error: InputError, source: str) -> list[ValidationIssue]:
    """The issues of an error; those about other files have no place in the study's text."""
    issues = error.issues or [ValidationIssue(str(error))]
    return [
        issue if issue.location.source == source else ValidationIssue(str(issue))
        for issue in issues
    ]
