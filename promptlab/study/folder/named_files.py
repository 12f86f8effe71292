"""The files and folders that a study names: what is in them decides, where they lie does not."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promptlab.files.text_file import is_there

BESIDE = "beside"
"""The key of a study's record that says where its files lie, seen from the record."""
_DATA, _MODEL = ("task", "data"), ("model", "name")
_IN_GROUPS = ("unlabelled", "passages", "corpus", "pairs")
_Place = tuple[str | int, ...]


def absolute_files(document: Mapping[str, Any]) -> dict[str, str]:
    """The absolute paths that a study's document names, by their dotted places."""
    named = _named(dict(document))
    return {".".join(map(str, place)): holder[key] for holder, key, place in named}


def without_folders(document: Mapping[str, Any]) -> dict[str, Any]:
    """A study's document with the bare names of the files that it names by absolute paths."""
    found = copy.deepcopy(dict(document))
    for holder, key, _ in _named(found):
        holder[key] = Path(holder[key]).name
    return found


def seen_from(folder: Path, document: Mapping[str, Any]) -> dict[str, str]:
    """Where the files named by absolute paths lie, seen from ``folder``, by their dotted places.

    Those that share nothing but the root with it are left out.
    """
    here = folder.absolute()
    found = {}
    for place, path in absolute_files(document).items():
        if len(Path(os.path.commonpath([here, path])).parts) > 1:
            found[place] = Path(os.path.relpath(path, here)).as_posix()
    return found


def find_again(document: dict[str, Any], folder: Path) -> None:
    """Put the files of a record in ``folder`` where they lie now, if all was moved together."""
    resolved = document.get("resolved")
    beside = resolved.get(BESIDE) if isinstance(resolved, dict) else None
    if not isinstance(beside, dict):
        return
    for holder, key, place in _named(document):
        other = beside.get(".".join(map(str, place)))
        if isinstance(other, str) and not is_there(Path(holder[key])):
            there = Path(os.path.normpath(folder.absolute() / other))
            if is_there(there):
                holder[key] = str(there)


def resolve_beside(document: dict[str, Any], folder: Path) -> None:
    """Make the relative paths absolute that lie beside the study file, which is in ``folder``."""
    if isinstance(document.get("task"), str) and is_there(folder / document["task"]):
        document["task"] = {"data": document["task"]}
    for holder, key, place in _places(document):
        path = Path(holder[key])
        if place != _MODEL and not path.is_absolute() and is_there(folder / path):
            holder[key] = str((folder / path).resolve())


def _named(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Place]]:
    """The places of `_places` that hold absolute paths."""
    for holder, key, place in _places(document):
        if Path(holder[key]).is_absolute():
            yield holder, key, place


def _places(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, _Place]]:
    """Every text in a study's document that may name a file: its holder, key, and place."""
    for section, key in (_DATA, _MODEL):
        inner = document.get(section)
        if isinstance(inner, dict) and isinstance(inner.get(key), str):
            yield inner, key, (section, key)
    if isinstance(document.get("regression"), str):
        yield document, "regression", ("regression",)
    waiting: list[tuple[Any, _Place]] = [
        (document.get(key), (key,)) for key in ("candidates", "methods")
    ]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, list):
            waiting += [(item, (*place, index)) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in _IN_GROUPS and isinstance(item, str):
                    yield value, key, (*place, key)
                elif isinstance(item, dict | list):
                    waiting.append((item, (*place, key)))
