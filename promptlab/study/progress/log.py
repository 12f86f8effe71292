"""What a study's log says of how far it is, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_ENOUGH = 0.2
"""Trials of a run after which its pace tells something."""
PAUSED, RESUMED = "paused", "going on"
"""Phases that a pause begins and ends with."""


class StudyLog:
    """Takes in a log's lines; says what runs, for how long, and what stopped it."""

    def __init__(self) -> None:
        self.started: dict[str, Any] | None = None
        self.seen = False
        self.running: dict[int, dict[str, Any]] = {}
        self.finished: dict[int, dict[str, Any]] = {}
        self.cost: dict[str, Any] | None = None
        self.stopped: dict[str, Any] | None = None
        self.phase = ""
        self._done_here = 0
        self._earlier = 0.0
        self._begun: float | None = None
        self._last = 0.0
        self._paused_at: float | None = None
        self._paused = 0.0

    def add_events(self, row: Mapping[str, Any]) -> None:
        """Take in a line; one of a later version that is not known tells nothing."""
        self.seen = True
        when = datetime.fromisoformat(str(row["time"])).timestamp()
        number = row.get("number")
        match row["event"]:
            case "StudyStarted":
                self._start(dict(row), when)
            case "TrialAsked":
                asked = {key: row[key] for key in ("number", "name", "kind")}
                self.running[row["number"]] = asked | {"done": 0, "examples": None, "value": None}
            case "BlockScored" if number in self.running:
                known = {key: row[key] for key in ("done", "examples", "value")}
                self.running[row["number"]].update(known)
            case "TrialFinished":
                asked = self.running.pop(row["number"], {})
                self.finished[row["number"]] = {"kind": asked.get("kind")} | dict(row)
                self._done_here += 1
            case "Phase":
                self._begin_phase(str(row["name"]), when)
            case "Cost":
                self.cost = {k: v for k, v in row.items() if k not in ("time", "event")}
            case "Stopped":
                self.stopped = dict(row)
                self.running = {}
        self._last = when

    def seconds(self, now: float | None) -> float:
        """Of work in all runs without pauses, up to ``now`` (a time stamp) or the last line."""
        return self._earlier + self._this_run(self._last if now is None else now)

    def seconds_left(self, now: float, planned: int, done: int) -> float | None:
        """Of the search, if the rest goes as what this run has done; ``None``: nobody knows."""
        shares: list[float] = [
            row["done"] / row["examples"] for row in self.running.values() if row["examples"]
        ]
        here = self._done_here + sum(shares)
        if here < _ENOUGH or planned <= done:
            return None
        return self._this_run(now) / here * max(planned - done - sum(shares), 0.0)

    def _this_run(self, until: float) -> float:
        if self._begun is None:
            return 0.0
        until = until if self._paused_at is None else self._paused_at
        return max(0.0, until - self._begun - self._paused)

    def _start(self, row: dict[str, Any], when: float) -> None:
        self._earlier += self._this_run(self._last)
        self._begun, self._paused, self._paused_at, self._done_here = when, 0.0, None, 0
        self.started, self.stopped, self.phase = row, None, "search"
        self.running = {}

    def _begin_phase(self, name: str, when: float) -> None:
        if name == PAUSED:
            self._paused_at = self._paused_at or when
        elif name == RESUMED:
            if self._paused_at is not None:
                self._paused += when - self._paused_at
            self._paused_at = None
        else:
            self.phase = name
