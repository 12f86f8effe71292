"""A labelled file of one's own: uploaded, kept, told about, its columns chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.batch import guess_columns
from promptlab.data import read_rows
from promptlab.study import StudyPolicy

from ..context import AppContext
from .html import error, html_panel, note
from .listeners import PRIVATE, on_latest

ENDINGS = [".csv", ".tsv", ".jsonl", ".json", ".parquet"]
CORPORA = [".txt", ".jsonl", ".ndjson", ".gz", ".bz2", ".xz"]
"""Endings of corpora: a text a line, or a JSON object; packed ones are read as they are."""
SEVERAL = ""
"""The text column's choice when the names of several columns tell that they are fields."""
_MOST_LABELS = 12
_LOOKED_AT = 1000
"""Rows whose values tell a text from a label where the columns' names do not."""


@dataclass(frozen=True)
class LabelledFile:
    """What is in a file: its fields, and how many different rows each label has."""

    file: str
    fields: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(count for _, count in self.counts)

    @property
    def smallest(self) -> int:
        """Rows of the label with the fewest."""
        return min((count for _, count in self.counts), default=0)

    def __str__(self) -> str:
        shown = [f"{label} ({count:,})" for label, count in self.counts[:_MOST_LABELS]]
        left = len(self.counts) - len(shown)
        more = f" and {left} more" if left > 0 else ""
        texts = "text" if len(self.fields) == 1 else f"texts {', '.join(self.fields)}"
        return f"{self.file}: {self.rows:,} rows of {texts}; labels {', '.join(shown)}{more}"


@dataclass(frozen=True)
class UploadColumns:
    """A file's columns, and which of them are the text and the label by the looks of them."""

    names: tuple[str, ...]
    text: str
    label: str | None
    several: tuple[str, ...] = ()

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What the text may be."""
        all_of = [(f"all of {', '.join(self.several)}", SEVERAL)] if self.several else []
        return [*all_of, *((name, name) for name in self.names)]


def uploaded_name(keep_upload: Callable[[str | Path], Path], path: str | Path) -> str:
    """Keep an uploaded file; its name as studies have it."""
    kept = keep_upload(path)
    return f"{kept.parent.name}/{kept.name}"


def uploaded_file(policy: StudyPolicy, name: str) -> Path:
    """A file that was kept, by its name. Raises `InputError` for any other one."""
    found: Path | None = policy.find_file(name) if name else None
    if found is None:
        raise pl.InputError(f"{name!r:.80} was not uploaded here" if name else "upload a file")
    return found


def upload_columns(policy: StudyPolicy, name: str) -> UploadColumns:
    """The columns of a kept file, guessed. Raises `InputError` that names the line."""
    return _columns(uploaded_file(policy, name))


def read_labelled(
    policy: StudyPolicy, name: str, text: str | None, label: str | None
) -> LabelledFile:
    """What is in a kept file with these columns. Raises `InputError` for what has no classes."""
    return _labelled(uploaded_file(policy, name), text or None, label or None)


@lru_cache(maxsize=32)
def _columns(path: Path) -> UploadColumns:
    """A file's name has its content's hash: it is read once."""
    with _own_name(path):
        rows = read_rows(path)
    names = tuple(rows.columns)
    chosen, label = guess_columns(names, ["text"])
    text = chosen["text"]
    if text is None and label is not None:
        try:
            several = pl.Task.from_file(path, label=label).fields
        except pl.PromptlabError:
            several = ()
        if len(several) > 1:
            return UploadColumns(names, SEVERAL, label, tuple(several))
    first = [row.values for _, row in zip(range(_LOOKED_AT), rows, strict=False)]
    text = text or _longest([n for n in names if n != label], first)
    label = label or _fewest([n for n in names if n != text], first)
    return UploadColumns(names, text or SEVERAL, label)


def _longest(names: list[str], rows: list[Any]) -> str | None:
    """The column with the longest values."""
    return max(names, key=lambda name: sum(len(str(r.get(name, ""))) for r in rows), default=None)


def _fewest(names: list[str], rows: list[Any]) -> str | None:
    """The column with the fewest different values, of those with two or more."""
    different = {name: len({str(row.get(name, "")) for row in rows}) for name in names}
    return min((n for n in names if different[n] > 1), key=lambda n: different[n], default=None)


@lru_cache(maxsize=32)
def _labelled(path: Path, text: str | None, label: str | None) -> LabelledFile:
    with _own_name(path):
        task = pl.Task.from_file(path, text=text, label=label)
    if not task.labels:
        raise pl.InputError(
            f"{path.name}: most rows have a label of their own; choose a label column with a few "
            "classes"
        )
    examples = [*task.train, *task.dev, *task.test]
    counts = Counter(str(example.label) for example in examples)
    return LabelledFile(path.name, task.fields, tuple((name, counts[name]) for name in task.labels))


@contextmanager
def _own_name(path: Path) -> Iterator[None]:
    """Errors call a kept file by its own name alone."""
    try:
        yield
    except pl.InputError as problem:
        raise pl.InputError(str(problem).replace(str(path), path.name)) from problem


class OwnFile:
    """An upload, and below it the columns once there is a file.

    The values of ``boxes`` are the kept file's name (``""`` without one), its text column and its
    label column, as `read_labelled` takes them.
    """

    def __init__(self, context: AppContext, upload: gr.File | gr.UploadButton, name: str) -> None:
        """To be made where the columns are to stand; ``upload`` may stand elsewhere."""
        self._context, self._upload = context, upload
        self.kept = gr.State("")
        with gr.Row(visible=False, elem_id=f"{name}-columns") as self.row:
            self.text = gr.Dropdown([], label="Text column", min_width=150)
            self.label = gr.Dropdown([], label="Label column", min_width=150)
        self.about = html_panel(name=f"{name}-file-told")
        self.boxes: list[Any] = [self.kept, self.text, self.label]
        gone = [upload.clear] if isinstance(upload, gr.File) else []
        shown = [self.kept, self.row, self.text, self.label, self.about]
        self._taken = gr.on([upload.upload, *gone], self._take, upload, shown, **PRIVATE)
        self._chosen = on_latest(
            [self.text.input, self.label.input], self._tell, self.boxes, self.about
        )

    def then(self, do: Callable[..., Any], inputs: Any, outputs: Any) -> None:
        """Call ``do`` when there is another file, and when other columns were chosen."""
        for dependency in (self._taken, self._chosen):
            dependency.then(do, inputs, outputs, **PRIVATE)

    def _take(self, path: str | None) -> list[Any]:
        if not path:
            return ["", gr.Row(visible=False), gr.Dropdown(), gr.Dropdown(), ""]
        try:
            name = uploaded_name(self._context.keep_upload, path)
            found = upload_columns(self._context.policy, name)
        except pl.PromptlabError as problem:
            return ["", gr.Row(visible=False), gr.Dropdown(), gr.Dropdown(), str(error(problem))]
        return [
            name,
            gr.Row(visible=True),
            gr.Dropdown(found.choices, value=found.text),
            gr.Dropdown(list(found.names), value=found.label),
            self._tell(name, found.text, found.label),
        ]

    def _tell(self, name: str, text: str | None, label: str | None) -> str:
        """What is in the file, or what is wrong with it."""
        try:
            return (
                str(note(str(read_labelled(self._context.policy, name, text, label))))
                if name
                else ""
            )
        except pl.PromptlabError as problem:
            return str(error(problem))


def file_box(label: str, name: str) -> gr.File:
    """A place for one file of rows."""
    return gr.File(label=label, file_types=ENDINGS, height=120, elem_id=name)
