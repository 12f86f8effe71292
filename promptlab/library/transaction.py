"""Changes to the user's files of templates: all of them are made, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlab.data.label import canonical_label
from promptlab.errors import InputError
from promptlab.files.cache import atomic_write, file_lock, remove
from promptlab.files.yaml_dump import dump_yaml
from promptlab.library.check import KEBAB, check_document, check_entry
from promptlab.library.entry import LibraryTemplate, user_folder
from promptlab.library.sources import load_library
from promptlab.library.yaml_edit import read_documents, replace_entries
from promptlab.prompts.template import Template

OWN_WORDING = "own wording"
_LONGEST_NAME = 80
_ABOUT = ("description", "metric", "labels")


class LibraryTransaction:
    """Changes to the user's files; they are all made, or none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents: dict[Path, tuple[str, dict[str, Any]]] = {}
        self._added: dict[Path, list[Any]] = {}
        self._library = load_library()

    def put(
        self,
        task: str,
        entry: Mapping[str, Any],
        about: Mapping[str, Any] | None,
        *,
        replaced: LibraryTemplate | None = None,
    ) -> LibraryTemplate:
        """Add an entry to its task's file, or put it in the place of one; raises its faults."""
        path = self._folder / f"{task}.yaml" if replaced is None else replaced.path
        text, document = self._read(path) or self._new(task, entry, about)
        if document["task"] != task:
            raise InputError(f"{path} holds the task {document['task']!r}, not {task!r}; rename it")
        entry = self._completed(task, entry)
        item = self._checked(task, entry, document, path)
        self._documents[path] = text, document
        if replaced is None:
            self._added.setdefault(path, []).append(entry)
        else:
            index = _index(document, replaced.name)
            self._documents[path] = replace_entries(text, document, index, [entry])
        return item

    def remove(self, item: LibraryTemplate) -> None:
        """Take an entry out; a file that is left without any goes, too."""
        found = self._read(item.path)
        if found is not None:
            text, document = found
            self._documents[item.path] = replace_entries(
                text, document, _index(document, item.name), []
            )

    def write(self) -> None:
        """Write every changed file whole; what has been written is undone when one fails."""
        for path, entries in self._added.items():
            text, document = self._documents[path]
            end = len(document["templates"])
            self._documents[path] = replace_entries(text, document, end, entries)
        before = {p: p.read_bytes() if p.exists() else None for p in self._documents}
        done: list[Path] = []
        try:
            for path, (text, document) in self._documents.items():
                done.append(path)
                _write(path, text.encode() if document["templates"] else None)
            load_library()
        except BaseException:
            for path in done:
                _write(path, before[path])
            raise

    def _read(self, path: Path) -> tuple[str, dict[str, Any]] | None:
        if path in self._documents:
            return self._documents[path]
        if not path.exists():
            return None
        text = path.read_text(encoding="utf-8")
        data = read_documents(text, str(path))[0].data
        return text, data

    def _new(
        self, task: str, entry: Mapping[str, Any], about: Mapping[str, Any] | None
    ) -> tuple[str, dict[str, Any]]:
        known = self._library.get(task)
        told = dict(about or {})
        if known is not None:
            told = {key: getattr(known, key) for key in _ABOUT}
        labels = list(told.get("labels") or ([] if known else _labels(entry)))
        metric = told.get("metric") or ("accuracy" if labels else "exact_match")
        document = {"task": task, "description": told.get("description") or "", "metric": metric}
        document |= {"labels": labels} if labels else {}
        document["templates"] = []
        return dump_yaml(document), document

    def _completed(self, task: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The entry with a source, and with an example of its task's that has its fields."""
        made = dict(entry)
        if not str(made.get("source") or "").strip():
            made["source"] = OWN_WORDING
        if not made.get("example") and task in self._library:
            examples = self._library[task].examples
            made.pop("example", None)
            try:
                fields = Template(made.get("text"), made.get("parts")).fields
            except (InputError, TypeError):
                return made  # what is wrong with it is told by the check
            fitting = [one for one in examples if all(field in one for field in fields)]
            if fitting:
                made["example"] = dict(fitting[0])
        return made

    def _checked(
        self, task: str, entry: Mapping[str, Any], document: Mapping[str, Any], path: Path
    ) -> LibraryTemplate:
        faults: list[str] = []
        known = self._library.get(task)
        labels = list(known.labels) if known else document.get("labels")
        whole = {**document, "templates": [entry]} | ({"labels": labels} if labels else {})
        check_document(whole, lambda fault: faults.append(str(fault)))
        checked = check_entry(dict(entry), whole, path)
        faults += checked.faults
        if faults or checked.item is None:
            raise InputError("\n".join(faults))
        return checked.item


@contextmanager
def library_transaction() -> Iterator[LibraryTransaction]:
    """Hold the user's folder, and write what was changed when nothing was raised."""
    folder = user_folder()
    with file_lock(folder / "templates"):
        change = LibraryTransaction(folder)
        yield change
        change.write()


def split_name(name: str) -> tuple[str, str]:
    """Task and short name of a full name. Raises `InputError` for what may name no file."""
    task, _, short = name.partition("/")
    if not (KEBAB.fullmatch(task) and KEBAB.fullmatch(short)) or len(name) > _LONGEST_NAME:
        raise InputError(
            f"{name[:_LONGEST_NAME]!r} is no name; write task/name in small letters, digits and "
            f"hyphens, such as sentiment/it-was (at most {_LONGEST_NAME} characters)"
        )
    return task, short


def _index(document: Mapping[str, Any], name: str) -> int:
    return [entry["name"] for entry in document["templates"]].index(name)


def _labels(entry: Mapping[str, Any]) -> list[str]:
    """The labels that a template of a new task tells apart."""
    parser = entry.get("parser")
    for answers in (entry.get("answers"), parser.get("choices") if isinstance(parser, dict) else 0):
        if isinstance(answers, Mapping):
            return [canonical_label(label) for label in answers]
    return []


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        remove(path)
    else:
        with atomic_write(path) as partial:
            partial.write_bytes(content)
