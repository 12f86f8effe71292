"""The processes in which texts of strangers are worked on.

One process (`main`) has everything imported and forks a worker whenever it is asked to, which takes
some milliseconds. A worker answers one question after the other. It limits its own memory, and
before each question its own time: when that is over, the system ends it, whatever it is doing.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from promptlab.errors import InputError
from promptlab.prompts.jinja.isolation.messages import error_to_json, receive, send
from promptlab.prompts.jinja.isolation.operations import operation
from promptlab.prompts.jinja.limits import time_limit

POLITE = b"p"
"""Asks for a worker that gives way to other processes."""
_MEMORY = 512 * 2**20
"""Bytes that a worker may take beside what it has at its start."""
_WORN = 128 * 1024
"""Kilobytes that a worker may have grown by before another one takes its place."""
_POLITENESS = 5
_USUAL = "{{ a }}{% for b in [1] %}{{ b|upper }}{% endfor %}{{ mask }}"


def main(control: socket.socket) -> None:
    """Fork workers as they are asked for, until the other side ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the process that asks
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers that have ended leave nothing behind
    operation("render")(_USUAL, {"a": ""}, [])  # what is imported now, no worker has to import
    gc.freeze()
    while True:
        asked, handles, *_ = socket.recv_fds(control, 1, 1)
        if not asked:
            return
        if os.fork() == 0:
            control.close()
            try:
                _limit(polite=asked == POLITE)
                _work(socket.socket(fileno=handles[0]))
            finally:
                os._exit(0)
        os.close(handles[0])


def _limit(*, polite: bool) -> None:
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    size = _MEMORY + _address_space()
    for what, most in (
        (resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        with suppress(OSError, ValueError):  # a system that knows it not, or has less already
            resource.setrlimit(what, (most, most))
    if polite:
        os.nice(_POLITENESS)


def _address_space() -> int:
    """Bytes that this process has mapped; where it cannot be said, what that usually is."""
    with suppress(OSError, ValueError):
        pages = Path("/proc/self/statm").read_text("ascii").split()[0]
        return int(pages) * resource.getpagesize()
    return _MEMORY


def _work(connection: socket.socket) -> None:
    """Answer until the other side ends, or this process has grown too much."""
    send(connection, {"pid": os.getpid()})
    most = _grown() + _WORN
    while (asked := receive(connection)) is not None:
        signal.setitimer(signal.ITIMER_PROF, asked["most"])
        signal.setitimer(signal.ITIMER_REAL, asked["wall"])
        answer = _answer(asked)
        signal.setitimer(signal.ITIMER_PROF, 0)
        worn = _grown() > most
        send(connection, answer | {"last": worn})
        signal.setitimer(signal.ITIMER_REAL, 0)
        if worn:
            return


def _grown() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """A ``value``, an ``error``, or that the work is ``late``.

    An error is told in any case when the question is ``final``, and may be one of lateness.
    """
    limit, begun = asked["seconds"], time.thread_time()
    try:
        with time_limit(limit):
            return {"value": operation(asked["do"])(*asked["with"])}
    except InputError as error:
        if not asked["final"] and time.thread_time() - begun >= limit:
            return {"late": True}
        return error_to_json(error)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
