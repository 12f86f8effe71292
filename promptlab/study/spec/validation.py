"""What is wrong with a study file: a line for every complaint, with its place and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from promptlab.candidates.base import KindSettings, find_kind
from promptlab.study.spec.yaml_positions import line_of

CHANGED = 0
"""The line of a value that does not stand in the file but was given by an option."""

MOST = 10
"""Complaints that are told; of the others the number is."""
_LOOKED_AT = 10_000
_LONGEST = 200
_WANTED = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_OF_TEMPLATES = {
    "parser": 'templates: [{text: "{text} {mask}", parser: {type: number}}]',
    "answers": 'templates: [{text: "{text} It was {mask}.", answers: {"no": bad, "yes": good}}], '
    "or list them under verbalizers",
    "parts": "templates: [{parts: {description: ..., input: ..., cue: ...}}]",
}
"""Keys that people write beside ``templates`` and that stand inside of one, with an example."""

Lines = Mapping[tuple[str | int, ...], int]


def complaints(
    error: ValidationError,
    model: type[BaseModel],
    document: Any,
    source: str,
    lines: Lines,
    start: tuple[str | int, ...],
) -> str:
    """Every complaint in a line of its own: file, line, key, what was found, what to do.

    ``document`` is what was validated; it stands at ``start`` in the file ``source``. Where
    several forms are allowed, the complaints about the one that was meant are told: those that
    reach deepest.
    """
    found: dict[tuple[Any, ...], list[Any]] = {}
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems[:_LOOKED_AT]:
        found.setdefault(_path(problem, document), []).append(problem)
    around = {path[:length] for path in found for length in range(len(path))}
    deepest = [path for path in found if path not in around]
    told = [
        f"{at(source, lines, (*start, *path))}: {_dotted((*start, *path))}: "
        f"{_message(found[path], model, document)}"
        for path in deepest[:MOST]
    ]
    return "\n".join(shortened(told, len(deepest) + len(problems[_LOOKED_AT:])))


def shortened(told: Sequence[str], number: int) -> list[str]:
    """At most ten of ``number`` complaints, and how many more there are."""
    left = number - min(len(told), MOST)
    return [*told[:MOST], *([f"and {left:,} more complaints"] if left else [])]


def _dotted(path: Sequence[Any]) -> str:
    """A key as it is written, cut where it is no word any more."""
    text = ".".join(map(str, path))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def at(source: str, lines: Lines, path: Sequence[str | int]) -> str:
    """The file and the line of ``path``, or of the nearest value around it."""
    line = line_of(lines, path)
    if line == CHANGED:
        return f"{source}, as changed on the command line"
    return f"{source}, line {line}" if line else source


def _message(problems: Sequence[Any], model: type[BaseModel], document: Any) -> str:
    first = problems[0]
    wanted = [_WANTED[p["type"]] for p in problems if p["type"] in _WANTED]
    value = first["input"]
    if first["type"] == "extra_forbidden":
        known = _keys(model, first["loc"][:-1], document)
        close = difflib.get_close_matches(str(first["loc"][-1])[:80], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        name = str(first["loc"][-1])
        if name in _OF_TEMPLATES and "templates" in known:
            hint = f"it belongs to a template that is written out: {_OF_TEMPLATES[name]}"
        return f"unknown key; {hint}"
    if first["type"] == "missing":
        return "this key is missing"
    if wanted:
        quote = isinstance(value, bool) and "text" in wanted
        mend = "; quote words such as yes, no, on and off" if quote else ""
        return f"must be {' or '.join(dict.fromkeys(wanted))} (found {value!r:.60}){mend}"
    return f"{first['msg'].removeprefix('Value error, ')} (found {value!r:.60})"


def _path(problem: Any, document: Any) -> tuple[Any, ...]:
    """Where in ``document`` the problem is; names of union members are not in it."""
    path: list[Any] = []
    for part in problem["loc"]:
        listed = isinstance(document, list | tuple) and isinstance(part, int)
        if listed or (isinstance(document, Mapping) and part in document):
            document = document[part]
        elif not (problem["type"] == "missing" and part == problem["loc"][-1]):
            continue
        path.append(part)
    return tuple(path)


def _keys(model: type[BaseModel], location: Sequence[Any], document: Any) -> list[str]:
    """The keys that are known at ``location``, which names union members, inside ``model``.

    A group of candidates inside another one has the keys of the kind that ``document`` names.
    """
    found, inner = model, list[type[BaseModel]]()
    for part in location:
        listed = isinstance(document, list | tuple) and isinstance(part, int)
        if listed or (isinstance(document, Mapping) and part in document):
            document = document[part]
        named = [member for member in inner if member.__name__ == part]
        if isinstance(part, str) and part in found.model_fields:
            inner = list(_models(found.model_fields[part].annotation))
            named = inner if len(inner) == 1 else []
        if named:
            found = named[0]
        if found is KindSettings and isinstance(document, Mapping):
            found = find_kind(str(document["kind"])).Settings
    return sorted(found.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
