"""Studies that wait their turn, on disk: they outlive the server, and one server runs them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import promptlab as pl

_QUEUED = re.compile(r"(\d+)-(.+)\.yaml")


class QueueFolder:
    """``<number>-<name>.yaml`` is a study that waits, ``<name>.failed`` one that could not run.

    The smallest number comes first. Every file appears whole or not at all. Whoever runs what
    waits holds the folder; everybody may read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the folder."""
        return self._lock.is_locked

    def hold(self) -> bool:
        """Hold the folder from now on, unless another server does; whether it is held here."""
        if not self.held:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                return False
        return True

    def release(self) -> None:
        """Let another server run what waits."""
        self._lock.release()

    def waiting(self) -> list[tuple[int, str, Path]]:
        """Number, study's name and file of all that wait, the first one first."""
        found = []
        for file in self.path.glob("*.yaml"):
            if match := _QUEUED.fullmatch(file.name):
                found.append((int(match[1]), match[2], file))
        return sorted(found)

    def add(self, name: str, text: str) -> tuple[int, Path]:
        """Put a study at the end; its number and its file."""
        number = max((number for number, _, _ in self.waiting()), default=0) + 1
        return number, self._write(f"{number:04d}-{name}.yaml", text)

    def fail(self, name: str, text: str, message: str) -> None:
        """Keep why a study could not run, and the study."""
        self._write(f"{name}.failed", json.dumps({"message": message, "study": text}))

    def failures(self) -> dict[str, dict[str, Any]]:
        """``message`` and ``study`` (its YAML text) by the name of every study that failed."""
        found = {}
        for file in sorted(self.path.glob("*.failed")):
            row = json.loads(file.read_text(encoding="utf-8"))
            found[file.name.removesuffix(".failed")] = row
        return found

    def forget(self, name: str) -> None:
        """Remove a failure."""
        (self.path / f"{name}.failed").unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        partial, path = self.path / f".{name}.partial", self.path / name
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        return path


def study_folder(runs: Path, name: str) -> Path:
    """The folder of a study by its name. Raises `InputError` for a name that is none."""
    folder = runs / name
    inside = folder.parent == runs and not name.startswith(".") and name == folder.name
    if not inside or not (folder / "study.yaml").is_file():
        raise pl.InputError(f"{runs} holds no study named {name!r}")
    return folder
