"""Asks the workers, so that one who asks for much makes nobody wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from promptlab.cancellation import current_cancellation as cancellation
from promptlab.cancellation import raise_if_cancelled
from promptlab.errors import WorkError
from promptlab.prompts.jinja.isolation.messages import receive, send

_PATIENCE = 0.3
"""Seconds that a question of a page waits for its turn; work that can be cancelled waits longer."""
_PATIENT = 20
"""How many times as long work that can be cancelled waits for an answer on a busy machine."""
_START = 30.0
"""Seconds in which the first worker is there, on a machine that has much to do."""
_LOOK = 0.05


class WorkerEnded(Exception):
    """The worker was ended: it took too much time, or too much memory."""


@dataclass
class WorkerLane:
    """Work of one kind: how long it may take, and how much of it goes on at the same time.

    ``seconds`` of computing are what a rendering looks at, after ``most`` the system ends it;
    after ``wall`` seconds it is ended even if it could not compute.
    """

    places: int
    seconds: float
    most: float
    wall: float
    polite: bool = False
    idle: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turn = threading.Semaphore(self.places)

    def take_idle(self) -> _Worker | None:
        """A worker that waits, if there is one."""
        try:
            return self.idle.pop()
        except IndexError:
            return None


class WorkerPool:
    """Workers of this process.

    Every question goes through a *quick* lane first, in which it may take as long as nearly all
    take, and that a hundred times. What is not done then is begun anew in a *slow* one, which has
    few places. So a text that takes long keeps the places of others no longer than a moment.
    """

    def __init__(self) -> None:
        quick = WorkerLane(3, seconds=0.04, most=0.08, wall=1.0)
        slow = WorkerLane(2, seconds=1.0, most=1.5, wall=3.5, polite=True)
        long = WorkerLane(1, seconds=30.0, most=40.0, wall=120.0, polite=True)
        self._lanes = {"quick": quick, "slow": slow, "long": long}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._working: set[_Worker] = set()

    def start(self) -> None:
        """Start what forks the workers, without waiting for it."""
        with self._lock:
            self._started()

    def ask(self, do: str, *given: Any, long: bool = False) -> dict[str, Any]:
        """The answer: a ``value`` or an ``error``.

        Raises `WorkerEnded`, `WorkError` where too many ask for what takes long, and `Cancelled`.
        """
        question = {"do": do, "with": given}
        if not long:
            with suppress(WorkerEnded):
                answer = self._ask("quick", question | {"final": False})
                if "late" not in answer:
                    return answer
        return self._ask("long" if long else "slow", question | {"final": True})

    def _ask(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        lane = self._lanes[name]
        _take_turn(lane)
        try:
            worker = self._worker(lane)
            try:
                answer = worker.ask(question, lane)
            except BaseException:
                worker.end()
                raise
            finally:
                self._working.discard(worker)
            if answer.get("last"):
                worker.end()
            else:
                lane.idle.append(worker)
            return answer
        finally:
            lane.turn.release()

    def _worker(self, lane: WorkerLane) -> _Worker:
        """One that waits, or a new one."""
        while (found := lane.take_idle()) is not None:
            if found.is_there:
                self._working.add(found)
                return found
            found.end()
        for _ in range(2):  # what forks them may have been ended by somebody else
            with suppress(OSError, ValueError):
                worker = self._forked(lane)
                self._working.add(worker)
                return worker
            self._stop()
        raise WorkError("no process could be started to render templates in")

    def _forked(self, lane: WorkerLane) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            socket.send_fds(self._started(), [b"p" if lane.polite else b"w"], [theirs.fileno()])
        ours.settimeout(_START)
        try:
            told = receive(ours)
            if told is None:
                raise OSError("it has ended")
            return _Worker(ours, int(told["pid"]))
        except BaseException:
            ours.close()
            raise

    def _started(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [
                        sys.executable,
                        "-m",
                        "promptlab.prompts.jinja.isolation.worker",
                        str(theirs.fileno()),
                    ],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=_environment(),
                )
            self._control = ours
        return self._control

    def close(self) -> None:
        """End all processes; the next question begins with new ones."""
        self._stop()
        for lane in self._lanes.values():
            while (worker := lane.take_idle()) is not None:
                worker.end()
        for working in list(self._working):
            working.kill()

    def _stop(self) -> None:
        """End what forks the workers."""
        with self._lock:
            process, self._process = self._process, None
            control, self._control = self._control, None
        if control is not None:
            control.close()
        if process is not None:
            process.kill()
            process.wait()


class _Worker:
    """The other end of a worker's socket."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._pid = pid

    @property
    def is_there(self) -> bool:
        """Whether it has not ended."""
        self._connection.setblocking(False)
        try:
            return self._connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def ask(self, question: dict[str, Any], lane: WorkerLane) -> dict[str, Any]:
        """Its answer.

        Raises `WorkerEnded` when it ends, and `WorkError` when the machine is too busy.
        """
        begun = time.monotonic()
        wall = lane.wall if cancellation() is None else lane.wall * _PATIENT
        limits = {"seconds": lane.seconds, "most": lane.most, "wall": wall}
        self._connection.settimeout(wall + 1)
        try:
            send(self._connection, question | limits)
            answer = receive(self._connection)
        except TimeoutError:
            self.kill()
            answer = None
        except (OSError, ValueError):
            answer = None
        if isinstance(answer, dict):
            return answer
        if lane.polite and time.monotonic() - begun >= wall:
            raise WorkError("the machine is too busy to render templates; try again later")
        raise WorkerEnded

    def kill(self) -> None:
        """End it at once, if it is there: its number may be another's after its end."""
        if self.is_there:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def end(self) -> None:
        """Let go of it: it ends when it reads that nobody asks any longer."""
        self._connection.close()


def _take_turn(lane: WorkerLane) -> None:
    """Wait for a place in a lane. Raises `WorkError` and `Cancelled`."""
    patient = cancellation() is not None or not lane.polite
    until = time.monotonic() + _PATIENCE
    while not lane.turn.acquire(timeout=_LOOK):
        raise_if_cancelled()
        if not patient and time.monotonic() > until:
            raise WorkError(
                "this takes long, and others are asking for what takes long; try again later"
            )


def _environment() -> dict[str, str]:
    """Where the worker finds its modules; keys and the like are no business of it."""
    kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "HOME")
    known = {name: os.environ[name] for name in kept if name in os.environ}
    folders = os.pathsep.join(os.path.abspath(path) for path in sys.path)  # noqa: PTH100 - of ""
    return known | {"PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}
