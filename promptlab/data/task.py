"""A task: labelled examples in three disjoint splits, and how answers to them are judged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Unpack

from promptlab.data.columns import Columns
from promptlab.data.duplicates import DuplicateTexts, find_duplicates, text_key
from promptlab.data.example import Example
from promptlab.data.label import canonical_labels
from promptlab.data.labelled_file import LabelledFileKeywords, LabelledFileOptions, read_pools
from promptlab.data.readers import Rows
from promptlab.data.splits import (
    Size,
    draw_few_shot,
    plan_sizes,
    remove_shared_texts,
    split_examples,
)
from promptlab.errors import DataError, DataWarning
from promptlab.files.settings import has_no_text
from promptlab.security.html import html_facts

FEW_SHOT_SEEDS = (13, 21, 42, 87, 100)
"""The seeds of the usual few-shot protocol (Gao et al. 2021)."""

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Task:
    """Labelled examples in three splits: train fits, dev selects, test is touched once.

    Args:
        name: What the task is called.
        train: The examples that predictors are fitted on.
        dev: Those by which one predictor is chosen.
        test: Those that the choice is measured on in the end.
        labels: The class names; empty for a task with open answers.
        metric: The name of the metric that decides.
        fields: The names of the text fields that every example has.
        remarks: What a reader of the data should know, a sentence each.
        columns: The columns of the file that it was read from.

    Raises:
        DataError: When ids repeat, a label is unknown or two splits share a text.

    Example:
        >>> texts = ("A fine film.", "A bore.", "Great fun.")
        >>> labels = ("good", "bad", "good")
        >>> rows = [Example(t, {"text": t}, label) for t, label in zip(texts, labels)]
        >>> task = Task("films", (rows[0],), (rows[1],), (rows[2],), labels=("bad", "good"))
        >>> {split: len(examples) for split, examples in task.splits.items()}
        {'train': 1, 'dev': 1, 'test': 1}
    """

    name: str
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    metric: str = "accuracy"
    fields: tuple[str, ...] = ("text",)
    remarks: tuple[str, ...] = field(default=(), compare=False)
    columns: Columns | None = field(default=None, compare=False)

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
                other = places.setdefault(text_key(example), split)
                if other != split:
                    raise DataError(
                        f"{self.name}: example {example.id} of {split} has the text of one in "
                        f"{other}; splits must not share texts"
                    )

    def _check(self, example: Example, split: str) -> None:
        texts = (example.id, example.label or "", *example.fields.values())
        if has_no_text("".join(texts)):
            text = next(text for text in texts if has_no_text(text))
            raise DataError(
                f"{self.name}: example {example.id!a:.80} of {split} holds half a character or "
                f"a zero byte, which no tokenizer takes: {text!a:.80}; remove it"
            )
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
        name: str | None = None,
        metric: str | None = None,
        seed: int = 13,
        train: Size = None,
        dev: Size = None,
        test: Size = None,
        k: int | None = None,
        **reading: Unpack[LabelledFileKeywords],
    ) -> Task:
        """Read one labelled file and divide it.

        Columns are guessed by `promptlab.data.columns.choose_columns` where they are not named, and
        labels are read by `read_labels` of `label_column`: those that mean the same however
        they are written are one class.

        Args:
            path: The file.
            name: The task's name; the file's without its ending.
            metric: What decides; accuracy for classes, exact_match for open answers.
            seed: Of the splits.
            train: Rows or a share (the defaults are those of `promptlab.data.splits.plan_sizes`).
            dev: The same for dev.
            test: The same for test.
            k: Train is a draw of so many a class.
            **reading: The columns, the labels and the form of the file (`LabelledFileOptions`).

        Returns:
            The task; ``remarks`` say what was merged, left out or looks wrong.

        Raises:
            DataError: Naming file and line, and the option that mends it.
        """
        return cls._from_paths(
            {"train": path},
            LabelledFileOptions(**reading),
            name=name or _stem(Path(path)),
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
        name: str | None = None,
        metric: str | None = None,
        seed: int = 13,
        sizes: Mapping[str, Size] | None = None,
        k: int | None = None,
        overlap: Literal["refuse", "drop"] = "drop",
        **reading: Unpack[LabelledFileKeywords],
    ) -> Task:
        """Read splits from files of their own; without ``dev``, a share of train becomes dev.

        Args:
            train: The file of the train split.
            test: That of test.
            dev: That of dev.
            name: The task's name; the folder's of ``train``.
            metric: As for `from_file`.
            seed: Of samples and of the share that becomes dev.
            sizes: Rows or a share by split: a seeded sample instead of all rows.
            k: Train is a draw of so many a class.
            overlap: *drop* leaves a text that stands in two files out of the split nearer to
                train, so that test stays whole, which ``remarks`` tell; *refuse* refuses it.
            **reading: The columns, the labels and the form of the files.

        Raises:
            DataError: As `from_file` does.
        """
        paths = {"train": train, "dev": dev, "test": test}
        return cls._from_paths(
            {split: path for split, path in paths.items() if path is not None},
            LabelledFileOptions(**reading),
            name=name or Path(train).absolute().parent.name,
            metric=metric,
            seed=seed,
            sizes=sizes,
            k=k,
            overlap=overlap,
        )

    @classmethod
    def _from_paths(
        cls, paths: Mapping[str, str | Path], reading: LabelledFileOptions, **options: Any
    ) -> Task:
        """`from_rows` of the files by split; the columns are those of train's."""
        rows = {split: reading.read_rows(path) for split, path in paths.items()}
        columns = reading.choose_columns(rows["train"], str(paths["train"]))
        return cls.from_rows(rows, columns, reading=reading, **options)

    @classmethod
    def from_rows(
        cls,
        rows: Mapping[str, Rows],
        columns: Columns,
        *,
        name: str,
        metric: str | None = None,
        seed: int = 13,
        sizes: Mapping[str, Size] | None = None,
        k: int | None = None,
        overlap: Literal["refuse", "drop"] = "drop",
        reading: LabelledFileOptions | None = None,
    ) -> Task:
        """Build a task from rows by split; with ``train`` alone, dev and test come out of it.

        Every split that has no rows of its own is taken from train's. Ids are those of the id
        column, else row numbers, with the split before them when there are several sources.
        """
        found = read_pools(rows, columns, reading or LabelledFileOptions())
        pools, known = found.examples, found.classes
        remarks = list(found.remarks)
        if len(rows) > 1:
            remarks += remove_shared_texts(
                pools, {s: str(part.path) for s, part in rows.items()}, overlap
            )
        splits: dict[str, tuple[Example, ...]] = {}
        for owner, pool in pools.items():
            filled = [s for s in SPLITS if s == owner or (owner == "train" and s not in pools)]
            source = str(rows[owner].path)
            wanted = plan_sizes(
                filled,
                sizes or {},
                rows=len(pool),
                classes=max(len(known), 1) if len(filled) > 1 else 1,
                source=source,
            )
            splits |= split_examples(pool, wanted, seed=seed, stratified=bool(known), source=source)
        task = cls(
            name=name,
            train=splits["train"],
            dev=splits["dev"],
            test=splits["test"],
            labels=known,
            metric=metric or ("accuracy" if known else "exact_match"),
            fields=columns.field_names,
            remarks=tuple(remarks),
            columns=columns,
        )
        for told in task.warnings:
            warnings.warn(told, DataWarning, stacklevel=4)  # at the call of from_file
        return task if k is None else task.few_shot(k, seed)

    @property
    def splits(self) -> dict[str, tuple[Example, ...]]:
        """The three splits by name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    def _repr_html_(self) -> str:
        facts = {split: f"{len(examples):,} examples" for split, examples in self.splits.items()}
        facts |= {"labels": ", ".join(self.labels) or "(open answers)", "metric": self.metric}
        return html_facts(self.name, facts | {"fields": ", ".join(self.fields)})

    @cached_property
    def repeats(self) -> DuplicateTexts:
        """The texts that stand more than once, in all splits together."""
        return find_duplicates(e for examples in self.splits.values() for e in examples)

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that a reader of the data should know: `remarks`, and what `repeats` tell."""
        return (*self.remarks, *self.repeats.remarks())

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

        Args:
            k: Examples a class.
            seed: The same k and seed give the same draw; a larger k contains the smaller one.

        Raises:
            DataError: With both numbers, when a class has fewer.
        """
        return draw_few_shot(self.train, k, seed=seed, classes=self.labels, source=self.name)

    def few_shot(self, k: int, seed: int = FEW_SHOT_SEEDS[0]) -> Task:
        """This task with `draw` for its train split; dev and test stay as they are."""
        return dataclasses.replace(self, train=self.draw(k, seed))


def _stem(path: Path) -> str:
    """A file's name without its endings: ``reviews`` for ``reviews.csv.gz``."""
    return path.stem.partition(".")[0] if path.suffix.lower() in (".gz", ".zip") else path.stem
