"""What learners did, step by step: written as it happens, to be watched and plotted later."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptlab.events import Event, Step
from promptlab.files.cache import disk_errors
from promptlab.security.untrusted_text import json_text
from promptlab.study.folder.documents import is_number
from promptlab.study.folder.event_log import end_line

_KEPT = 64
"""Files of steps that are remembered as they were read last."""


class StepLog:
    """A listener that appends every `Step` to ``<folder>/<trial>.jsonl``, a line each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mended: set[int] = set()

    def file(self, number: int) -> Path:
        """The steps of one trial."""
        return self.folder / f"{number}.jsonl"

    def __call__(self, event: Event) -> None:
        """Write a step; other events are none of its business. Raises `DiskError`."""
        if not isinstance(event, Step):
            return
        values = {name: _finite(value) for name, value in event.values.items()}
        line = json_text({"step": event.step, "values": values, "notes": event.notes})
        path = self.file(event.number)
        with disk_errors(self.folder, f"Writing {path}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as stream:
                if event.number not in self._mended:
                    self._mended.add(event.number)
                    end_line(stream)
                stream.write(line.encode() + b"\n")

    def take_over(self, lost: int, number: int) -> None:
        """The trial ``number`` goes on where ``lost``, killed in its midst, stopped."""
        if self.file(lost).exists() and not self.file(number).exists():
            self.file(lost).replace(self.file(number))


def step_files(folder: Path) -> dict[int, Path]:
    """The files of the trials of a study's folder that have taken steps, by their numbers."""
    files = (folder / "steps").glob("*.jsonl")
    named = (path for path in files if path.stem.isdecimal() and path.is_file())
    return dict(sorted((int(path.stem), path) for path in named))


def read_steps(path: Path) -> list[dict[str, Any]]:
    """Steps of a trial's file in order as ``{step, values, notes}``.

    Of a step taken again the last line counts. A line that a killed process left unfinished is
    passed over. Without a file there are none.
    """
    found: dict[int, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_step(row):
            found[row["step"]] = row
    return [found[step] for step in sorted(found)]


def _is_step(row: Any) -> bool:
    """Whether a line is one that `StepLog` writes; another is damaged, and tells nothing."""
    return (
        isinstance(row, dict)
        and isinstance(row.get("step"), int)
        and isinstance(row.get("values"), dict)
        and isinstance(row.get("notes"), dict)
        and all(value is None or is_number(value) for value in row["values"].values())
    )


def cached_steps(path: Path) -> list[dict[str, Any]]:
    """`read_steps` of a file, which is read again only when it was written since."""
    stat = path.stat()
    return list(_known(path.absolute(), stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=_KEPT)
def _known(path: Path, changed: int, size: int) -> tuple[dict[str, Any], ...]:
    return tuple(read_steps(path))


def _finite(value: float) -> float | None:
    """JSON knows no NaN: a diverged loss is null."""
    return float(value) if math.isfinite(value) else None
