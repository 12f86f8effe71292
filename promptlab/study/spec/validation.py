"""A study file's document as a spec; all that is wrong with it, by line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from promptlab.candidates.base import KindSettings, find_kind
from promptlab.errors import InputError, StudyError, ValidationIssue
from promptlab.files.safe_yaml import Path
from promptlab.study.spec.curve_spec import LEARNING_CURVE, CurveSpec, Method
from promptlab.study.spec.document import MOST_ISSUES, StudyDocument, limited
from promptlab.study.spec.sections import StudyFile
from promptlab.study.spec.spec import SEARCH, StudySpec

_Spec = TypeVar("_Spec", bound=StudyFile)
_LOOKED_AT = 10_000
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


def validate_document(document: StudyDocument) -> StudySpec | CurveSpec:
    """The spec that a document stands for; its ``kind`` says what it must hold.

    Raises `StudyError` whose ``issues`` are all that is wrong, each with its line.
    """
    for key in document.values:
        if not isinstance(key, str):
            raise StudyError.at(
                document.location(()), f"the key {key!r} is no word; quote it or remove it"
            )
    kind = document.values.get("kind", SEARCH)
    if kind == LEARNING_CURVE:
        return _validate(CurveSpec, document, _read_methods(document))
    if kind != SEARCH:
        raise StudyError.from_issues(
            [
                document.issue(
                    ("kind",),
                    f"a study is a {SEARCH!r} (the default) or a {LEARNING_CURVE!r} "
                    f"(found {kind!r:.60})",
                )
            ]
        )
    return _validate_search(document)


def _validate_search(document: StudyDocument) -> StudySpec:
    entries = document.values.get("candidates")
    if not isinstance(entries, list):
        return _validate(StudySpec, document, document.values)
    groups: list[KindSettings] = []
    wrong: list[ValidationIssue] = []
    for index, entry in enumerate(entries):
        read = _read_group(document, ("candidates", index), entry)
        if isinstance(read, KindSettings):
            groups.append(read)
        else:
            wrong += read
    if not wrong:
        return _validate(StudySpec, document, document.values | {"candidates": groups})
    some = groups or [KindSettings(kind="none")]
    issues = limited(wrong, len(wrong))
    try:
        _validate(StudySpec, document, document.values | {"candidates": some})
    except StudyError as error:
        issues = [*error.issues, *issues]
    raise StudyError.from_issues(issues)


def _read_methods(document: StudyDocument) -> dict[str, Any]:
    """A learning curve's values with its methods read."""
    entries = document.values.get("methods")
    if not isinstance(entries, list):
        return document.values
    methods: dict[str, Method] = {}
    for index, entry in enumerate(entries):
        place = ("methods", index)
        given = dict(entry) if isinstance(entry, dict) else entry
        name = given.pop("name", given.get("kind")) if isinstance(given, dict) else None
        settings = _read_group(document, place, given)
        if not isinstance(settings, KindSettings):
            raise StudyError.from_issues(settings)
        problem = None
        if not isinstance(name, str) or not name.strip():
            problem = f"must be text (found {name!r:.60})"
        elif name in methods:
            problem = f"two methods are called {name!r}; give each a name of its own"
        if problem is not None:
            raise StudyError.from_issues([document.issue((*place, "name"), problem)])
        methods[str(name)] = Method(name=str(name), settings=settings)
    return document.values | {"methods": list(methods.values())}


def _read_group(
    document: StudyDocument, place: tuple[str, int], entry: Any
) -> KindSettings | list[ValidationIssue]:
    """The settings of a group of candidates, or of a method; or what is wrong with them."""
    if not isinstance(entry, dict) or "kind" not in entry:
        what = "a group of candidates" if place[0] == "candidates" else "a method"
        text = f"{what} is a mapping with the key 'kind'"
        return [ValidationIssue(text, document.location(place))]
    try:
        model = find_kind(str(entry["kind"])).Settings
    except InputError as error:
        return [ValidationIssue(str(error), document.location((*place, "kind")))]
    try:
        settings = model.model_validate(entry)
    except ValidationError as error:
        return _issues(error, model, document, entry, place)
    settings.set_location(document.location(place))
    return settings


def _validate(model: type[_Spec], document: StudyDocument, values: dict[str, Any]) -> _Spec:
    try:
        spec = model(**values)
    except ValidationError as error:
        raise StudyError.from_issues(_issues(error, model, document, values, ())) from error
    spec.set_document(document)
    return spec


def _issues(
    error: ValidationError,
    model: type[BaseModel],
    document: StudyDocument,
    values: Any,
    start: Path,
) -> list[ValidationIssue]:
    """What pydantic has found wrong with ``values``, which stand at ``start`` in the document.

    Where several forms are allowed, the issues of the one that was meant are told: those that
    reach deepest.
    """
    found: dict[Path, list[Any]] = {}
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems[:_LOOKED_AT]:
        found.setdefault(_path(problem, values), []).append(problem)
    around = {path[:length] for path in found for length in range(len(path))}
    deepest = [path for path in found if path not in around]
    issues = [
        document.issue((*start, *path), _message(found[path], model, values))
        for path in deepest[:MOST_ISSUES]
    ]
    return limited(issues, len(deepest) + len(problems[_LOOKED_AT:]))


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
