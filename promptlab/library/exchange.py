"""Templates from and for other people: YAML files, read all or not at all, written exactly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.files.yaml_dump import dump_yaml
from promptlab.library.entry import TASK_KEYS, LibraryTemplate, check_keys, to_entry
from promptlab.library.promptsource import ConvertedTemplate, is_promptsource, read_promptsource
from promptlab.library.sources import find_template, load_library, templates
from promptlab.library.transaction import LibraryTransaction, library_transaction, split_name
from promptlab.library.yaml_edit import LONGEST, read_documents

_MOST = 500
_SECONDS = 30.0
"""Wall time that checking a file may take: every template is rendered."""


@dataclass(frozen=True)
class ImportResult:
    """Full names: ``saved`` ones, and ``unchanged`` ones, which the library has as they are.

    ``left`` tells, for a file of another tool, each template that was left out, and why.
    """

    saved: tuple[str, ...]
    unchanged: tuple[str, ...]
    left: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _FileEntry:
    """One entry of a file: its name, what it is, its task's keys, and where it stands."""

    name: str
    entry: Mapping[str, Any]
    about: Mapping[str, Any]
    line: int

    @property
    def place(self) -> str:
        return f"line {self.line}, template {self.name}"


_Fault = tuple[int, str]
"""A line (0 for the whole file) and what is wrong there."""


def export_templates(names: Iterable[str]) -> str:
    """Templates of the library as YAML: one document a task, each a file of the library's kind.

    What `import_templates` makes of it equals what was exported. Raises `InputError` for an
    unknown name.
    """
    groups: dict[str, list[LibraryTemplate]] = {}
    for name in dict.fromkeys(names):
        item = find_template(name)
        groups.setdefault(item.task, []).append(item)
    if not groups:
        raise InputError("name the templates to export, such as sentiment/it-was")
    return "---\n".join(dump_yaml(_document(task, items)) for task, items in groups.items())


def import_templates(path: str | Path, *, replace: bool = False) -> ImportResult:
    """Save every template of a YAML file as one's own, or none of them.

    The file holds one document a task, as `export_templates` and the library's own files do.
    Templates that the library has just so are left alone. Raises `InputError` with every
    complaint and its line: whatever `save_template` refuses, a name that the library has for
    another template (one's own is overwritten with ``replace``), a file of more than a million
    characters or 500 templates.

    A file of PromptSource's is converted: what can be kept is saved, and ``left`` says why the
    rest cannot. Raises `InputError` with all of these reasons where nothing can.
    """
    text = _text(Path(path))
    if is_promptsource(text):
        found = read_promptsource(text, Path(path).name)
        return _adopt(found, Path(path).name, replace)
    offered, faults = _read(text, Path(path).name)
    saved, unchanged = [], []
    with library_transaction() as change:
        known = {item.full_name: item for item in templates()}
        until = time.monotonic() + _SECONDS
        for one in offered:
            if time.monotonic() > until:
                raise InputError(f"{one.place}: this takes too long to render; import fewer")
            item = known.get(one.name)
            if item is not None and to_entry(item) == _filled(one.entry, item):
                unchanged.append(one.name)
                continue
            fault = _put(change, one.name, one.entry, one.about, item, replace)
            if fault:
                faults.append((one.line, f"{one.place}: {fault}"))
            else:
                saved.append(one.name)
        if faults:
            raise InputError(_told(faults, Path(path).name))
    return ImportResult(tuple(saved), tuple(unchanged))


def _adopt(found: Sequence[ConvertedTemplate], source: str, replace: bool) -> ImportResult:
    """Save what was converted, and tell why the rest was not."""
    if len(found) > _MOST:
        raise InputError(f"{source}: {len(found)} templates are more than {_MOST}; split it up")
    saved, unchanged = [], []
    left: list[tuple[str, str]] = []
    until = time.monotonic() + _SECONDS
    with library_transaction() as change:
        known = {item.full_name: item for item in templates()}
        for one in found:
            item = known.get(one.name)
            if time.monotonic() > until:
                left.append((one.name, "the file takes too long to render; split it up"))
            elif one.why:
                left.append((one.name, one.why))
            elif item is not None and to_entry(item) == _named(one):
                unchanged.append(one.name)
            elif why := _put(change, one.name, _named(one), one.about, item, replace):
                left.append((one.name, why))
            else:
                saved.append(one.name)
        if not saved and not unchanged:
            raise InputError(_told([(0, f"{name}: {why}") for name, why in left], source))
    return ImportResult(tuple(saved), tuple(unchanged), tuple(left))


def _named(one: ConvertedTemplate) -> dict[str, Any]:
    return {"name": one.name.partition("/")[2], **one.entry}


def _document(task: str, items: Iterable[LibraryTemplate]) -> dict[str, Any]:
    known = load_library()[task]
    document: dict[str, Any] = {"task": task, "description": known.description}
    document["metric"] = known.metric
    if known.labels:
        document["labels"] = list(known.labels)
    return document | {"templates": [to_entry(item) for item in items]}


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > 4 * LONGEST:  # bytes of the longest character
            raise InputError(f"{path.name} is larger than {LONGEST:,} characters; split it up")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no UTF-8 text (byte {error.start + 1})") from error
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _read(text: str, source: str) -> tuple[list[_FileEntry], list[_Fault]]:
    """What a text offers, and what is wrong with the rest of it."""
    offered: list[_FileEntry] = []
    faults: list[_Fault] = []
    names: set[str] = set()
    for document in read_documents(text, source):
        data = document.data
        try:
            check_keys(data, TASK_KEYS, source, required=("task", "templates"))
        except InputError as error:
            faults.append((0, str(error)))
            continue
        if not isinstance(data["templates"], list) or not data["templates"]:
            faults.append((0, "'templates' is no list of templates, or an empty one"))
            continue
        for entry, line in zip(data["templates"], document.lines, strict=True):
            try:
                one = _offer(entry, data, line)
            except InputError as error:
                faults.append((line, f"line {line}: {error}"))
                continue
            if one.name in names:
                faults.append((line, f"{one.place}: the name stands twice in this file"))
            names.add(one.name)
            offered.append(one)
    if not offered and not faults:
        faults.append((0, f"{source} holds no templates"))
    if len(offered) > _MOST:
        faults.append((0, f"{len(offered)} templates are more than {_MOST}; split the file up"))
        offered = []
    return offered, faults


def _offer(entry: Any, data: Mapping[str, Any], line: int) -> _FileEntry:
    if not isinstance(entry, dict):
        raise InputError(f"a template is a mapping, found {type(entry).__name__}")
    name = f"{data['task']}/{entry.get('name', '')}"
    split_name(name)
    examples = data.get("examples")
    if not entry.get("example") and isinstance(examples, list) and examples:
        entry = entry | {"example": examples[0]}
    return _FileEntry(name, entry, data, line)


def _filled(entry: Mapping[str, Any], item: LibraryTemplate) -> dict[str, Any]:
    """The entry with the example that it would be given."""
    example = {"example": dict(item.example)} if item.example and "example" not in entry else {}
    return {**entry, **example}


def _put(
    change: LibraryTransaction,
    name: str,
    entry: Mapping[str, Any],
    about: Mapping[str, Any],
    item: LibraryTemplate | None,
    replace: bool,
) -> str | None:
    """Add it to the changes; or why that cannot be."""
    if item is not None and not (item.is_own and replace):
        whose = "you have" if item.is_own else f"{item.path.name} has"
        return f"{whose} another template of this name; give it another one"
    try:
        change.put(name.partition("/")[0], entry, about, replaced=item)
    except InputError as error:
        return str(error)
    return None


def _told(faults: Iterable[_Fault], source: str) -> str:
    lines = [f"- {text}" for _, text in sorted(faults)]
    count = f"{len(lines)} fault{'' if len(lines) == 1 else 's'}"
    return f"nothing was imported from {source}, which has {count}:\n" + "\n".join(lines)
