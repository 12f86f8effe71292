"""Groups of candidates out of the template library, and those that are written for the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.library.entry import LibraryTask
from promptlab.library.sources import load_library, tasks
from promptlab.models.remote.endpoint import is_remote
from promptlab.prompts.template import Template
from promptlab.study.proposal.file_facts import FileFacts
from promptlab.study.proposal.label_words import are_numbers, match_labels
from promptlab.study.proposal.prompts import CALIBRATIONS, Group, local_groups, remote_groups

_MOST_TEMPLATES = 6

PREFERRED = {
    "sentiment": (
        "instruct-critic", "it-was-found-words", "and-that-is", "all-in-all", "in-summary",
        "review-sentiment", "critical-reception", "it-was",
    ),
}  # fmt: skip
"""Templates of the library to begin with; other tasks begin with their first ones."""


def propose_groups(facts: FileFacts, asked: str | None, model: str) -> tuple[list[Group], str]:
    """The groups of candidates, and a remark on where templates and answers come from."""
    read, thing = facts.task, facts.subject.thing
    if is_remote(model):
        return remote_groups(facts), "instructions, and a parser that reads the replies"
    groups = local_groups(facts)
    for item in [load_library()[asked]] if asked else tasks():
        paired = _pair_labels(item, read) if read.labels else None
        if paired is None or (asked is None and facts.shape == "grades"):
            continue
        if asked is None and item.name == "yes-no":
            continue  # own ones, which leave a question its mark
        templates = _from_library(item, read, paired, thing)
        if asked is None and item.name == "sentiment" and thing != "film":
            templates = templates[: _MOST_TEMPLATES // 2]
            groups.insert(0, _library_group(item, templates))
            return groups, f"templates of the library's task {item.name}, and own ones"
        if templates:
            groups[0] = _library_group(item, templates)
            groups[-1] = (groups[-1][0], _with_demonstrations(templates[0]))
            return groups, f"templates and answers of the library's task {item.name}"
    if asked is not None:
        raise StudyError(
            f"the labels {', '.join(read.labels) or '(open answers)'} do not fit the task "
            f"{asked!r} (labels {', '.join(load_library()[asked].labels)})"
        )
    remark = f"templates for a {facts.subject.noun}"
    if read.labels and are_numbers(read.labels) and facts.shape == "classes":
        remark += (
            "; the labels are bare numbers, which say little to a language model: name them "
            f"(labels: {{{json.dumps(read.labels[0])}: WORDS}})"
        )
    return groups, remark


def _library_group(item: LibraryTask, templates: Sequence[dict[str, Any]]) -> Group:
    return (
        f"Of the library's task {item.name}, each with answers of its own.",
        {"kind": "template", "templates": list(templates), "calibration": list(CALIBRATIONS)},
    )


def _with_demonstrations(template: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "demonstrations",
        "templates": [template],
        "calibration": ["none", "batch"],
        "count": [4],
        "seed": [13],
    }


def _pair_labels(item: LibraryTask, read: Task) -> dict[str, str] | None:
    """The library's label for each label of the data, if task and data fit."""
    names = {str(label).lower() for label in read.labels}
    if item.name == "sentiment" and names in ({"0", "1"}, {"-1", "1"}) and _about_opinion(read):
        return {label: "positive" if float(label) > 0 else "negative" for label in read.labels}
    return match_labels(read.labels, item.labels) if item.labels else None


def _about_opinion(read: Task) -> bool:
    return bool(re.search("sentiment|review|opinion|rating|polarity", read.name, re.IGNORECASE))


def _from_library(
    item: LibraryTask, read: Task, paired: Mapping[str, str] | None, thing: str | None
) -> list[dict[str, Any]]:
    """The task's templates that read the data's fields alone, answers under the data's labels."""
    preferred = PREFERRED.get(item.name, ())
    others = [name for name in item.templates if name not in preferred]
    # Fields after the slot are scored once an answer by a causal model: such templates come last.
    others.sort(key=lambda name: _fields_after_slot(item.templates[name].template))
    order = [*preferred, *others]
    chosen = []
    for name in order:
        entry = item.templates[name]
        fits = set(entry.template.fields) <= set(read.fields)
        if entry.answers is None or not fits or not _suits(entry.template, read, thing):
            continue
        settings: dict[str, Any] = {"name": entry.full_name}
        settings |= (
            {"text": entry.template.text}
            if entry.template.text is not None
            else {"parts": dict(entry.template.parts or {}), "separator": entry.template.separator}
        )
        if paired is not None:
            answers = {str(key): value for key, value in entry.answers.items()}
            settings["answers"] = {label: _plain(answers[paired[label]]) for label in read.labels}
        chosen.append(settings)
    return chosen[:_MOST_TEMPLATES]


def _suits(template: Template, read: Task, thing: str | None) -> bool:
    """No word on films for what is none, and no second question mark behind a question."""
    shown = str(template.render({name: f"{{{name}}}" for name in template.fields}))
    if thing != "film" and re.search(r"film|movie|cinema|critic|actor", shown, re.IGNORECASE):
        return False
    asking = [
        name
        for name in template.fields
        if 2 * sum(e.fields[name].endswith("?") for e in read.dev) > len(read.dev)
    ]
    return not any(re.search(rf"\{{{re.escape(name)}\}}\s*\?", shown) for name in asking)


def _fields_after_slot(template: Template) -> bool:
    marked = template.render({name: f"<{name}>" for name in template.fields})
    return any(f"<{name}>" in marked.right for name in template.fields)


def _plain(answers: Any) -> Any:
    """A copy without YAML aliases."""
    return dict(answers) if isinstance(answers, Mapping) else list(answers)
