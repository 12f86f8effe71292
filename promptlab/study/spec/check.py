"""A study from the text of its file: read, and everything that is wrong with it by line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from promptlab.data.load_task import load_task
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.study.decision.regression import read_suite
from promptlab.study.spec.curve_plan import Plan
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.objective import make_objective
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.space import Space
from promptlab.study.spec.spec import StudySpec, build_spec, read_document

LONGEST = 200_000
"""Characters that the text of a study has at most."""
Load = Callable[..., Task]


@dataclass(frozen=True)
class Complaint:
    """What is wrong, and the line (from 1) it stands in, if it stands in one."""

    line: int | None
    text: str


def read_study(
    text: str, source: str = "study.yaml", *, policy: StudyPolicy | None = None
) -> StudySpec | CurveSpec:
    """The study that a text says; ``source`` is what messages call it.

    With a ``policy`` the text is a stranger's: what it may name is checked before anything else.
    Raises `StudyError`, every complaint in a line of its own with the line of the text.
    """
    if len(text) > LONGEST:
        raise StudyError(
            f"{source}: {len(text):,} characters are too many for a study; at most {LONGEST:,}"
        )
    document, lines = read_document(text, source)
    if policy is not None:
        document = policy.check(document, source, lines)
    return build_spec(document, source, lines)


def check_study(
    spec: StudySpec | CurveSpec, *, load: Load = load_task
) -> tuple[Task, Space | None]:
    """The study's task and space, checked as far as they can be without a model.

    A learning curve has no space. ``load`` opens the data. Raises `InputError`.
    """
    task = load(**spec.task.model_dump(exclude={"data"}), name=spec.task.data)
    if isinstance(spec, CurveSpec):
        Plan(spec, task)
        return task, None
    for index, name in enumerate(spec.objectives or [task.metric]):
        place = ("objectives", index) if spec.objectives else ("task",)
        try:
            make_objective(name)
        except InputError as error:
            raise StudyError(f"{spec.place(*place)}: {error}") from error
    space = Space(spec.candidates, task)
    if spec.baseline not in (None, *space.kinds):
        raise StudyError(
            f"{spec.place('baseline')}: there is no group {spec.baseline!r}; the groups are "
            f"{', '.join(space.kinds)}"
        )
    if spec.regression is not None:
        read_suite(spec.regression, task)
    return task, space


def study_complaints(
    text: str,
    source: str = "study.yaml",
    *,
    policy: StudyPolicy | None = None,
    load: Load | None = None,
) -> list[Complaint]:
    """Everything that is wrong with a text; nothing for a study that can be run.

    Its data is opened, too (by ``load``), so that templates, fields and labels are known to fit.
    """
    try:
        spec = read_study(text, source, policy=policy)
    except InputError as error:
        return read_complaints(str(error), source)
    try:
        check_study(spec, load=load or load_task)
    except InputError as error:
        found = read_complaints(str(error), source)
        line = spec.line("task")
        return [c if c.line else Complaint(line, c.text) for c in found]
    return []


def read_complaints(message: str, source: str) -> list[Complaint]:
    """A `StudyError`'s text as complaints; lines that begin no new one belong to the last."""
    start = re.compile(re.escape(source) + r"(?:, line (\d+))?: (.*)", re.DOTALL)
    found: list[Complaint] = []
    for line in message.splitlines():
        if match := start.fullmatch(line):
            found.append(Complaint(int(match[1]) if match[1] else None, match[2]))
        elif found:
            found[-1] = Complaint(found[-1].line, f"{found[-1].text}\n{line}")
        else:
            found.append(Complaint(None, line))
    return found
