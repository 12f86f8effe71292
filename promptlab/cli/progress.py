"""A study's live progress and running leaderboard in the terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from promptlab.cli.output import console
from promptlab.events import (
    BlockScored,
    Event,
    Phase,
    StudyStarted,
    TrialAsked,
    TrialFinished,
    Warned,
)

if TYPE_CHECKING:
    from rich.console import Group

_SHOWN = 8


class StudyProgress:
    """Listens to a study's events and redraws a few lines on standard error.

    In a terminal the lines stay in place; elsewhere every finished trial is a line of its own.
    """

    def __init__(self, *, maximise: bool = True) -> None:
        from rich.live import Live

        self._console = console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._sign = -1 if maximise else 1
        self._board: list[tuple[float, int, str]] = []
        self._planned = self._finished = 0
        self._phase = ""
        self._running = ""
        self._share = 0.0
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take one event in and redraw."""
        match event:
            case StudyStarted():
                self._planned, self._finished = event.planned, event.finished
                self._phase = "search"
                if event.finished:
                    self._say(f"continuing: {event.finished} of {event.planned} trials are done")
            case TrialAsked():
                self._running = event.name
            case BlockScored():
                self._share = event.done / event.examples
            case TrialFinished():
                self._finish(event)
            case Phase():
                self._phase = event.name
                self._say(f"{event.name} …")
            case Warned():
                self._say(f"warning: {event.message}")
        if self._live.is_started:
            self._live.update(self._view())

    def _finish(self, event: TrialFinished) -> None:
        self._finished += 1
        self._share = 0.0
        value = "" if event.value is None else f"{event.value:.3f} "
        if event.state == "complete" and event.value is not None and event.repeated is None:
            self._board.append((self._sign * event.value, event.number, event.name))
        reason = f" ({event.reason})" if event.reason else ""
        if event.repeated is not None:
            reason = f" (the same as trial {event.repeated})"
        if not self._live.is_started:
            self._say(
                f"[{self._finished}/{self._planned}] {value}{event.name}: {event.state}"
                f" in {event.seconds:.1f} s{reason}"
            )

    def _say(self, text: str) -> None:
        if not self._live.is_started:
            self._console.print(text, soft_wrap=True)

    def _view(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        seconds = time.monotonic() - self._started
        total = max(self._planned, 1)
        bar = Table.grid(padding=(0, 1))
        done = self._finished + self._share
        bar.add_row(
            f"{self._phase:8}",
            ProgressBar(total=total, completed=min(done, total), width=40),
            f"{self._finished}/{self._planned} trials, {seconds:.0f} s",
        )
        board = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("best so far", "trial", "candidate"):
            board.add_column(title, overflow="ellipsis", no_wrap=True)
        for value, number, name in sorted(self._board)[:_SHOWN]:
            board.add_row(f"{self._sign * value:.3f}", str(number), name)
        return Group(bar, f"now: {self._running}"[: self._console.width - 1], board)
