"""Runs of the command line that die at a given moment: by the clock, or before a file is touched.

A run is a fork of a process that has imported everything, so that a kill takes no seconds of
imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers import subprocesses

_TOUCHING = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"})


@dataclass(frozen=True)
class Moment:
    """When a run is ended: ``seconds`` after its start, or before the file operation ``touch``.

    The signal is sent from outside by the clock, from inside before a file is touched.
    """

    seconds: float | None = None
    touch: int | None = None
    number: int = signal.SIGKILL

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return f"{name} at touch {self.touch}" if self.touch else f"{name} at {self.seconds:.2f} s"


@dataclass(frozen=True)
class Ended:
    """How a run ended; ``appeared``: seconds until its folder was there, ``touches`` of files."""

    code: int | None
    killed: bool
    seconds: float
    appeared: float
    touches: int
    said: str


def run(
    arguments: list[str],
    folder: Path,
    moment: Moment | None = None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """``promptlab`` with these arguments, ended at a moment if it is not over before."""
    around = folder.parents[1]  # where its cache and storage are, too
    counted = around / f"{folder.parent.name}.touches"
    counted.unlink(missing_ok=True)
    with _environment(
        (environment or {})
        | {
            "SOAK_FOLDER": str(around),
            "SOAK_COUNTED": str(counted),
            "SOAK_TOUCH": str(moment.touch if moment and moment.touch else 0),
            "SOAK_SIGNAL": str(int(moment.number) if moment else 0),
        }
    ):
        started, begun = _start(arguments), time.monotonic()
    appeared, killed = 0.0, False
    while started.runs:
        passed = time.monotonic() - begun
        if not appeared and folder.exists():
            appeared = passed
        if passed > 300:
            started.kill()
            return Ended(None, False, passed, appeared, 0, "it did not end in 300 s")
        if not killed and moment is not None and moment.seconds and passed >= moment.seconds:
            killed = True
            if moment.number == signal.SIGKILL:
                started.kill()
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(started.process.pid, moment.number)
        time.sleep(0.005)
    code = started.code()
    seconds = time.monotonic() - begun
    if moment is not None and moment.touch:
        killed = code not in (0, None)
    touches = int(counted.read_text()) if counted.exists() else 0
    said = started.said
    started.err.unlink(missing_ok=True)
    return Ended(code, killed and code != 0, seconds, appeared, touches, said)


def _start(arguments: list[str]) -> subprocesses.Started:
    return subprocesses.start(*arguments, target=_command)


def _command(arguments: list[str], streams: tuple[str, str], environment: dict[str, str]) -> None:
    """As `forked` runs it, the moments of an end and waits for nothing put in."""
    os.environ.clear()
    os.environ.update(environment)
    _count_touches()
    from promptlab.models.remote.retry import RetryBackoff

    RetryBackoff.seconds = lambda self, tried, asked=None: 0.0  # type: ignore[method-assign]
    subprocesses.run_command(arguments, streams, environment)


def _count_touches() -> None:
    """Count what is done to files of the study, and to its storage; die when it is the turn."""
    at, number = int(os.environ["SOAK_TOUCH"]), int(os.environ["SOAK_SIGNAL"])
    folder, counted = os.environ["SOAK_FOLDER"], os.environ["SOAK_COUNTED"]
    touches = 0

    def touched() -> None:
        nonlocal touches
        touches += 1
        if touches == at:
            os.kill(os.getpid(), number)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _TOUCHING and str(arguments[0]).startswith(folder):
            touched()

    sys.addaudithook(hook)
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "commit", lambda _: touched())
    import atexit

    atexit.register(lambda: Path(counted).write_text(str(touches)))


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that a fork is given."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
