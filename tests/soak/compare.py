"""Two folders of the same study beside each other: all that the study is read by."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TIMES = frozenset({"seconds", "cost", "elapsed"})
"""Keys whose values differ from run to run, and what is counted otherwise (`told_requests`)."""
_PATHS = frozenset({"folder", "place"})
_ROUNDING = 1e-4
"""What other batches may change in fp32."""
_SPENT = re.compile(r"^Cost of the endpoint|took .* seconds")


def differences(undisturbed: Path, other: Path) -> list[str]:
    """Where the results of two folders differ, in short lines; none if they are the same."""
    found = list(_json_differences(undisturbed, other, "leaderboard.json"))
    for name in ("failures.jsonl", "unanswered.jsonl", "repeats.json"):
        found += _json_differences(undisturbed, other, name)
    tables = [_names(folder / "predictions", "*.jsonl") for folder in (undisturbed, other)]
    found += [f"predictions: {name} is missing" for name in sorted(tables[0] - tables[1])]
    found += [f"predictions: {name} is one too many" for name in sorted(tables[1] - tables[0])]
    for name in sorted(tables[0] & tables[1]):
        found += _json_differences(undisturbed, other, f"predictions/{name}")
    for saved in ("best", "cheaper"):
        files = [_names(folder / saved, "**/*") for folder in (undisturbed, other)]
        if files[0] != files[1]:
            found.append(f"{saved}: other files ({sorted(files[0] ^ files[1])})")
            continue
        for name in sorted(files[0]):
            found += _file_differences(undisturbed, other, f"{saved}/{name}")
    left = [path.name for path in other.rglob("*.partial")]
    return found + [f"left behind: {name}" for name in left]


def _names(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.glob(pattern) if path.is_file()}


def _file_differences(one: Path, two: Path, name: str) -> Iterator[str]:
    if name.endswith((".json", ".jsonl")):
        yield from _json_differences(one, two, name)
    elif (one / name).read_bytes() != (two / name).read_bytes():
        yield f"{name}: other bytes"


def _json_differences(one: Path, two: Path, name: str) -> Iterator[str]:
    there = [(folder / name).exists() for folder in (one, two)]
    if there[0] != there[1]:
        yield f"{name}: {'is missing' if there[0] else 'is one too many'}"
    elif there[0]:
        yield from _values(_read(one / name), _read(two / name), name)


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def _values(one: Any, two: Any, place: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted({*one, *two} - _TIMES - _PATHS, key=str):
            yield from _values(one.get(key), two.get(key), f"{place}.{key}")
    elif isinstance(one, list) and isinstance(two, list):
        one, two = ([v for v in values if not _is_spent(v)] for values in (one, two))
        if len(one) != len(two):
            yield f"{place}: {len(one)} entries, then {len(two)}"
            return
        for number, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from _values(a, b, f"{place}.{number}")
    elif isinstance(one, float) and isinstance(two, float):
        if not math.isclose(one, two, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            yield f"{place}: {one!r}, then {two!r}"
    elif one != two:
        yield f"{place}: {str(one)[:60]!r}, then {str(two)[:60]!r}"


def _is_spent(value: Any) -> bool:
    return isinstance(value, str) and _SPENT.search(value) is not None
