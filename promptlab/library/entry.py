"""Templates and tasks of the library as values, and how they are read from a YAML file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlab.data.label import canonical_label, canonical_labels
from promptlab.errors import InputError
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer


def user_folder() -> Path:
    """Find the folder in which a user's own templates are looked for and saved.

    Returns:
        The folder that the environment variable ``PROMPTLAB_TEMPLATES`` names, else ``templates``
        in the user's configuration folder of promptlab. It need not exist.

    Example:
        >>> str(user_folder() / "reviews.yaml")
        '...reviews.yaml'
    """
    chosen = os.environ.get("PROMPTLAB_TEMPLATES")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_config_path

    return user_config_path("promptlab", appauthor=False) / "templates"


TASK_KEYS = {"task", "description", "metric", "labels", "examples", "templates"}
TEMPLATE_KEYS = {
    "name", "text", "parts", "separator", "demonstration_separator", "chat", "answers",
    "aggregation", "parser", "source", "example", "note",
}  # fmt: skip
VOCABULARY = "vocabulary"
"""``answers: vocabulary`` means that any token of the vocabulary is an answer."""


@dataclass(frozen=True)
class LibraryTemplate:
    """A template of the library with its answers or its parser, and where it comes from.

    `templates` lists them.

    Args:
        name: The template's name within its task, such as ``it-was``.
        task: The task's name, such as ``sentiment``.
        template: The template itself.
        source: Who wrote the template: a paper and its table, for example.
        path: The YAML file that defines the template.
        answers: The answers of each label, as `Verbalizer` takes them; ``None`` for a template
            whose reply is generated, or is any token of the vocabulary.
        aggregation: How the answers of one label are joined, as `Verbalizer` takes it.
        parser: The settings of the parser of a generated reply, such as ``{"type": "number"}``, as
            `parser_from_settings` takes them.
        example: An example input: texts by field name.
        open_vocabulary: Whether any token of the vocabulary is an answer.
        note: A remark for people.

    Example:
        >>> item = pl.templates("sentiment")[0]
        >>> item.full_name, item.template.fields
        ('sentiment/it-was', ('text',))
        >>> item.answers
        {'negative': ['terrible'], 'positive': ['great']}
    """

    name: str
    task: str
    template: Template
    source: str
    path: Path
    answers: Mapping[str, Any] | None = None
    aggregation: str = "sum"
    parser: Mapping[str, Any] | None = None
    example: Mapping[str, str] = field(default_factory=dict)
    open_vocabulary: bool = False
    note: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it stands in the user's own folder, where it may be changed."""
        return self.path.parent == user_folder()

    @property
    def full_name(self) -> str:
        """``task/name``."""
        return f"{self.task}/{self.name}"

    @property
    def verbalizer(self) -> Verbalizer:
        """The answers as a verbalizer. Raises `InputError` for a template without answers."""
        if self.answers is None:
            raise InputError(
                f"template {self.full_name} has no answers: its reply is "
                + ("any token" if self.open_vocabulary else "generated and parsed")
            )
        return Verbalizer(self.answers, aggregation=self.aggregation)  # type: ignore[arg-type]

    def to_row(self) -> dict[str, Any]:
        """The template as a row of ``template list --json``."""
        return {
            "name": self.full_name,
            "task": self.task,
            "shape": self.template.shape,
            "text": self.template.source,
            "answers": None if self.answers is None else self.verbalizer.mapping(),
            "parser": self.parser,
            "fields": list(self.template.fields),
            "source": self.source,
            "example": dict(self.example),
            "path": self.path.name,
        }


@dataclass(frozen=True)
class LibraryTask:
    """A task of the template library: its labels, metric, example inputs and templates.

    `tasks` lists them.

    Args:
        name: The task's name, such as ``sentiment``.
        description: What is asked, in a sentence.
        metric: The name of the metric that decides.
        labels: The class names; empty for a task with open answers.
        examples: Example inputs: texts by field name, with the label where it is known.
        templates: The templates by their names within the task.

    Example:
        >>> task = {task.name: task for task in pl.library.tasks()}["sentiment"]
        >>> task.labels, task.metric, "it-was" in task.templates
        (('negative', 'positive'), 'accuracy', True)
    """

    name: str
    description: str
    metric: str
    labels: tuple[str, ...]
    examples: tuple[Mapping[str, str], ...]
    templates: Mapping[str, LibraryTemplate]


def to_entry(item: LibraryTemplate) -> dict[str, Any]:
    """A template as an entry of the library's YAML, with its example."""
    template, usual = item.template, Template("{mask}")
    entry: dict[str, Any] = {"name": item.name}
    if template.parts is None:
        entry["text"] = template.text
    else:
        entry["parts"] = dict(template.parts)
    for key in ("separator", "demonstration_separator", "chat"):
        if getattr(template, key) != getattr(usual, key):
            entry[key] = getattr(template, key)
    if item.open_vocabulary:
        entry["answers"] = VOCABULARY
    elif item.answers is not None:
        entry["answers"] = dict(item.answers)
    if item.aggregation != "sum":
        entry["aggregation"] = item.aggregation
    if item.parser is not None:
        entry["parser"] = dict(item.parser)
    entry["source"] = item.source
    if item.example:
        entry["example"] = dict(item.example)
    return entry | ({"note": item.note} if item.note else {})


def read_task_file(path: Path) -> LibraryTask:
    """One YAML file of templates. Raises `InputError` naming the file and the entry."""
    import yaml

    from promptlab.files.safe_yaml import yaml_loader

    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml_loader())  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    check_keys(document, TASK_KEYS, f"{path}", required=("task", "templates"))
    if not isinstance(document["task"], str):
        raise InputError(f"{path}: 'task' is text, found {document['task']!r}; put it in quotes")
    for key, kind, of in (
        ("templates", dict, "templates, one at least"),
        ("labels", object, "class names"),
        ("examples", dict, "mappings from fields to texts"),
    ):
        items = document.get(key)
        if items is None and key != "templates":
            continue
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise InputError(f"{path}: {key!r} is a list of {of}")
    examples = tuple(document.get("examples") or ())
    found: dict[str, LibraryTemplate] = {}
    for entry in document["templates"]:
        place = f"{path}, template {entry.get('name', '?') if isinstance(entry, dict) else entry!r}"
        item = read_entry(entry, document, examples, path, place)
        if item.name in found:
            raise InputError(f"{place}: the name is used twice in this file")
        found[item.name] = item
    return LibraryTask(
        document["task"],
        document.get("description", ""),
        document.get("metric", "accuracy"),
        tuple(canonical_label(label) for label in document.get("labels") or ()),
        examples,
        found,
    )


def read_entry(
    entry: Any, document: Mapping[str, Any], examples: Any, path: Path, place: str
) -> LibraryTemplate:
    """One entry of a task's document. Raises `InputError` that begins with ``place``."""
    check_keys(entry, TEMPLATE_KEYS, place, required=("name", "source"))
    for key in ("name", "text", "separator", "demonstration_separator"):
        if not isinstance(entry.get(key, ""), str):
            raise InputError(f"{place}: {key!r} is text, found {entry[key]!r}; put it in quotes")
    parts = entry.get("parts", {})
    if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
        raise InputError(f"{place}: 'parts' maps names of parts to text")
    task = document["task"]
    open_vocabulary = entry.get("answers") == VOCABULARY
    answers = None if open_vocabulary else entry.get("answers")
    shape = {k: entry[k] for k in ("separator", "demonstration_separator", "chat") if k in entry}
    try:
        template = Template(
            entry.get("text"), entry.get("parts"), name=f"{task}/{entry['name']}", **shape
        )
        item = LibraryTemplate(
            name=entry["name"],
            task=task,
            template=template,
            source=str(entry["source"]),
            path=path,
            answers=_by_label(answers),
            aggregation=entry.get("aggregation", "sum"),
            parser=entry.get("parser"),
            example=entry.get("example") or (examples[0] if examples else {}),
            open_vocabulary=open_vocabulary,
            note=str(entry.get("note") or ""),
        )
        if answers is not None and document.get("labels"):
            item.verbalizer.check_labels(document["labels"])
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    return item


def _by_label(answers: Any) -> Any:
    """Answers with their labels as text; what is no mapping is refused elsewhere."""
    if not isinstance(answers, Mapping):
        return answers
    return dict(zip(canonical_labels(answers, "answers"), answers.values(), strict=True))


def check_keys(entry: Any, known: set[str], place: str, *, required: tuple[str, ...] = ()) -> None:
    """Refuse an entry that is no mapping, has an unknown key, or lacks a required one."""
    if not isinstance(entry, dict):
        raise InputError(f"{place}: expected a mapping, found {type(entry).__name__}")
    for key in entry:
        if key not in known:
            hint = difflib.get_close_matches(str(key), sorted(known), n=1)
            raise InputError(
                f"{place}: unknown key {key!r}"
                + (
                    f"; did you mean {hint[0]!r}?"
                    if hint
                    else f"; known are {', '.join(sorted(known))}"
                )
            )
    for key in required:
        if key not in entry:
            raise InputError(f"{place}: the key {key!r} is missing")
