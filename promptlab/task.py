"""A task: labelled examples in three disjoint splits, and how answers to them are judged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from promptlab.columns import Columns, choose_columns
from promptlab.errors import DataError
from promptlab.example import Example
from promptlab.label import canonical_labels
from promptlab.readers import MAX_CHARS, Rows, read_rows
from promptlab.split import Size, content_key, divide, draw, plan, separate

FEW_SHOT_SEEDS = (13, 21, 42, 87, 100)
"""The seeds of the usual few-shot protocol (Gao et al. 2021)."""

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Task:
    """Train fits, dev selects, test is touched once.

    ``labels`` are the class names, empty for a task with open answers; ``fields`` the names of
    the text fields every example has; ``metric`` the name of the metric that decides. Raises
    `DataError` when ids repeat, a label is unknown or two splits share a text.
    """

    name: str
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    metric: str = "accuracy"
    fields: tuple[str, ...] = ("text",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", canonical_labels(self.labels, self.name))
        places: dict[str, str] = {}
        ids: set[str] = set()
        for split, examples in self.splits.items():
            for example in examples:
                self._check(example, split)
                if example.id in ids:
                    raise DataError(f"{self.name}: the id {example.id!r} stands twice")
                ids.add(example.id)
                other = places.setdefault(content_key(example), split)
                if other != split:
                    raise DataError(
                        f"{self.name}: example {example.id} of {split} has the text of one in "
                        f"{other}; splits must not share texts"
                    )

    def _check(self, example: Example, split: str) -> None:
        missing = [name for name in self.fields if name not in example.fields]
        if missing:
            raise DataError(f"{self.name}: example {example.id} of {split} lacks {missing[0]!r}")
        if self.labels and example.label not in self.labels:
            raise DataError(
                f"{self.name}: example {example.id} of {split} has the label {example.label!r}, "
                f"the labels are {', '.join(self.labels)}"
            )

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        text: str | None = None,
        label: str | None = None,
        fields: Sequence[str] | None = None,
        rename: Mapping[str, str] | None = None,
        labels: Sequence[str] | None = None,
        name: str | None = None,
        metric: str | None = None,
        seed: int = 13,
        train: Size = None,
        dev: Size = None,
        test: Size = None,
        k: int | None = None,
        max_chars: int = MAX_CHARS,
    ) -> Task:
        """Read one labelled file and divide it.

        Columns are guessed by `promptlab.columns.choose_columns` where they are not named.
        ``labels`` fixes the classes and their order (empty: open answers); without it they are
        the sorted values, or open answers when most rows have a value of their own. ``train``,
        ``dev`` and ``test`` are rows or shares (defaults: `promptlab.split.plan`); with ``k``,
        train is a draw of k a class. Raises `DataError` naming file and line.
        """
        rows = read_rows(path, max_chars=max_chars)
        columns = choose_columns(
            rows.columns, source=str(path), text=text, label=label, fields=fields, rename=rename
        )
        return cls.from_rows(
            {"train": rows},
            columns,
            labels=labels,
            name=name or Path(path).stem,
            metric=metric,
            seed=seed,
            sizes={"train": train, "dev": dev, "test": test},
            k=k,
        )

    @classmethod
    def from_files(
        cls,
        *,
        train: str | Path,
        test: str | Path,
        dev: str | Path | None = None,
        text: str | None = None,
        label: str | None = None,
        fields: Sequence[str] | None = None,
        rename: Mapping[str, str] | None = None,
        labels: Sequence[str] | None = None,
        name: str | None = None,
        metric: str | None = None,
        seed: int = 13,
        sizes: Mapping[str, Size] | None = None,
        k: int | None = None,
        overlap: Literal["refuse", "drop"] = "refuse",
        max_chars: int = MAX_CHARS,
    ) -> Task:
        """Read splits from files of their own; without ``dev``, a share of train becomes dev.

        ``sizes`` takes a seeded sample instead of all rows. A text that stands in two files is
        refused, or with ``overlap="drop"`` left out of the split nearer to train. The other
        arguments are those of `from_file`.
        """
        paths = {"train": train, "dev": dev, "test": test}
        rows = {s: read_rows(p, max_chars=max_chars) for s, p in paths.items() if p is not None}
        columns = choose_columns(
            rows["train"].columns,
            source=str(train),
            text=text,
            label=label,
            fields=fields,
            rename=rename,
        )
        return cls.from_rows(
            rows,
            columns,
            labels=labels,
            name=name or Path(train).absolute().parent.name,
            metric=metric,
            seed=seed,
            sizes=sizes,
            k=k,
            overlap=overlap,
        )

    @classmethod
    def from_rows(
        cls,
        rows: Mapping[str, Rows],
        columns: Columns,
        *,
        name: str,
        labels: Sequence[str] | None = None,
        metric: str | None = None,
        seed: int = 13,
        sizes: Mapping[str, Size] | None = None,
        k: int | None = None,
        overlap: Literal["refuse", "drop"] = "refuse",
    ) -> Task:
        """Build a task from rows by split; with ``train`` alone, dev and test come out of it.

        Every split that has no rows of its own is taken from train's. Ids are row numbers, with
        the split before them when there are several sources.
        """
        alone = len(rows) == 1
        pools = {
            split: columns.examples(part, prefix="" if alone else f"{split}-")
            for split, part in rows.items()
        }
        source = str(rows["train"].path)
        known = _labels_of([e for pool in pools.values() for e in pool], labels, source)
        for split, pool in pools.items():
            _check_labels(rows[split], pool, known)
        if not alone:
            separate(pools, {split: str(part.path) for split, part in rows.items()}, overlap)
        splits: dict[str, tuple[Example, ...]] = {}
        for owner, pool in pools.items():
            filled = [s for s in SPLITS if s == owner or (owner == "train" and s not in pools)]
            wanted = plan(
                filled,
                sizes or {},
                rows=len(pool),
                classes=max(len(known), 1) if len(filled) > 1 else 1,
                source=str(rows[owner].path),
            )
            splits |= divide(
                pool,
                wanted,
                seed=seed,
                stratified=bool(known),
                source=str(rows[owner].path),
            )
        task = cls(
            name=name,
            train=splits["train"],
            dev=splits["dev"],
            test=splits["test"],
            labels=known,
            metric=metric or ("accuracy" if known else "exact_match"),
            fields=columns.field_names,
        )
        return task if k is None else task.few_shot(k, seed)

    @property
    def splits(self) -> dict[str, tuple[Example, ...]]:
        """The three splits by name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the ids, fields and labels of all splits: same hash, same task."""
        digest = hashlib.sha256()
        for split, examples in self.splits.items():
            for e in examples:
                record = [split, e.id, dict(sorted(e.fields.items())), e.label]
                digest.update(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    def draw(self, k: int, seed: int = FEW_SHOT_SEEDS[0]) -> tuple[Example, ...]:
        """``k`` training examples of each class (``k`` in all for open answers), shuffled.

        The same k and seed give the same draw, and a larger k contains the smaller one. Raises
        `DataError` with both numbers when a class has fewer.
        """
        return draw(self.train, k, seed=seed, classes=self.labels, source=self.name)

    def few_shot(self, k: int, seed: int = FEW_SHOT_SEEDS[0]) -> Task:
        """This task with `draw` for its train split; dev and test stay as they are."""
        return dataclasses.replace(self, train=self.draw(k, seed))


def _labels_of(
    examples: Sequence[Example], labels: Sequence[str] | None, source: str
) -> tuple[str, ...]:
    """The classes: as given, else the sorted values; none when the answers are open."""
    found = {str(example.label) for example in examples}
    if labels is not None:
        labels = canonical_labels(labels, f"{source}: labels")
        if len(labels) == 1:
            raise DataError(f"labels are {', '.join(labels)}; give at least two, each once")
    elif len(found) > 1 and 2 * len(found) > len(examples):
        return ()
    known = tuple(sorted(found) if labels is None else labels)
    if known and len(found) < 2:
        raise DataError(
            f"{source}: every row has the label {next(iter(found))!r}; a task needs two classes "
            "or more: add rows of another class, or name another column as the label"
        )
    return known


def _check_labels(rows: Rows, pool: Sequence[Example], known: Sequence[str]) -> None:
    for row, example in zip(rows, pool, strict=True):
        if known and example.label not in known:
            raise DataError(
                f"{rows.place(row)}: the label {example.label!r} is none of {', '.join(known)}"
            )
