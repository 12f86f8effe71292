"""`load_task`: opens a task by a pinned name, a file, a folder, or a name on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack

from promptlab.data.builtin import DATASETS, BuiltinDataset, data_files
from promptlab.data.labelled_file import LabelledFileKeywords, LabelledFileOptions
from promptlab.data.readers import READERS, is_data_file
from promptlab.data.reasoning_gym import is_reasoning, reasoning_task
from promptlab.data.splits import Size
from promptlab.data.task import Task
from promptlab.errors import DataError
from promptlab.files.cache import Progress


def load_task(
    name: str | Path,
    *,
    seed: int = 13,
    k: int | None = None,
    train: Size = None,
    dev: Size = None,
    test: Size = None,
    metric: str | None = None,
    overlap: Literal["refuse", "drop"] = "drop",
    on_progress: Progress | None = None,
    **reading: Unpack[LabelledFileKeywords],
) -> Task:
    """Open a task: a built-in data set, a data file, a folder of split files, or a Hub name.

    A folder holds ``train`` and ``test`` files, and maybe ``dev`` or ``validation``, of any
    ending that `read_rows` knows. A Hub name (``owner/name`` or ``owner/name:config``) is loaded
    with the ``datasets`` library; ``reasoning-gym:chain_sum`` and its like are computed
    (`promptlab.data.reasoning_gym`).

    Args:
        name: A name out of `data_set_names`, a path, or one of the names above.
        seed: Of the splits and of the draw of ``k`` examples a class.
        k: Train is a draw of so many examples a class.
        train: Rows or a share of train.
        dev: The same for dev.
        test: The same for test.
        metric: What decides, in place of the task's own.
        overlap: *drop* leaves a text that stands in two files out of the one nearer to train;
            *refuse* refuses it.
        on_progress: Told the bytes of what is fetched.
        **reading: The columns, the labels and the form of files, as for `Task.from_file`.

    Returns:
        The task.

    Raises:
        DataError: For data that cannot be read, or an option that does not fit.
        AssetError: When nothing can be fetched.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "films.csv"
        >>> lines = [f"film {n} was {'fun' if n % 2 else 'dull'},{n % 2}" for n in range(20)]
        >>> _ = path.write_text("\\n".join(["text,label", *lines]))
        >>> load_task(path, dev=4, test=6).labels
        ('0', '1')
    """
    asked = {"train": train, "dev": dev, "test": test}
    sizes: dict[str, Any] = {split: size for split, size in asked.items() if size is not None}
    options: dict[str, Any] = {"seed": seed, "k": k}
    if str(name) in DATASETS:
        dataset, chosen = _with_fields(DATASETS[str(name)], {**reading})
        _refuse(chosen, f"{name} is a pinned data set with columns of its own")
        return _pinned_task(dataset, sizes, metric or dataset.metric, options, on_progress)
    if is_reasoning(str(name)):
        _refuse(reading, f"{name} is computed, with a question and an answer")
        computed = reasoning_task(str(name), sizes, seed=seed, metric=metric)
        return computed if k is None else computed.few_shot(k, seed)
    options["metric"] = metric
    path = Path(name)
    if path.is_dir():
        files: dict[str, Any] = {**split_files(path)}
        return Task.from_files(**files, **options, sizes=sizes, overlap=overlap, **reading)
    if path.exists() or is_data_file(path):
        return Task.from_file(path, **options, **sizes, **reading)
    return _hub_task(str(name), LabelledFileOptions(**reading), sizes, options, overlap)


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
            if file.name.partition(".")[0] in stems and is_data_file(file)
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


def _with_fields(
    dataset: BuiltinDataset, chosen: dict[str, Any]
) -> tuple[BuiltinDataset, dict[str, Any]]:
    """The data set with the extra fields that are ``chosen``, and what else is chosen."""
    fields = chosen.get("fields")
    known = {*dataset.fields, *dataset.extras}
    if fields is None or not dataset.extras or not set(dataset.fields) <= {*fields} <= known:
        return dataset, chosen
    return replace(dataset, fields=tuple(fields)), chosen | {"fields": None}


def _refuse(chosen: Mapping[str, Any], why: str) -> None:
    """Raise `DataError` for options of files; those that have their default say nothing."""
    plain = LabelledFileOptions()
    given = [o for o, v in chosen.items() if o != "max_chars" and v != getattr(plain, o)]
    if given:
        raise DataError(f"{why}: drop {given[0]}")


def _pinned_task(
    dataset: BuiltinDataset,
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
        "id": "",
    }
    if len(files) == 1:
        return Task.from_file(files["train"], **described, **options, **wanted)
    return Task.from_files(
        train=files["train"], test=files["test"], sizes=wanted, **described, **options
    )


def _hub_task(
    name: str,
    reading: LabelledFileOptions,
    sizes: Mapping[str, Size],
    options: Mapping[str, Any],
    overlap: Literal["refuse", "drop"],
) -> Task:
    from promptlab.data.hub import hub_rows

    found = hub_rows(name, known=tuple(DATASETS), max_chars=reading.max_chars)
    rows = {split: reading.add_nested_columns(part) for split, part in found.items()}
    return Task.from_rows(
        rows,
        reading.choose_columns(rows["train"], name),
        name=name,
        sizes=sizes,
        overlap=overlap,
        reading=reading,
        **options,
    )
