"""One user's grid: its columns, its rows in order, and what was selected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import promptlab as pl
from promptlab.data import data_set_names
from promptlab.predictors import ComparisonGrid

from .prompts import ListedPrompt, make_predictor

MOST_EXAMPLES = 2000
MOST_COLUMNS = 12
PAGE_ROWS = 25
FILTERS = [
    ("All", "all"),
    ("Disagreements", "split"),
    ("Wrong everywhere", "wrong"),
    ("Right everywhere", "right"),
]
ORDERS = [("Disagreements first", "split"), ("As in the data", "data")]


@dataclass(frozen=True)
class ColumnHeader:
    """A column's letter, its prompt and its model."""

    letter: str
    prompt: ListedPrompt
    model: str

    @property
    def name(self) -> str:
        """Letter and prompt, as a choice in a box."""
        return f"{self.letter} · {self.prompt.short} · {self.model}"


@dataclass(eq=False)
class ComparisonSheet:
    """A grid at work or done. ``about`` says on which examples."""

    task: pl.Task
    heads: tuple[ColumnHeader, ...]
    grid: ComparisonGrid
    about: str
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    state: str = "waiting"

    @property
    def examples(self) -> Sequence[pl.Example]:
        """The rows."""
        examples: Sequence[pl.Example] = self.grid.examples
        return examples

    def head(self, letter: str) -> ColumnHeader:
        """The column of a letter. Raises `InputError` for any other text."""
        for head in self.heads:
            if letter and head.letter == letter.partition(" ")[0]:
                return head
        raise pl.InputError("choose a column")

    def cell(self, row: int, letter: str) -> pl.Prediction | None:
        """What a column says of an example; ``None`` if it has not come so far."""
        column = self.grid.columns[letter]
        return column[row] if row < len(column) else None

    def agreement(self, row: int) -> str:
        """*right* or *wrong* everywhere, *split*, or *open* while cells are missing."""
        cells = [self.cell(row, h.letter) for h in self.heads if h.letter not in self.grid.errors]
        said = {cell.correct for cell in cells if cell is not None and not cell.missing}
        if not said or any(cell is None or cell.missing for cell in cells):
            return "split" if len(said) > 1 else "open"
        return "split" if len(said) > 1 else "right" if True in said else "wrong"

    def rows(self, keep: str, order: str) -> list[int]:
        """Numbers of the examples to be shown, in order."""
        kinds = [self.agreement(row) for row in range(len(self.examples))]
        rows = [row for row, kind in enumerate(kinds) if keep in ("all", kind)]
        if order != "split":
            return rows
        rank = {"split": 0, "wrong": 1, "right": 2, "open": 3}
        return sorted(rows, key=lambda row: (rank[kinds[row]], row))

    def complete(self) -> dict[str, pl.Predictions]:
        """The columns that are filled to the end, by letter."""
        whole = len(self.examples)
        return {name: rows for name, rows in self.grid.columns.items() if len(rows) == whole}


def make_sheet(
    task: pl.Task,
    count: float | None,
    prompts: Sequence[ListedPrompt],
    models: Mapping[str, Callable[[], pl.LanguageModel]],
) -> ComparisonSheet:
    """A sheet of every prompt with every model on the first dev examples. Raises `InputError`."""
    wanted = int(count or 0)
    if not 1 <= wanted <= MOST_EXAMPLES:
        raise pl.InputError(f"{wanted} examples; choose 1 to {MOST_EXAMPLES}")
    if not prompts or not models:
        raise pl.InputError("tick a prompt and a model, one of each at least")
    pairs = [(prompt, name) for name in models for prompt in prompts]
    if len(pairs) > MOST_COLUMNS:
        raise pl.InputError(
            f"{len(prompts)} prompts × {len(models)} models are {len(pairs)} columns; "
            f"at most {MOST_COLUMNS}"
        )
    heads = tuple(
        ColumnHeader(letter, prompt, name)
        for letter, (prompt, name) in zip(ascii_uppercase, pairs, strict=False)
    )
    makers = {h.letter: make_predictor(h.prompt, models[h.model], task.labels) for h in heads}
    examples = task.dev[:wanted]
    all_of = "" if wanted <= len(task.dev) else ", which are all"
    about = f"{task.name}: {len(examples)} dev examples{all_of}"
    return ComparisonSheet(task, heads, ComparisonGrid(makers, examples, task.train), about)


def open_task(
    name: str, upload: Path | None, text: str = "", label: str = "", *, count: float | None = 0
) -> pl.Task:
    """A pinned data set by its name, or an uploaded file with its columns. Raises `DataError`.

    Where ``count`` is more than dev has, further examples come out of train, never out of test.
    """
    if upload is not None:
        columns: dict[str, Any] = {"text": text.strip() or None, "label": label.strip() or None}
        opened = partial(pl.Task.from_file, upload, **columns)
    elif name in data_set_names():
        opened = partial(pl.load_task, name)
    else:
        raise pl.InputError(f"there is no data set {name!r}; choose one of the list")
    task: pl.Task = opened()
    wanted = min(int(count or 0), MOST_EXAMPLES)
    if wanted <= len(task.dev):
        return task
    try:
        larger: pl.Task = opened(dev=wanted)
    except pl.PromptlabError:  # there are not so many
        return task
    return larger if larger.test == task.test else task


def open_comparison_task(
    data: str, upload: str | None, text: str = "", label: str = "", count: float | None = 0
) -> pl.Task:
    """The task that the boxes name, with ``count`` dev examples if it has so many."""
    path = Path(upload) if upload else None
    return open_task(data, path, text or "", label or "", count=count)
