"""PromptSource's files of templates (``templates.yaml``), as far as their meaning is ours.

A prompt there is ``input ||| target`` in Jinja. It becomes a template whose slot stands after the
input; the target says which field is the label and which answers stand for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import yaml

from promptlab.errors import InputError
from promptlab.files.safe_yaml import raising_yaml_errors, yaml_loader
from promptlab.library.promptsource_jinja import template_text
from promptlab.library.promptsource_targets import Target, fixed_choices, read_target
from promptlab.library.same_rendering import check_same_rendering
from promptlab.library.yaml_edit import check_shape
from promptlab.prompts.jinja.isolated import run_isolated
from promptlab.prompts.jinja.render import parse_jinja
from promptlab.prompts.template import Template


@dataclass(frozen=True)
class ConvertedTemplate:
    """A template under its new full name: its ``entry`` and its task's keys, or ``why`` not."""

    name: str
    entry: Mapping[str, Any]
    about: Mapping[str, Any]
    why: str = ""


TAGS = ("!Template", "!TemplateMetadata")
_METRICS = {"accuracy": "accuracy", "bleu": "bleu", "rouge": "rouge"}
_LONGEST_TASK, _LONGEST_NAME = 38, 40
_LONGEST_TOLD = 300


def is_promptsource(text: str) -> bool:
    """Whether a text of YAML has PromptSource's own tags."""
    return bool(re.search(r"^[ \t]+\S+: !Template[ \t]*$", text, re.MULTILINE))


def read_promptsource(text: str, source: str) -> list[ConvertedTemplate]:
    """Every template of a file, converted or with the reason why it cannot be.

    Fields are the data set's columns. Labels are the column's indices as text ("0", "1") where an
    index chooses the answer.

    Raises:
        InputError: For what is no such file; naming ``source`` where converting takes too long.
    """
    slow = f"{source}: reading its templates takes too long; split it up"
    return [
        ConvertedTemplate(*row) for row in run_isolated(convert_rows, text, source, too_slow=slow)
    ]


def convert_rows(text: str, source: str) -> list[tuple[Any, ...]]:
    """The fields of every `ConvertedTemplate`, as plain data, which may cross processes."""
    with raising_yaml_errors(source):
        check_shape(text, source, aliases=True)  # only texts are read, so that they cannot grow
        document = yaml.load(text, _loader())  # noqa: S506 - a safe loader with two more tags
    if not isinstance(document, dict) or not isinstance(document.get("templates"), dict):
        raise InputError(f"{source}: expected 'dataset' and a mapping 'templates'")
    parts = [_text(document, key) for key in ("dataset", "subset") if _text(document, key)]
    found, names = [], set[str]()
    for number, prompt in enumerate(document["templates"].values(), start=1):
        given = prompt if isinstance(prompt, dict) else {}
        short = _free(_slug(_text(given, "name"), _LONGEST_NAME) or str(number), names)
        found.append(astuple(_converted(given, "/".join(parts) or "unnamed", short)))
    return found


def _loader() -> Any:
    """The safe loader, for which the two tags are mappings."""

    class _Loader(yaml_loader()):  # type: ignore[misc]
        pass

    for tag in TAGS:
        _Loader.add_constructor(tag, lambda loader, node: loader.construct_mapping(node, deep=True))
    return _Loader


def _converted(prompt: Mapping[str, Any], dataset: str, short: str) -> ConvertedTemplate:
    task = _slug(dataset, _LONGEST_TASK)
    try:
        wording, target = _halves(_text(prompt, "jinja"))
        choices = fixed_choices(_text(prompt, "answer_choices"))
        wanted = read_target(target, choices)
        text = template_text(wording, choices)
        check_same_rendering(_text(prompt, "jinja"), choices, text, wanted)
    except InputError as error:
        return ConvertedTemplate(f"{task}/{short}", {}, {}, str(error))
    if wanted.field != "label" or not wanted.answers:
        task = _slug(f"{task} {wanted.field}", _LONGEST_TASK)
    about = {
        "task": task,
        "description": f"PromptSource's prompts for {dataset}; the label is {wanted.field!r}.",
        "metric": _metric(prompt, wanted),
        "labels": list(wanted.labels),
    }
    return ConvertedTemplate(f"{task}/{short}", _entry(prompt, dataset, text, wanted), about)


def _entry(prompt: Mapping[str, Any], dataset: str, text: str, wanted: Target) -> dict[str, Any]:
    entry: dict[str, Any] = {"text": text}
    if wanted.answers:
        entry["answers"] = {label: [word] for label, word in wanted.answers}
    else:
        entry["parser"] = {"type": "text"}
    reference = " ".join(_text(prompt, "reference").split())
    told = f"PromptSource, {dataset}: {_text(prompt, 'name') or 'unnamed'}"
    entry["source"] = (f"{told} ({reference})" if reference else told)[:_LONGEST_TOLD]
    fields = Template(text).fields
    entry["example"] = {field: f"[{field}]" for field in fields}
    entry["note"] = f"The file has no examples: {', '.join(fields)} stand for themselves."
    return entry


def _halves(jinja: str) -> tuple[str, str]:
    """Input and target, which stand apart on the outermost level."""
    parse_jinja(jinja)
    places = list(_bars(jinja))
    if len(places) > 1:
        raise InputError("its parts are divided by ||| more than once")
    if not places and "|||" in jinja:
        raise InputError("a condition encloses its input and target: it leaves out examples")
    if not places:
        raise InputError("it has no target after |||")
    return jinja[: places[0]], jinja[places[0] + 3 :]


def _bars(jinja: str) -> Iterator[int]:
    """Where ``|||`` stands in plain text, outside of all blocks."""
    depth, place = 0, 0
    for piece in re.split(r"({%.*?%}|{{.*?}}|{#.*?#})", jinja, flags=re.DOTALL):
        if piece.startswith("{%"):
            word = piece.strip("{%-+ \n\t").split(None, 1)[0] if piece.strip("{%-+} \n\t") else ""
            opens = word in ("if", "for", "filter", "macro", "call", "with", "raw")
            opens = opens or (word == "set" and "=" not in piece)
            depth += opens - word.startswith("end")
        elif not piece.startswith(("{{", "{#")) and not depth:
            yield from (place + found.start() for found in re.finditer(r"\|\|\|", piece))
        place += len(piece)


def _metric(prompt: Mapping[str, Any], wanted: Target) -> str:
    if wanted.answers:
        return "accuracy"
    metadata = prompt.get("metadata")
    named = metadata.get("metrics") if isinstance(metadata, dict) else None
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    known = [_METRICS.get(name.lower()) for name in names]
    return next((name for name in known if name and name != "accuracy"), "exact_match")


def _text(values: Mapping[str, Any], key: str) -> str:
    """A text; whatever else stands there is none."""
    value = values.get(key)
    return value if isinstance(value, str) else ""


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number that nobody has."""
    made, number = name, 2
    while made in taken:
        made, number = f"{name}-{number}", number + 1
    taken.add(made)
    return made


def _slug(text: str, longest: int) -> str:
    """Small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
