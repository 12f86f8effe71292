"""Data sets from the Hugging Face Hub, through the ``datasets`` library when it is installed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptlab.data.readers import MAX_CHARS, Row, Rows, check_lengths
from promptlab.errors import AssetError, DataError

_DEV_NAMES = ("validation", "dev", "valid")
_WITHOUT_SCRIPTS = 4
"""The first major version of ``datasets`` that runs no code of a data set's."""


def hub_rows(
    name: str, *, known: Sequence[str] = (), max_chars: int = MAX_CHARS
) -> dict[str, Rows]:
    """Rows of a Hub data set by split; ``owner/name:config`` picks a configuration.

    ``train`` is always there. A split whose labels are all hidden (-1) is left out, and where
    there is no labelled test split the validation split takes its place. Class numbers become
    class names. Raises `DataError` when ``datasets`` is not installed or there is no such data
    set, `AssetError` when it cannot be reached.
    """
    loaded = _load(name, known)
    splits = {split: part for split, part in loaded.items() if not _labels_hidden(part)}
    found: dict[str, Any] = {}
    for split, names in (("train", ("train",)), ("dev", _DEV_NAMES), ("test", ("test",))):
        there = [splits[n] for n in names if n in splits]
        if there:
            found[split] = there[0]
    if "train" not in found:
        if len(splits) != 1:
            raise DataError(f"{name}: no train split; its splits are {', '.join(loaded)}")
        found = {"train": next(iter(splits.values()))}
    if "dev" in found and "test" not in found:
        found["test"] = found.pop("dev")
    return {split: _rows(f"{name} ({split})", part, max_chars) for split, part in found.items()}


def _load(name: str, known: Sequence[str]) -> dict[str, Any]:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"{name!r} is no file or folder here, and none of the pinned data sets "
            f"({', '.join(known)}). {hint}To load it from the Hugging Face Hub: "
            "pip install datasets"
        ) from error
    if int(datasets.__version__.partition(".")[0]) < _WITHOUT_SCRIPTS:
        raise DataError(
            f"{name!r}: datasets {datasets.__version__} runs the scripts that data sets bring; "
            f"pip install 'datasets>={_WITHOUT_SCRIPTS}'"
        )
    path, _, config = name.partition(":")
    try:
        loaded = datasets.load_dataset(path, config or None)
    except (FileNotFoundError, ValueError) as error:
        raise DataError(
            f"{name!r} is no file or folder here, none of the pinned data sets "
            f"({', '.join(known)}), and the Hub gave no such data set: {_first_line(error)}"
            + (f". {hint.strip()}" if hint else "")
        ) from error
    except (OSError, RuntimeError) as error:
        raise AssetError(
            f"{name!r} is no file or folder here, and could not be loaded from the Hugging Face "
            f"Hub: {_first_line(error)}. {hint}On a connected machine, save it as train.parquet "
            "and test.parquet (load_dataset(...)[split].to_parquet) and name their folder here"
        ) from error
    return dict(loaded)


def _labels_hidden(part: Any) -> bool:
    names = [n for n, f in part.features.items() if type(f).__name__ == "ClassLabel"]
    return len(names) == 1 and all(value == -1 for value in part[names[0]])


def _rows(name: str, part: Any, max_chars: int) -> Rows:
    classes = {
        column: feature
        for column, feature in part.features.items()
        if type(feature).__name__ == "ClassLabel"
    }
    rows = []
    for number, record in enumerate(part, start=1):
        values = dict(record)
        for column, feature in classes.items():
            if values[column] is not None:  # -1 hides a label
                hidden = values[column] < 0
                values[column] = None if hidden else feature.int2str(values[column])
        rows.append(Row(number, values))
    found = Rows(Path(name), tuple(part.features), tuple(rows), unit="row")
    check_lengths(found, max_chars)
    return found


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
