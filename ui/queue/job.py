"""A study at work in the workbench, or waiting for it, and what is told of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.events import Event, Events, StudyStarted
from promptlab.study import dump_yaml

Spec = Any
"""A `StudySpec` or a `CurveSpec`."""


@dataclass
class StudyJob:
    """A study that waits or runs; ``file`` keeps it until its own folder does."""

    name: str
    spec: Spec
    file: Path
    cancellation: pl.Cancellation = field(default_factory=pl.Cancellation)
    begun: bool = False
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.events.subscribe(self)

    def __call__(self, event: Event) -> None:
        """The study's folder holds it from here on."""
        if isinstance(event, StudyStarted):
            self.begun = True
            self.file.unlink(missing_ok=True)

    @property
    def state(self) -> str:
        """What a running job does: *running*, *pausing*, *paused* or *stopping*."""
        if self.cancellation.requested:
            return "stopping"
        if self.cancellation.paused:
            return "paused" if self.cancellation.waiting else "pausing"
        return "running"


def spec_yaml(spec: Spec) -> str:
    """A study as the text of its file."""
    return dump_yaml(spec.document())


def state_record(state: str, *, position: int | None = None, message: str = "") -> dict[str, Any]:
    """What an endpoint answers with: a state, a place in the queue, why it failed."""
    return {"state": state, "position": position, "message": message}


def saved_state(progress: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a study that this server neither runs nor queues."""
    state = {"running": "running elsewhere"}.get(progress["state"], progress["state"])
    return state_record(state, message=progress["message"])


def sort_age(folder: Path | None) -> float:
    """Newest first: the negative time at which a study was decided, told something or begun.

    The folder's own time would not do: whoever reads its storage changes it.
    """
    for name in ("leaderboard.json", "log.jsonl", "study.yaml"):
        file = folder / name if folder is not None else None
        if file is not None and file.exists():
            return -file.stat().st_mtime
    return 0.0
