"""What a study that comes in by the browser may name: models on offer, data that is here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promptlab as pl

from ..workbench import Workbench

_FILES = ("regression", "unlabelled", "passages")
"""Keys whose value may be a file's path."""
_NO_FILE = ("train", None)
_TEXTS = ("description", "instructions", "templates", "verbalizers", "labels", "rename", "text")
"""Under these keys stand people's words, which name nothing."""
_IMPORTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_MODEL_KEYS = ("name", "device", "dtype")


def admit(document: dict[str, Any], bench: Workbench) -> None:
    """Raise `InputError` for a study that would import code, read files or ask other hosts.

    Data is a pinned set's name or an uploaded file, models are those on offer. Whoever may use
    the command line can run every study there.
    """
    _check_model(document.get("model"), bench)
    task = document.get("task")
    data = task.get("data") if isinstance(task, dict) else task
    if isinstance(data, str) and data not in pl.data_set_names() and not _uploaded(data, bench):
        raise pl.InputError(
            f"task: data: {data!r:.80} is none of the data sets here ({_names()}) and was not "
            "uploaded here; upload the file, or run the study by the command line"
        )
    for place, key, value in _values(document):
        if key in _FILES and value not in _NO_FILE and not _uploaded(value, bench):
            raise pl.InputError(
                f"{place}: {value!r:.80} was not uploaded here; upload the file, or run the study "
                "by the command line"
            )
        if _IMPORTED.fullmatch(value) and not _uploaded(value, bench):
            raise pl.InputError(
                f"{place}: {value!r:.80} would import code, which no study from the browser may; "
                "run it by the command line"
            )
        if key.endswith("_model") and value not in bench.models:
            raise pl.InputError(
                f"{place}: the model {value!r:.80} is not on offer here; there are "
                f"{', '.join(bench.models)}"
            )


def _check_model(section: Any, bench: Workbench) -> None:
    found = {"name": section} if isinstance(section, str) else section
    if not isinstance(found, dict):
        return  # the default, or what reading the study complains about
    name = found.get("name", bench.models[0])
    if name not in bench.models:
        raise pl.InputError(
            f"model: {name!r:.80} is not on offer here; there are {', '.join(bench.models)} "
            "(`promptlab ui --model NAME` offers another)"
        )
    strange = sorted(str(key) for key in found if key not in _MODEL_KEYS and found[key])
    if strange:
        raise pl.InputError(
            f"model: {', '.join(strange)}: a study from the browser takes a model as it is on "
            "offer (name, device and dtype alone); run it by the command line"
        )


def _uploaded(path: str, bench: Workbench) -> bool:
    """Whether this is a file that `Workbench.keep_upload` has kept."""
    kept = (bench.runs / ".uploads").resolve()
    try:
        found = Path(path).resolve()
    except (OSError, ValueError):
        return False
    return found.is_file() and found.is_relative_to(kept)


def _values(node: Any, place: str = "", key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every text of a document that may name something: its place, the key it is under, itself."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name not in _TEXTS and name not in ("task", "model"):
                yield from _values(inner, f"{place}.{name}".lstrip("."), str(name))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _values(inner, f"{place}.{index}", key)
    elif isinstance(node, str):
        yield place, key, node


def _names() -> str:
    return ", ".join(pl.data_set_names())
