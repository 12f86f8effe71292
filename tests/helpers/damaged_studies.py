"""Damage to the files of a study's folder, as disks, editors and strangers do it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def truncated(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def utf16(path: Path) -> None:
    path.write_bytes(path.read_bytes().decode("latin-1").encode("utf-16"))


def null(path: Path) -> None:
    path.write_text("null")


def a_list(path: Path) -> None:
    path.write_text("[1, 2, {}]\n")


def a_mapping(path: Path) -> None:
    path.write_text('{"a": [null]}\n')


def missing(path: Path) -> None:
    path.unlink()


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def looping(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def zeroed(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) * 2 // 3] ^= 1
    path.write_bytes(bytes(data))


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def values_changed(path: Path) -> None:
    """Valid JSON of the same keys, with other numbers and texts."""

    def other(value: object) -> object:
        match value:
            case bool():
                return not value
            case int() | float():
                return value + 1
            case str():
                return value + "x"
            case list():
                return [other(part) for part in value]
            case dict():
                return {key: other(part) for key, part in value.items()}
        return value

    if not _is_changed(path, other):
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def types_changed(path: Path) -> None:
    """Valid JSON of the same keys, every value of another type."""

    def other(value: object) -> object:
        if isinstance(value, dict):
            return {
                key: other(part) if isinstance(part, dict) else [part]
                for key, part in value.items()
            }
        return [value]

    if not _is_changed(path, other):
        garbage(path)


def _is_changed(path: Path, other: Callable[[object], object]) -> bool:
    """Each document of a JSON file is exchanged, unless an earlier damage left no JSON there."""
    if path.suffix not in (".json", ".jsonl"):
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        parts = [text] if path.suffix == ".json" else text.splitlines()
        documents = [json.loads(part) for part in parts]
    except (ValueError, RecursionError):
        return False
    path.write_text("".join(json.dumps(other(one)) + "\n" for one in documents))
    return True


def row_missing(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))


def row_doubled(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, *lines[:1]]))


def rows_turned(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(reversed(lines)))


WHOLE: tuple[Damage, ...] = (
    truncated, emptied, garbage, utf16, null, a_list, a_mapping, missing, folder_instead,
    pipe_instead, dangling, looping, zeroed, one_bit, deep, values_changed, types_changed,
)  # fmt: skip
LINES: tuple[Damage, ...] = (row_missing, row_doubled, rows_turned)


def damages_of(path: Path) -> tuple[Damage, ...]:
    """The damages that make sense for a file."""
    return (*WHOLE, *(LINES if path.suffix in (".jsonl", ".csv") else ()))


def copied(folder: Path, to: Path) -> Path:
    """A fresh copy of a study's folder to be damaged."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    return to
