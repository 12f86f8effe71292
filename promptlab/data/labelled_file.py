"""How labelled files become examples: which columns, what the labels mean, what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from promptlab.data.columns import Columns, add_nested_columns, choose_columns, find_chat_paths
from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.label_column import Labels, is_missing, read_labels, read_mapping
from promptlab.data.readers import MAX_CHARS, FileFormat, Rows, read_rows
from promptlab.errors import DataError


class LabelledFileKeywords(TypedDict, total=False):
    """The options of `LabelledFileOptions`, for whoever passes them on."""

    text: str | int | None
    label: str | int | None
    fields: Sequence[str | int] | None
    rename: Mapping[str, str] | None
    id: str | int | None
    labels: Labels
    join: str | None
    empty: Literal["refuse", "drop"]
    min_rows: int
    delimiter: str | None
    header: bool | None
    encoding: str | None
    quotes: bool
    records: str | None
    max_chars: int


@dataclass(frozen=True)
class LabelledFileOptions:
    """How a labelled file is read; what is not given is found out or refused, never guessed past.

    Args:
        text: The one column that becomes the field ``text``; ``meta.body`` reads nested values.
        label: The column of the labels.
        fields: Several columns that keep their names.
        rename: Field by column.
        id: The column of the rows' ids (else the one called id, where it numbers every row).
        labels: The classes in their order (empty: open answers); or a mapping that merges, renames
            and, with None, leaves out single labels.
        join: What stands between the items of a list of labels, read as one open answer.
        empty: What becomes of rows without text: ``refuse`` or ``drop``.
        min_rows: Classes with fewer different texts are left out.
        delimiter: The character between fields; ``tab`` for a tab.
        header: Whether the first line names the columns; without, they are called 1, 2, ...
        encoding: The text encoding, where it is not UTF-8.
        quotes: Whether quotation marks enclose fields.
        records: The key of a JSON document that holds its rows.
        max_chars: The longest field that is accepted, in characters.
    """

    text: str | int | None = None
    label: str | int | None = None
    fields: Sequence[str | int] | None = None
    rename: Mapping[str, str] | None = None
    id: str | int | None = None
    labels: Labels = None
    join: str | None = None
    empty: Literal["refuse", "drop"] = "refuse"
    min_rows: int = 1
    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quotes: bool = True
    records: str | None = None
    max_chars: int = MAX_CHARS

    def __post_init__(self) -> None:
        if self.empty not in ("refuse", "drop"):
            raise DataError(f"empty is {self.empty!r}; it is refuse or drop")

    def read_rows(self, path: str | Path) -> Rows:
        """The rows of a file, with a column for every nested value that an option names."""
        form = FileFormat(self.delimiter, self.header, self.encoding, self.quotes, self.records)
        return self.add_nested_columns(read_rows(path, max_chars=self.max_chars, form=form))

    def add_nested_columns(self, rows: Rows) -> Rows:
        """The rows with a column for every nested value that an option names."""
        return add_nested_columns(
            rows, [_name(n) for n in (self.text, self.label, self.id, *(self.fields or ()))]
        )

    def choose_columns(self, rows: Rows, source: str) -> Columns:
        """Which columns are read. Raises `DataError` where that cannot be told."""
        chats = find_chat_paths(rows)
        if chats is not None and (self.label is None or not (self.text or self.fields)):
            raise DataError(
                f"{source} holds chat messages; name the ones to read (text: {chats[0]}, label: "
                f"{chats[1]})"
            )
        chosen = choose_columns(
            rows.columns,
            source=source,
            text=_name(self.text),
            label=_name(self.label),
            fields=None if self.fields is None else [str(name) for name in self.fields],
            rename=self.rename,
            id=_name(self.id),
        )
        return replace(chosen, renamed=read_mapping(self.labels))


@dataclass(frozen=True)
class LabelledPools:
    """Examples by source, their classes (none: open answers), and remarks on the reading."""

    examples: dict[str, list[Example]]
    classes: tuple[str, ...]
    remarks: tuple[str, ...]


def read_pools(
    rows: Mapping[str, Rows], columns: Columns, reading: LabelledFileOptions
) -> LabelledPools:
    """The examples of every source, labels read over all of them. Raises `DataError`."""
    source = str(rows["train"].path)
    if reading.empty == "drop":
        rows = {name: columns.rows_with_text(part) for name, part in rows.items()}
    if reading.join is not None:
        rows = {name: columns.join_label_lists(part, reading.join) for name, part in rows.items()}
    ids, remark = _ids(rows, columns, reading)
    pools = {
        name: columns.to_examples(
            part, prefix="" if ids is not None or len(rows) == 1 else f"{name}-",
            ids=None if ids is None else ids[name],
        )
        for name, part in rows.items()
    }  # fmt: skip
    remarks = [*(told for part in rows.values() for told in part.remarks), *remark]
    remarks += [*_missing_texts(rows, pools), *_nested(rows, columns)]
    found = read_labels(
        [example.label or "" for pool in pools.values() for example in pool],
        [place for part in rows.values() for place in part.places()],
        source=source,
        column=columns.label or "",
        asked=[] if reading.join is not None and reading.labels is None else reading.labels,
    )
    labels = iter(found.labels)
    read = {
        name: [replace(e, label=label) for e in pool if (label := next(labels)) is not None]
        for name, pool in pools.items()
    }
    classes, told = _without_rare(read, found.classes, reading.min_rows, source)
    return LabelledPools(read, classes, (*remarks, *found.remarks, *told))


def _ids(
    rows: Mapping[str, Rows], columns: Columns, reading: LabelledFileOptions
) -> tuple[dict[str, list[str]] | None, list[str]]:
    """The ids of every source, or None and why the rows are numbered instead."""
    if columns.id is None:
        return None, []
    found = {name: columns.row_ids(part) for name, part in rows.items()}
    ids = {name: part for name, part in found.items() if part is not None}
    if len(ids) == len(rows):
        every = [name for part in ids.values() for name in part]
        if len(set(every)) == len(every):
            return ids, []
    source = rows["train"].path
    fault = f"{source}: the column {columns.id!r} lacks some ids or repeats them"
    if reading.id:
        raise DataError(f"{fault}; name another one, or give none (id: '')")
    return None, [f"{fault}, so that rows are known by their number"]


def _missing_texts(rows: Mapping[str, Rows], pools: Mapping[str, Sequence[Example]]) -> list[str]:
    """A remark on rows whose whole text is nan, N/A or the like."""
    places = [
        part.place(row)
        for name, part in rows.items()
        for row, example in zip(part, pools[name], strict=True)
        if all(is_missing(text) for text in example.fields.values())
    ]
    if not places:
        return []
    more = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return [f"{places[0]}{more}: all the text is a word for a missing value, such as nan or N/A"]


def _nested(rows: Mapping[str, Rows], columns: Columns) -> list[str]:
    """A remark on fields that hold lists or objects, which prompts read as JSON."""
    for part in rows.values():
        for row in part:
            for column in columns.fields:
                value = row.values.get(column)
                if isinstance(value, list | dict):
                    key = next(iter(value), "KEY") if isinstance(value, dict) else "0"
                    kind = "an object" if isinstance(value, dict) else "a list"
                    return [
                        f"{part.place(row)}: the column {column!r} holds {kind}, which prompts "
                        f"read as JSON; {column}.{key} reads a part of it"
                    ]
    return []


def _without_rare(
    pools: dict[str, list[Example]], classes: tuple[str, ...], least: int, source: str
) -> tuple[tuple[str, ...], list[str]]:
    """Leave the examples of classes with fewer than ``least`` different texts out of ``pools``."""
    if least <= 1 or not classes:
        return classes, []
    texts: defaultdict[str | None, set[str]] = defaultdict(set)
    for pool in pools.values():
        for example in pool:
            texts[example.label].add(text_key(example))
    kept = tuple(name for name in classes if len(texts[name]) >= least)
    if len(kept) < 2:
        raise DataError(
            f"{source}: min_rows is {least}, which {len(kept)} of {len(classes)} classes reach; "
            "lower it"
        )
    gone = Counter(e.label for pool in pools.values() for e in pool if e.label not in kept)
    for name, pool in pools.items():
        pools[name] = [example for example in pool if example.label in kept]
    if not gone:
        return kept, []
    told = ", ".join(f"{label!r}" for label in list(gone)[:5])
    return kept, [
        f"{source}: {len(gone):,} classes with fewer than {least} different texts are left out "
        f"with {sum(gone.values()):,} rows: {told}{', …' if len(gone) > 5 else ''}"
    ]


def _name(column: Any) -> str | None:
    return None if column is None else str(column)
