"""Passages that a prompt can be given: where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptlab.errors import DataError
from promptlab.example import Example
from promptlab.provenance import note_file
from promptlab.readers import read_rows, text_of

TEXT = "text"
"""The column of a table that holds the passages."""


def read_passages(path: str | Path, column: str = TEXT) -> list[str]:
    """The passages of a file: the ``column`` of a table (JSONL, CSV, Parquet), or a text's
    paragraphs, which empty lines set apart (its lines, where there are none).

    Raises `DataError` for a file without passages.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of passages")
    if path.suffix.lower() in (".txt", ".md"):
        note_file(path)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: is no UTF-8 text ({error.reason})") from error
        found = paragraphs(text)
    else:
        rows = read_rows(path)
        if column not in rows.columns:
            raise DataError(
                f"{path}: has no column {column!r} with passages; its columns are "
                f"{', '.join(rows.columns)}"
            )
        found = [text_of(row.values.get(column)).strip() for row in rows]
    passages = [passage for passage in found if passage]
    if not passages:
        raise DataError(f"{path}: holds no passage")
    return passages


def paragraphs(text: str) -> list[str]:
    """Paragraphs with their lines joined, or the lines of a text that has one paragraph only."""
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
    if len(blocks) == 1:
        return [line.strip() for line in blocks[0].splitlines() if line.strip()]
    return [" ".join(block.split()) for block in blocks]


def passage_of(example: Example, fields: Sequence[str]) -> str:
    """A solved training example as a passage: its fields and its answer."""
    words = [example.fields[name] for name in fields if name in example.fields]
    return "\n".join([*words, *([] if example.label is None else [f"Answer: {example.label}"])])
