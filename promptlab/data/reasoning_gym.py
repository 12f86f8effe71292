"""Reasoning puzzles that are computed when they are asked for: the package reasoning-gym.

``reasoning-gym:chain_sum`` names a task of that package, ``reasoning-gym:chain_sum+gcd`` several
in turn, ``reasoning-gym:chain_sum?max_terms=3&max_digits=1`` options of theirs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.numeral import format_number, parse_number
from promptlab.data.splits import Size
from promptlab.data.task import SPLITS, Task
from promptlab.errors import AssetError, DataError
from promptlab.files.settings import check_seed

PREFIX = "reasoning-gym"
SIZES = {"train": 64, "dev": 100, "test": 200}
"""Examples a split, unless others are asked for."""
_TRIED = 20
"""So many puzzles are computed at most for one that is new: easy tasks have few."""


def is_reasoning(name: str) -> bool:
    """Whether a data set's name is one of this module's."""
    return name.partition(":")[0] == PREFIX


def reasoning_task(
    name: str, sizes: Mapping[str, Size], *, seed: int = 13, metric: str | None = None
) -> Task:
    """The task of a name; puzzles depend on it and ``seed`` alone, and no two are alike.

    Answers are open: numbers (metric numeric_match) or texts (exact_match). Raises `AssetError`
    without the package, `DataError` for an unknown name or option or too few different puzzles.
    """
    check_seed(seed)
    wanted = {split: _rows(split, sizes.get(split)) for split in SPLITS}
    found = iter(_different(name, seed))
    splits: dict[str, Any] = {split: tuple(islice(found, count)) for split, count in wanted.items()}
    examples = [example for split in splits.values() for example in split]
    if len(examples) < sum(wanted.values()):
        raise DataError(
            f"{name}: {sum(wanted.values())} puzzles are asked for and only {len(examples)} "
            "different ones came up; ask for fewer (train, dev, test), or harder ones "
            f"({PREFIX}:NAME?max_terms=6)"
        )
    numbers = all(_is_number(str(example.label)) for example in examples)
    return Task(
        name,
        **splits,
        metric=metric or ("numeric_match" if numbers else "exact_match"),
        fields=("question",),
    )


def _is_number(label: str) -> bool:
    """Whether a label is a number as a whole, written as parsers write what they read."""
    value = parse_number(label)
    return value is not None and format_number(value) == label


def _different(name: str, seed: int) -> Iterator[Example]:
    """Examples without end, unless puzzles repeat; the tasks of the name take turns."""
    seen: set[str] = set()
    misses, number = 0, 0
    for question, answer in _puzzles(name, seed):
        example = Example(f"{number + 1:05d}", {"question": question}, answer)
        if text_key(example) in seen:
            misses += 1
            if misses > _TRIED:
                return
            continue
        seen.add(text_key(example))
        misses, number = 0, number + 1
        yield example


def _puzzles(name: str, seed: int) -> Iterator[tuple[str, str]]:
    tasks, options = _read(name)
    gym = _package()
    known = sorted(gym.factory.DATASETS)
    for task in tasks:
        if task not in known:
            close = difflib.get_close_matches(task, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise DataError(
                f"{name}: reasoning-gym has no task {task!r}; {hint}it has {', '.join(known)}"
            )
    chunk = 256
    for start in range(0, 1 << 30, chunk):
        try:
            sets = [
                gym.create_dataset(task, size=chunk, seed=seed + start, **options) for task in tasks
            ]
        except (TypeError, AssertionError) as error:
            raise DataError(f"{name}: the task does not take these options: {error}") from error
        for rows in zip(*sets, strict=True):
            yield from ((str(row["question"]).strip(), str(row["answer"]).strip()) for row in rows)


def _read(name: str) -> tuple[list[str], dict[str, float]]:
    """The tasks and the options of a name."""
    words, _, given = name.partition(":")[2].partition("?")
    tasks = [task.strip() for task in words.split("+") if task.strip()]
    if not tasks:
        raise DataError(
            f"{name}: names no task; write {PREFIX}:chain_sum, or {PREFIX}:chain_sum+gcd"
        )
    options: dict[str, float] = {}
    for pair in filter(None, given.split("&")):
        key, _, value = pair.partition("=")
        try:
            options[key] = float(value) if "." in value else int(value)
        except ValueError as error:
            raise DataError(f"{name}: options are numbers, key=number (found {pair!r})") from error
    return tasks, options


def _rows(split: str, size: Size) -> int:
    if size is None:
        return SIZES[split]
    if isinstance(size, float) or size < 0:
        raise DataError(f"{split}: give a number of puzzles, not {size}: they are computed")
    return size


def _package() -> Any:
    try:
        import reasoning_gym
    except ImportError as error:
        raise AssetError(
            f"the puzzles are computed by the package reasoning-gym ({error}); install it: "
            "pip install 'promptlab-workbench[reasoning]'"
        ) from error
    return reasoning_gym
