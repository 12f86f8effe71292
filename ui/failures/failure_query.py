"""A study's failures: which studies have some, which of them are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.evaluation import FailureLog

from ..queue.queue_folder import study_folder

FAILURES = "failures.jsonl"
ALL = ""
STANDS = [
    ("all", ALL),
    ("not corrected", "open"),
    ("corrected", "corrected"),
    ("wrong answer", "wrong"),
    ("reply not readable", "unparsed"),
    ("no reply", "error"),
]
"""What may be asked of a failure besides its words: how it failed, and whether it is mended."""


def studies_with_failures(runs: Path) -> list[str]:
    """Names of the studies with a failure log, the newest first."""
    found = {path.parent.name: path.stat().st_mtime for path in runs.glob(f"*/{FAILURES}")}
    return sorted(found, key=lambda name: (-found[name], name))


def open_failure_log(runs: Path, study: str) -> FailureLog:
    """The log of a study by its name. Raises `InputError` for a stranger."""
    if not study:
        raise pl.InputError(
            "no study here has been decided yet; when one is, its winner's wrong answers are here"
        )
    return pl.Study(study_folder(runs, study)).failures()


def failure_log_stamp(runs: Path, study: str) -> int:
    """When the study's log was written; it is another one when the study was run anew."""
    written: int = open_failure_log(runs, study).path.stat().st_mtime_ns
    return written


def filter_failures(
    failures: Sequence[Any],
    words: str = "",
    confusion: str = ALL,
    stand: str = ALL,
    split: str = ALL,
    ids: Sequence[str] | None = None,
) -> list[Any]:
    """The failures that hold every one of ``words`` and are as asked.

    ``confusion`` is a title, ``ids`` those of a group.
    """
    wanted = (words or "").lower().split()
    inside = None if ids is None else set(ids)
    return [
        one
        for one in failures
        if (inside is None or one.example_id in inside)
        and confusion in (ALL, failure_title(one))
        and split in (ALL, one.split)
        and _stands(one, stand)
        and all(word in _searched(one) for word in wanted)
    ]


def failure_title(failure: Any) -> str:
    """What was expected and what came, in one line."""
    expected, actual = failure.confusion
    return f"{expected} → {actual}"


def confusions(failures: Sequence[Any]) -> list[tuple[str, str]]:
    """Every confusion with how often it is, for a dropdown; the most frequent first."""
    counts = Counter(failure_title(one) for one in failures)
    return [("all", ALL), *((f"{name} ({count})", name) for name, count in counts.most_common())]


def splits(failures: Sequence[Any]) -> list[tuple[str, str]]:
    """Every split with how many failures it has, for a dropdown."""
    counts = Counter(one.split for one in failures)
    named = [(f"{name or 'none'} ({count})", name) for name, count in sorted(counts.items())]
    return [("all", ALL), *(pair for pair in named if pair[1])]


def labels(failures: Sequence[Any], failure: Any) -> list[str]:
    """The answers that a correction may choose from."""
    known = [*(failure.scores or {}), *failure.answers]
    if not known:
        known = [name for one in failures for name in (one.expected, one.wanted_answer) if name]
    return list(dict.fromkeys(known))[:100]


def _stands(failure: Any, stand: str) -> bool:
    if stand in ("open", "corrected"):
        return (failure.correction is not None) == (stand == "corrected")
    return stand in (ALL, failure.kind)


def _searched(failure: Any) -> str:
    note = failure.correction.note if failure.correction else ""
    texts = [failure.example_id, failure.prompt, *failure.fields.values(), failure.reply or "",
             failure.actual or "", failure.wanted_answer or "",
             failure.error or "", note]  # fmt: skip
    return "\n".join(texts).lower()
