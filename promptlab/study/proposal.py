"""A study for a labelled file: fitting templates, answers for every label, a size for a laptop."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from promptlab.catalog import LibraryTask, library, tasks
from promptlab.errors import DataError, StudyError
from promptlab.study.folder import write_whole
from promptlab.study.label_words import are_numbers, are_stars, label_answers, match_labels
from promptlab.study.spec import build_spec
from promptlab.task import Task
from promptlab.template import Template

SEARCH_SECONDS = 240
_TOKENS_A_SECOND = 500
_CHARACTERS_A_TOKEN = 4
_MOST_TEMPLATES = 8
_SMALLEST = {"train": 2, "dev": 20, "test": 20}

GENERIC = (
    "{text}\nCategory: {mask}",
    "{text} This is {mask}.",
    "Text: {text}\nLabel: {mask}",
    "{text}\nIn one word, this is: {mask}",
    "{text} The category is {mask}.",
    "The following is {mask}: {text}",
)
"""Templates that fit any classification; ``{text}`` stands for all fields."""

PREFERRED = {
    "sentiment": (
        "instruct-critic", "it-was-found-words", "and-that-is", "all-in-all", "in-summary",
        "review-sentiment", "critical-reception", "it-was",
    ),
}  # fmt: skip
"""Templates of the library to begin with; other tasks begin with their first ones."""


@dataclass(frozen=True)
class Proposal:
    """A study document, and remarks on how it came about."""

    document: dict[str, Any]
    remarks: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return {"study": self.document, "remarks": list(self.remarks)}


def propose(
    data: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    task: str | None = None,
    model: str = "smollm2-135m",
    name: str | None = None,
) -> Proposal:
    """Look at a labelled file and propose a study of a few minutes on two cores.

    ``text`` and ``label`` name columns, ``task`` a task of the library; they are guessed
    otherwise. Raises `DataError` for files that cannot be used.
    """
    read = Task.from_file(data, text=text, label=label)
    if not read.labels:
        raise DataError(
            f"{data}: the labels are open answers, not a set of classes; `study new` proposes "
            "classification studies: name the label column with --label"
        )
    group, remark = _group(read, task)
    sizes, cost = _sizes(read, len(group["templates"]))
    document = {
        "study": name or re.sub(r"[^A-Za-z0-9._-]+", "-", data.stem).strip("-.") or "study",
        "task": {"data": str(data.absolute()), **_columns(text, label), **sizes},
        "model": model,
        "candidates": [group, _demonstrations(group, sizes["train"])],
        "budget": {"trials": 60, "seconds": SEARCH_SECONDS},
        "seed": 13,
    }
    build_spec(document, str(data))
    counts = ", ".join(f"{name} {sizes[name]}" for name in ("train", "dev", "test"))
    remarks = (
        f"{len(read.train) + len(read.dev) + len(read.test)} usable rows; fields "
        f"{', '.join(read.fields)}; labels {', '.join(read.labels)}",
        remark,
        f"splits: {counts}; about {cost:.0f} s for the templates on two cores",
    )
    return Proposal(document, tuple(filter(None, remarks)))


def write_proposal(proposal: Proposal, path: Path, *, overwrite: bool = False) -> None:
    """Write the study file. Raises `StudyError` if it exists, unless ``overwrite``."""
    if path.exists() and not overwrite:
        raise StudyError(f"{path} exists already; --force overwrites it, --out names another file")
    remarks = "".join(f"# {line}\n" for line in proposal.remarks)
    text = yaml.dump(
        proposal.document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )
    write_whole(path, remarks + text)


class _Plain(yaml.SafeDumper):
    """Writes equal values out again instead of referring to them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _columns(text: str | None, label: str | None) -> dict[str, str]:
    return {key: value for key, value in (("text", text), ("label", label)) if value is not None}


def _group(read: Task, asked: str | None) -> tuple[dict[str, Any], str]:
    """The group of templates, and a remark on where they and their answers come from."""
    if asked is not None and asked not in library():
        raise StudyError(f"the library has no task {asked!r}; it has {', '.join(library())}")
    for item in [library()[asked]] if asked else tasks():
        paired = _paired(item, read)
        if paired is not None:
            templates = _from_library(item, read, paired)
            if templates:
                return _kind(templates), f"templates and answers of the library's task {item.name}"
    if asked is not None:
        raise StudyError(
            f"the labels {', '.join(read.labels)} or the fields {', '.join(read.fields)} do not "
            f"fit the task {asked!r} (labels {', '.join(library()[asked].labels)})"
        )
    if are_stars(read.labels) and read.fields == ("text",):
        item = library()["sentiment"]
        templates = [
            entry | {"answers": label_answers(read.labels)}
            for entry in _from_library(item, read, None)
        ]
        return _kind(templates), "labels are ratings from 1 to 5: templates of the task sentiment"
    answers = label_answers(read.labels)
    told = ", ".join(f"{label} = {answer}" for label, answer in answers.items())
    remark = f"general templates; answers: {told}"
    if are_numbers(read.labels):
        remark += " (bare numbers say little to a language model: put better words in the file)"
    fields = "\n".join(f"{{{name}}}" for name in read.fields)
    texts = [text.replace("{text}", fields) for text in GENERIC]
    return _kind([{"text": text, "answers": answers} for text in texts]), remark


def _paired(item: LibraryTask, read: Task) -> dict[str, str] | None:
    """The library's label for each label of the data, if task and data fit."""
    names = {str(label).lower() for label in read.labels}
    if item.name == "sentiment" and names in ({"0", "1"}, {"-1", "1"}) and _about_opinion(read):
        return {label: "positive" if float(label) > 0 else "negative" for label in read.labels}
    return match_labels(read.labels, item.labels) if item.labels else None


def _about_opinion(read: Task) -> bool:
    return bool(re.search("sentiment|review|opinion|rating|polarity", read.name, re.IGNORECASE))


def _from_library(
    item: LibraryTask, read: Task, paired: Mapping[str, str] | None
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
        if entry.answers is None or not fits:
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


def _fields_after_slot(template: Template) -> bool:
    marked = template.render({name: f"<{name}>" for name in template.fields})
    return any(f"<{name}>" in marked.right for name in template.fields)


def _plain(answers: Any) -> Any:
    """A copy without YAML aliases."""
    return dict(answers) if isinstance(answers, Mapping) else list(answers)


def _kind(templates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "template",
        "templates": list(templates),
        "calibration": ["none", "contextual", "batch"],
    }


def _demonstrations(group: dict[str, Any], train: int) -> dict[str, Any]:
    """One template with a few demonstrations, to see whether they are worth their tokens."""
    return {
        "kind": "demonstrations",
        "templates": group["templates"][:1],
        "calibration": ["none", "batch"],
        "count": [min(4, train)],
        "seed": [13],
    }


def _sizes(read: Task, templates: int) -> tuple[dict[str, int], float]:
    """Rows a split, so that the search takes a few minutes; and its seconds."""
    rows = len(read.train) + len(read.dev) + len(read.test)
    mean = sum(_length(e.fields) for e in read.dev) / max(len(read.dev), 1)
    tokens = mean / _CHARACTERS_A_TOKEN + 12
    classes = len(read.labels)
    dev = int(SEARCH_SECONDS / 2 * _TOKENS_A_SECOND / tokens / max(templates, 1))
    sizes = {
        "train": min(16 * classes, max(rows // 5, classes)),
        "dev": max(_SMALLEST["dev"], min(200, dev, rows * 2 // 5)),
    }
    sizes["test"] = min(500, rows - sizes["train"] - sizes["dev"])
    if sizes["test"] < _SMALLEST["test"]:
        raise DataError(
            f"{rows} usable rows are too few: {_SMALLEST['dev']} for dev and {_SMALLEST['test']} "
            f"for test are the least, besides {classes} for train; label more"
        )
    return sizes, sizes["dev"] * tokens * templates / _TOKENS_A_SECOND


def _length(fields: Mapping[str, str]) -> int:
    return sum(len(value) for value in fields.values())
