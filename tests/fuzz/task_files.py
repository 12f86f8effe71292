"""Data files and rows from somebody else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from promptlab.data.task import Task
from tests.fuzz.harness import Attempt

_PIECES = [
    b"text,label\n", b"good,positive\n", b"bad,negative\n", b'"', b",", b"\t", b";", b"\n", b"\r",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"1e999", b"=1+1", b"{", b"}",
    b"[", b"]", b'{"text": "good", "label": 1}\n', b'{"text": null, "label": {}}\n', b"null\n",
    b"9" * 400, b"[" * 2000, "\u202e\u2066".encode(), b"a" * 5000, b"\\ud800", b"label,label\n",
]  # fmt: skip
_ROWS = b"text,label\n" + b"".join(
    b"good %d,positive\nbad %d,negative\n" % (n, n) for n in range(12)
)
_ENDINGS = [".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet"]


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """Files of pieces put together at random, read as a task."""
    number = 0
    while True:
        number += 1
        if number % 2:
            yield from _one_wrong(rng, folder, number)
            continue
        pieces = _PIECES if rng.random() < 0.5 else _PIECES[:9]
        content = b"".join(rng.choice(pieces) for _ in range(rng.randrange(40)))
        if rng.random() < 0.7:
            content = _ROWS + content
        ending = rng.choice(_ENDINGS)
        path = folder / f"{number % 50}{ending}"

        def attempt(path: Path = path, content: bytes = content) -> object:
            path.write_bytes(content)
            return Task.from_file(path, text="text", label="label")

        yield f"{ending} {content[:120]!r}", attempt


def _one_wrong(rng: random.Random, folder: Path, number: int) -> Iterator[Attempt]:
    """A good file with one piece put where it does not belong."""
    place, piece = rng.randrange(len(_ROWS)), rng.choice(_PIECES)
    path = folder / f"one-{number % 50}.csv"

    def attempt() -> object:
        path.write_bytes(_ROWS[:place] + piece + _ROWS[place:])
        return Task.from_file(path, text="text", label="label")

    yield f"{piece[:80]!r} at {place}", attempt
