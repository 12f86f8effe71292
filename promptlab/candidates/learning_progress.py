"""Progress of a learner outside of a study: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from promptlab.events import Event, Step, Warned
from promptlab.security.terminal import open_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

EVERY = 10.0
"""Seconds between two lines where no terminal redraws one."""


class LearningProgress:
    """Listens to a learner and shows on standard error how far it is and how well it does.

    Args:
        name: What learns.
        most: The most steps there can be; ``None`` where that is not known.
        console: Where to write; standard error without it.
    """

    def __init__(self, name: str, most: int | None, console: Console | None = None) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = console or open_console(stderr=True)
        self._name, self._most = name, most
        self._values: dict[str, float] = {}
        self._said = time.monotonic()
        self._bar: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=most, told="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"{self._name}: {text}", soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        if isinstance(event, Warned):
            self.say(event.message)
        if not isinstance(event, Step):
            return
        self._values |= event.values
        known = [name for name in ("loss", "dev") if name in self._values]
        told = ", ".join(f"{name} {self._values[name]:.3f}" for name in known)
        self._bar.update(self._task, completed=event.step, told=told)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= EVERY:
            self._said = now
            self.say(f"step {event.step}{f' of {self._most}' if self._most else ''}, {told}")
