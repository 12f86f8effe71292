"""`load_task`: opens a task by a pinned name, a file, a folder, or a name on the Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptlab.cache import Progress
from promptlab.columns import choose_columns
from promptlab.errors import DataError
from promptlab.pinned import DATASETS, Dataset, data_files
from promptlab.readers import MAX_CHARS, READERS
from promptlab.reasoning import is_reasoning, reasoning_task
from promptlab.split import Size
from promptlab.task import Task


def load_task(
    name: str | Path,
    *,
    seed: int = 13,
    k: int | None = None,
    train: Size = None,
    dev: Size = None,
    test: Size = None,
    text: str | None = None,
    label: str | None = None,
    fields: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
    metric: str | None = None,
    max_chars: int = MAX_CHARS,
    on_progress: Progress | None = None,
) -> Task:
    """Open a task: a name out of `DATASETS`, a data file, a folder of split files, or a Hub name.

    A folder holds ``train`` and ``test`` files, and maybe ``dev`` or ``validation``, of any
    ending that `read_rows` knows. A Hub name (``owner/name`` or ``owner/name:config``) is loaded
    with the ``datasets`` library; ``reasoning-gym:chain_sum`` and its like are computed
    (`promptlab.reasoning`). ``train``, ``dev`` and ``test`` are rows or shares; ``seed`` fixes
    splits and the draw of ``k`` examples a class. The other arguments are those of
    `Task.from_file`. Raises `DataError` or, when nothing can be fetched, `AssetError`.
    """
    asked = {"train": train, "dev": dev, "test": test}
    sizes: dict[str, Any] = {split: size for split, size in asked.items() if size is not None}
    options: dict[str, Any] = {"seed": seed, "k": k}
    chosen: dict[str, Any] = {
        "text": text,
        "label": label,
        "fields": fields,
        "rename": rename,
        "labels": labels,
    }
    if str(name) in DATASETS:
        dataset = _with_fields(DATASETS[str(name)], chosen)
        _refuse(chosen, f"{name} is a pinned data set with columns of its own")
        return _pinned_task(dataset, sizes, metric or dataset.metric, options, on_progress)
    if is_reasoning(str(name)):
        _refuse(chosen, f"{name} is computed, with a question and an answer")
        computed = reasoning_task(str(name), sizes, seed=seed, metric=metric)
        return computed if k is None else computed.few_shot(k, seed)
    options["metric"] = metric
    path = Path(name)
    if path.is_dir():
        files: dict[str, Any] = {**split_files(path)}
        return Task.from_files(**files, **chosen, **options, sizes=sizes, max_chars=max_chars)
    if path.exists() or path.suffix.lower() in READERS:
        return Task.from_file(path, **chosen, **options, **sizes, max_chars=max_chars)
    return _hub_task(str(name), chosen, sizes, options, max_chars)


def split_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by split (``dev`` may also be called ``validation`` or ``valid``)."""
    found: dict[str, Path] = {}
    for split, stems in (
        ("train", ("train",)),
        ("dev", ("dev", "validation", "valid")),
        ("test", ("test",)),
    ):
        files = [
            file
            for file in sorted(folder.iterdir())
            if file.stem in stems and file.suffix.lower() in READERS
        ]
        if len(files) > 1:
            raise DataError(f"{folder}: {files[0].name} and {files[1].name} could both be {split}")
        if files:
            found[split] = files[0]
        elif split != "dev":
            raise DataError(
                f"{folder} holds no {split} file; a folder of data needs train and test files "
                f"(ending in {', '.join(READERS)}), or name one file"
            )
    return found


def _with_fields(dataset: Dataset, chosen: dict[str, Any]) -> Dataset:
    """The data set with the extra fields that are ``chosen``, which are taken from there."""
    fields = chosen["fields"]
    known = {*dataset.fields, *dataset.extras}
    if fields is None or not dataset.extras or not set(dataset.fields) <= {*fields} <= known:
        return dataset
    chosen["fields"] = None
    return replace(dataset, fields=tuple(fields))


def _refuse(chosen: Mapping[str, Any], why: str) -> None:
    given = [option for option, value in chosen.items() if value is not None]
    if given:
        raise DataError(f"{why}: drop {given[0]}")


def _pinned_task(
    dataset: Dataset,
    sizes: Mapping[str, Size],
    metric: str,
    options: Mapping[str, Any],
    on_progress: Progress | None,
) -> Task:
    files = data_files(dataset.name, on_progress=on_progress)
    wanted: dict[str, Any] = {**dataset.sizes, **sizes}
    described: dict[str, Any] = {
        "fields": dataset.fields,
        "label": "label",
        "labels": dataset.labels,
        "name": dataset.name,
        "metric": metric,
    }
    if len(files) == 1:
        return Task.from_file(files["train"], **described, **options, **wanted)
    return Task.from_files(
        train=files["train"], test=files["test"], sizes=wanted, **described, **options
    )


def _hub_task(
    name: str,
    chosen: Mapping[str, Any],
    sizes: Mapping[str, Size],
    options: Mapping[str, Any],
    max_chars: int,
) -> Task:
    from promptlab.hub import hub_rows

    rows = hub_rows(name, known=tuple(DATASETS), max_chars=max_chars)
    named = {option: chosen[option] for option in ("text", "label", "fields", "rename")}
    columns = choose_columns(rows["train"].columns, source=name, **named)
    return Task.from_rows(
        rows,
        columns,
        name=name,
        labels=chosen["labels"],
        sizes=sizes,
        overlap="drop",
        **options,
    )
