"""A study's live progress and running leaderboard in the terminal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from promptlab.cli.common_options import Verbosity, verbosity
from promptlab.cli.output import console, printable, table_cell, warn
from promptlab.events import (
    BlockScored,
    Cost,
    EndpointBusy,
    Event,
    Phase,
    Step,
    StudyStarted,
    TrialAsked,
    TrialFinished,
    Warned,
)
from promptlab.models.remote.cost import cost_summary

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from promptlab.cancellation import Cancellation

_SHOWN = 8


@contextmanager
def interruptible() -> Iterator[Cancellation]:
    """The first Ctrl-C asks the work to stop after its block, the second stops at once."""
    from promptlab.cancellation import Cancellation

    cancellation = Cancellation()
    before = signal.getsignal(signal.SIGINT)

    def asked(*_: object) -> None:
        cancellation.request()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, asked)
    try:
        yield cancellation
    finally:
        signal.signal(signal.SIGINT, before)


class StudyProgress:
    """Listens to a study's events and redraws a few lines on standard error.

    In a terminal the lines stay in place; elsewhere every finished trial is a line of its own.
    """

    def __init__(self, *, maximise: bool = True, unit: str = "trials") -> None:
        from rich.live import Live

        self._console = console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._sign = -1  # larger is better, until the study says otherwise
        self._unit = unit
        self._board: list[tuple[float, int, str]] = []
        self._planned = self._finished = 0
        self._phase = ""
        self._running = ""
        self._names: dict[int, str] = {}
        self._learning: dict[int, Step] = {}
        self._share = 0.0
        self._cost = ""
        self._busy = (0.0, "")
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
                self._sign = -1 if event.maximise else 1
                self._phase = "search"
                if event.finished:
                    self._say(
                        f"continuing: {event.finished} of {event.planned} {self._unit} are done"
                    )
            case TrialAsked():
                self._running = self._names[event.number] = event.name
            case Step():
                self._learn(event)
            case BlockScored():
                self._share = event.done / event.examples
            case TrialFinished():
                self._finish(event)
            case Phase():
                self._phase = event.name
                self._say(f"{event.name} …")
            case Cost():
                self._cost = cost_summary(event.record())
            case EndpointBusy():
                self._busy = (time.monotonic() + event.seconds, event.message)
                self._say(event.message)
            case Warned():
                self._warn(event.message)
        if verbosity() == Verbosity.VERBOSE and isinstance(event, BlockScored | Step):
            self._console.print(printable(str(event), lines=False), soft_wrap=True)
        if self._live.is_started:
            self._live.update(self._view())

    def _learn(self, event: Step) -> None:
        """The last of everything that a learner said; a step without a dev score keeps the last."""
        last = self._learning.get(event.number, event)
        values, notes = last.values | event.values, last.notes | event.notes
        self._learning[event.number] = Step(event.number, event.step, values, notes)

    def _finish(self, event: TrialFinished) -> None:
        self._finished += 1
        self._learning.pop(event.number, None)
        self._names.pop(event.number, None)
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
        """One line of its own: names and messages come from users' files."""
        if not self._live.is_started:
            self._console.print(printable(text, lines=False), soft_wrap=True)

    def _warn(self, text: str) -> None:
        """A warning stays in sight, above the lines that are redrawn, and under --quiet."""
        if self._console.quiet:
            warn(printable(text, lines=False))
        else:
            self._console.print(f"warning: {printable(text, lines=False)}", soft_wrap=True)

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
            f"{self._finished}/{self._planned} {self._unit}, {seconds:.0f} s",
        )
        board = _table("best so far", "trial", "candidate")
        for value, number, name in sorted(self._board)[:_SHOWN]:
            board.add_row(f"{self._sign * value:.3f}", str(number), table_cell(name))
        until, busy = self._busy
        said = [f"now: {self._running}", self._cost, busy if time.monotonic() < until else ""]
        lines = [table_cell(line, max(2, self._console.width - 1)) for line in said if line]
        return Group(bar, *lines, *([self._learners()] if self._learning else []), board)

    def _learners(self) -> Table:
        """Who is learning, how far, and how well."""
        from rich.text import Text

        table = _table("learning", "step", "loss", "dev", "candidate")
        for number, step in list(self._learning.items())[-_SHOWN:]:
            found = [step.values.get(name) for name in ("loss", "dev")]
            told = ["" if value is None else f"{value:.3f}" for value in found]
            text = " · ".join(
                filter(None, (self._names.get(number), *map(step.notes.get, ("tokens", "words"))))
            )
            table.add_row(str(number), str(step.step), *told, Text(printable(text, lines=False)))
        return table


def _table(*titles: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="ellipsis", no_wrap=True)
    return table
