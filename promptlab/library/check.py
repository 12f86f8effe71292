"""What is wrong with one task file's keys, and with one template's entry: all of it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.data.label import canonical_label, canonical_labels
from promptlab.errors import InputError
from promptlab.library.entry import (
    TASK_KEYS,
    TEMPLATE_KEYS,
    VOCABULARY,
    check_keys,
    read_entry,
)

if TYPE_CHECKING:
    from promptlab.library.entry import LibraryTemplate
    from promptlab.prompts.prompt import Prompt

Fault = Callable[[object], None]
"""Takes one fault's message."""

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What names of tasks and templates look like."""
_ENTRY_TYPES: dict[str, tuple[type, str]] = {
    "text": (str, "text"),
    "parts": (dict, "a mapping of part to text"),
    "source": (str, "text"),
    "separator": (str, "text"),
    "demonstration_separator": (str, "text"),
    "chat": (bool, "true or false"),
    "aggregation": (str, "text"),
    "parser": (dict, "a mapping with a type"),
    "example": (dict, "a mapping of field to text"),
}


def check_document(document: Mapping[str, Any], fault: Fault) -> None:
    """The task's own keys: known, complete, and of the right kind."""
    for message in _key_faults(document, TASK_KEYS, ("task", "templates")):
        fault(message)
    task, labels, entries = (document.get(key) for key in ("task", "labels", "templates"))
    if "task" in document and not (isinstance(task, str) and KEBAB.fullmatch(task)):
        fault(f"task is {task!r}; use small letters, digits and hyphens")
    if "templates" in document and not (isinstance(entries, list) and entries):
        fault("templates is no list of templates, or an empty one")
    if labels is not None and not isinstance(labels, list):
        fault(f"labels is {labels!r}; give a list")
    elif labels:
        labels = _labels(labels, "labels", fault)
    _check_examples(document, labels if isinstance(labels, list) else [], fault)
    if "metric" in document:
        from promptlab.evaluation.metrics import get_metric

        try:
            get_metric(str(document["metric"]))
        except InputError as error:
            fault(error)


def _labels(labels: Any, place: str, fault: Fault) -> list[str]:
    """The labels as text; those that cannot be are told."""
    try:
        return list(canonical_labels(labels, place))
    except InputError as error:
        fault(error)
        return []


def _check_examples(document: Mapping[str, Any], labels: Sequence[object], fault: Fault) -> None:
    examples = document.get("examples")
    if examples is None:
        return
    if not isinstance(examples, list):
        fault("examples is no list")
        return
    for number, example in enumerate(examples, start=1):
        if not isinstance(example, dict):
            fault(f"example {number} is no mapping of field to text")
            continue
        for message in _text_faults(example):
            fault(f"example {number}: {message}")
        label = example.get("label")
        if labels and (label is None or canonical_label(label) not in labels):
            fault(f"example {number}: the label {label!r} is none of {_listed(labels)}")


@dataclass(frozen=True)
class CheckedEntry:
    """What one entry is: the template if it can be read, its rendered examples, its faults."""

    item: LibraryTemplate | None = None
    prompts: Sequence[Prompt] = ()
    faults: Sequence[str] = ()


def check_entry(entry: Any, document: Mapping[str, Any], path: Path) -> CheckedEntry:
    """One template of a task's ``document``, read and rendered; faults are kept, not raised."""
    if not isinstance(entry, dict):
        return CheckedEntry(faults=[f"expected a mapping, found {type(entry).__name__}"])
    faults = _key_faults(entry, TEMPLATE_KEYS, ("name", "source"))
    for key, (kind, wanted) in _ENTRY_TYPES.items():
        if key in entry and not isinstance(entry[key], kind):
            faults.append(f"{key} is {entry[key]!r}; give {wanted}")
    faults += _answer_faults(entry.get("answers"))
    for key in ("parts", "example"):
        if isinstance(entry.get(key), dict):
            faults += [f"{key}: {message}" for message in _text_faults(entry[key])]
    name = entry.get("name")
    if "name" in entry and not (isinstance(name, str) and KEBAB.fullmatch(name)):
        faults.append(f"name is {name!r}; use small letters, digits and hyphens")
    if faults:
        return CheckedEntry(faults=faults)
    place = "entry"
    examples = document.get("examples")
    examples = [e for e in examples if isinstance(e, dict)] if isinstance(examples, list) else []
    try:
        item = read_entry(entry, document, examples, path, place)
    except InputError as error:
        return CheckedEntry(faults=[str(error).removeprefix(f"{place}: ")])
    except TypeError as error:
        return CheckedEntry(faults=[f"cannot be read: {error}"])
    faults = _reading_faults(item, document)
    rendered, broken = _rendered(item, [entry["example"]] if entry.get("example") else examples)
    return CheckedEntry(item, rendered, faults + broken)


def _answer_faults(answers: Any) -> list[str]:
    """Answers that are no mapping of labels to words."""
    if answers is None or answers == VOCABULARY:
        return []
    if not isinstance(answers, dict):
        return [f"answers is {answers!r}; map every label to its words, or write vocabulary"]
    faults: list[str] = []
    _labels(answers, "answers", lambda message: faults.append(str(message)))
    for label, words in answers.items():
        for word in words if isinstance(words, list | dict) else [words]:
            if not isinstance(word, str):
                faults.append(f"answers: {word!r} of {label!r} is no text; put it in quotes")
        weights = words.values() if isinstance(words, dict) else ()
        if not all(type(weight) in (int, float) for weight in weights):
            faults.append(f"answers: the weights of {label!r} must be numbers")
    return faults


def _reading_faults(item: LibraryTemplate, document: Mapping[str, Any]) -> list[str]:
    """Whether it is said, and rightly, how the answer becomes a label."""
    faults = []
    if item.answers is None and item.parser is None and not item.open_vocabulary:
        faults.append("neither answers nor a parser says how the answer is read; add one")
    if item.answers is not None:
        try:
            _ = item.verbalizer
        except InputError as error:
            faults.append(str(error))
    if item.parser is not None:
        faults += _parser_faults(item.parser, document.get("labels") or [])
    try:
        if item.template.shape == "cloze" and item.template.chat:
            faults.append("a chat template ends at its slot; nothing may follow {mask}")
    except InputError as error:
        faults.append(f"it cannot be rendered with a short text in every field: {error}")
    return faults


def _parser_faults(settings: Mapping[str, Any], labels: Sequence[str]) -> list[str]:
    from promptlab.prompts.parsers.parsers import ChoiceParser, parser_from_settings

    try:
        parser = parser_from_settings(settings)
    except InputError as error:
        return [str(error)]
    labels = [canonical_label(label) for label in labels]
    if labels and isinstance(parser, ChoiceParser):
        chosen = {label for label, _ in parser.choices}
        if chosen != set(labels):
            return [f"the parser's choices are {_listed(sorted(chosen))}; the task's labels are "
                    f"{_listed(labels)}"]  # fmt: skip
    return []


def _rendered(
    item: LibraryTemplate, examples: Sequence[Mapping[str, Any]]
) -> tuple[list[Prompt], list[str]]:
    """The prompts of all examples, and what stood in the way of rendering them."""
    if not examples:
        return [], ["there is no example; give the task examples, or the template one of its own"]
    prompts, faults = [], []
    for number, example in enumerate(examples, start=1):
        missing = [name for name in item.template.fields if name not in example]
        if missing:
            faults.append(
                f"example {number} lacks {_listed(missing)}, which the template reads; it has "
                f"{_listed(list(example))}"
            )
            continue
        try:
            prompts.append(item.template.render(example))
        except InputError as error:
            faults.append(f"example {number}: {error}")
    return prompts, faults


def _key_faults(entry: Mapping[str, Any], known: set[str], required: Sequence[str]) -> list[str]:
    faults = []
    for key in entry:
        try:
            check_keys({key: None}, known, "")
        except InputError as error:
            faults.append(str(error).removeprefix(": "))
    faults += [f"the key {key!r} is missing" for key in required if key not in entry]
    return faults


def _text_faults(values: Mapping[Any, Any]) -> list[str]:
    return [
        f"{key} is {value!r}, no text; put it in quotes"
        for key, value in values.items()
        if not isinstance(value, str)
    ]


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(repr, names))
