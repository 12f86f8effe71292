"""The form's own boxes: which key of a study each one stands for, and its value there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import promptlab as pl
from promptlab.data import data_set_facts
from promptlab.library import tasks

from .yaml_edit import Place, edit_yaml, parse_yaml_text, value_at

SAMPLERS = ("auto", "exhaustive", "tpe", "random", "gp", "nsga2")
PRUNERS = ("none", "median", "wilcoxon", "sequential", "halving", "hyperband")


@dataclass(frozen=True)
class FormField:
    """A key of the study; ``default`` is what the box shows when the key is not there."""

    name: str
    place: Place
    default: Any = None


BOXES = (
    FormField("name", ("study",), ""),
    FormField("description", ("description",), ""),
    FormField("data", ("task", "data")),
    FormField("text", ("task", "text"), ""),
    FormField("label", ("task", "label"), ""),
    FormField("k", ("task", "k")),
    FormField("train", ("task", "train")),
    FormField("dev", ("task", "dev")),
    FormField("test", ("task", "test")),
    FormField("model", ("model", "name"), "smollm2-135m"),
    FormField("device", ("model", "device"), "auto"),
    FormField("dtype", ("model", "dtype"), "auto"),
    FormField("trials", ("budget", "trials"), 50),
    FormField("seconds", ("budget", "seconds")),
    FormField("objectives", ("objectives",), []),
    FormField("sampler", ("sampler",), "auto"),
    FormField("pruner", ("pruner",), "none"),
    FormField("baseline", ("baseline",), ""),
    FormField("seed", ("seed",), 13),
)
"""In the order in which the form shows them."""
_BY_NAME = {box.name: box for box in BOXES}


def form_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """What every box shows for a study."""
    found = {}
    for box in BOXES:
        value = value_at(document, box.place)
        if box.place in (("task", "data"), ("model", "name")):
            section = document.get(str(box.place[0]))
            value = section if isinstance(section, str) else value
        found[box.name] = box.default if value is None else value
    return found


def with_box(text: str, name: str, given: Any) -> str:
    """The YAML with a box's content at its key; an empty box takes the key out.

    A default that nobody wrote down stays unwritten. Raises `InputError` for YAML that cannot be
    read.
    """
    box = _BY_NAME[name]
    document = parse_yaml_text(text)
    value = None if given in ("", [], None) else given
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        value = value.strip() or None
    now = form_values(document)[name]
    if value == now or (value is None and now == box.default):
        return text
    section = document.get(str(box.place[0]))
    if isinstance(section, str) and box.place in (("task", "data"), ("model", "name")):
        return edit_yaml(text, box.place[:1], value)
    return edit_yaml(text, box.place, value)


def groups_key(document: Mapping[str, Any]) -> str:
    """Under which key the groups stand."""
    return "methods" if document.get("kind") == "learning_curve" else "candidates"


def groups_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups that a form can show; others wait for their YAML to be mended."""
    found = document.get(groups_key(document))
    return [g if isinstance(g, dict) else {} for g in found] if isinstance(found, list) else []


def group_names(document: Mapping[str, Any]) -> list[str]:
    """What `baseline` may be: the groups' names as a study calls them."""
    names: list[str] = []
    for index, group in enumerate(groups_of(document)):
        kind = str(group.get("kind", ""))
        if groups_key(document) == "methods":
            names.append(str(group.get("name", kind)))
        else:
            names.append(kind if kind not in names else f"{kind}-{index + 1}")
    return names


def templates_for(document: Mapping[str, Any]) -> list[str]:
    """Names of the library's templates that fit the study's data, its own topic first."""
    data = form_values(document)["data"]
    try:
        facts = data_set_facts(str(data))
    except pl.PromptlabError:
        facts = {"topic": None, "fields": None}
    first: list[str] = []
    others: list[str] = []
    for task in tasks():
        for name, entry in task.templates.items():
            wanted = facts["fields"]
            if wanted is not None and not set(entry.template.fields) <= set(wanted):
                continue
            (first if task.name == facts["topic"] else others).append(f"{task.name}/{name}")
    return [*first, *others]
