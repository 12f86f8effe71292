"""Runs hostile attempts in a child process and finds hangs, memory, raw exceptions, code run.

An attempt may return, or raise a `PromptlabError`. It fails when it

- *hangs*: takes longer than ``patience`` seconds (the child is killed),
- eats *memory*: the child grows by more than 1 GB,
- raises anything else (*raw*), or an `AssertionError` (*wrong*: it read something that is not so),
- runs *code*: an audit hook sees a process started, a pickle opened, or a canary imported.
"""

from __future__ import annotations

import importlib
import os
import platform
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.helpers.subprocesses import server

PATIENCE = 5.0
"""Seconds that an attempt may take."""
MOST_MEMORY = 10**9
"""Bytes by which the process may grow in an attempt."""
_DEADLY_MEMORY = 4 * MOST_MEMORY
_FORBIDDEN_EVENTS = frozenset(
    [
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
        "subprocess.Popen",
        "pickle.find_class",
        "webbrowser.open",
    ]
)
_CANARIES = frozenset(["this", "antigravity", "promptlab_canary", "smtpd", "turtle", "idlelib"])
"""Modules that nothing of promptlab imports: hostile files name them."""

Attempt = tuple[str, Callable[[], object]]
Attempts = Callable[[random.Random, Path], Iterator[Attempt]]


@dataclass(frozen=True)
class Finding:
    """What an attempt did that it must not do."""

    kind: str
    number: int
    label: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} #{self.number} {self.label[:200]!r}: {self.detail}"


@dataclass
class Report:
    """How many attempts a surface stood, and what was found; ``refused`` ones raised as wanted."""

    surface: str
    attempts: int = 0
    refused: int = 0
    slowest: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = dict.fromkeys(("hang", "memory", "raw", "wrong", "code"), 0)
        for finding in self.findings:
            kinds[finding.kind] += 1
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        return (
            f"{self.surface}: {self.attempts} attempts, {self.refused} refused, {told}; "
            f"the slowest took {self.slowest:.2f} s"
        )


def attack(
    surface: str,
    *,
    attempts: int,
    seed: int = 0,
    seconds: float = float("inf"),
    patience: float = PATIENCE,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Run a surface's attempts until there were so many, or the time is over."""
    report = Report(surface)
    deadline: float | None = None
    with tempfile.TemporaryDirectory(prefix="promptlab-fuzz-") as folder:
        while report.attempts < attempts and (deadline is None or time.monotonic() < deadline):
            child = _Child(surface, seed, report.attempts, attempts, Path(folder))
            try:
                child.wait_until_ready()
                deadline = deadline or time.monotonic() + seconds
                for finding in child.findings(report, deadline, patience):
                    report.findings.append(finding)
                    on_finding(finding)
            finally:
                child.kill()
            if child.is_at_end:
                break
    return report


class _Child:
    """A process that makes a surface's attempts, from the number ``begin`` on."""

    def __init__(self, surface: str, seed: int, begin: int, end: int, folder: Path) -> None:
        self.is_at_end = False
        context = server()
        self._here, there = context.Pipe()
        self._process = context.Process(
            target=_work, args=(there, surface, seed, begin, end, str(folder), list(sys.path))
        )
        self._process.start()
        there.close()

    def wait_until_ready(self, seconds: float = 300.0) -> None:
        """The surface's material is made."""
        if not self._here.poll(seconds):
            raise AssertionError("the surface was not ready in time")
        word, told = self._received()
        assert word == "ready", told

    def findings(self, report: Report, deadline: float, patience: float) -> Iterator[Finding]:
        """What comes of its attempts; it is to be replaced after a hang or a death."""
        while time.monotonic() < deadline:
            word, told = self._received()
            if word == "end":
                self.is_at_end = True
                return
            number, label = told
            report.attempts = number + 1
            outcome = self._outcome(patience)
            report.slowest = max(report.slowest, outcome[2])
            report.refused += outcome[0] == "refused"
            if outcome[0] not in ("done", "refused"):
                yield Finding(outcome[0], number, label, outcome[1])
                if outcome[0] in ("hang", "memory"):
                    return

    def _outcome(self, patience: float) -> tuple[str, str, float]:
        begun = time.monotonic()
        while not self._here.poll(0.05):
            seconds = time.monotonic() - begun
            if (size := _resident(self._process.pid)) > _DEADLY_MEMORY:
                return "memory", f"{size / 1e9:.1f} GB", seconds
            if seconds > patience:
                return "hang", f"not over after {patience:g} s", seconds
        word, told = self._received()
        if word == "died":
            return "raw", f"the process died: {told}", time.monotonic() - begun
        kind, detail = told
        return kind, detail, time.monotonic() - begun

    def _received(self) -> tuple[str, Any]:
        try:
            found: tuple[str, Any] = self._here.recv()
        except EOFError:
            self._process.join(5)
            return "died", f"exit status {self._process.exitcode}"
        return found

    def kill(self) -> None:
        """End it, and all that it started in its group."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._here.close()


def _resident(pid: int | None) -> int:
    """Bytes that a process has in memory; 0 where that cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class _Audit:
    """Notes what must not happen while an attempt runs."""

    def __init__(self) -> None:
        self.is_armed = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_armed:
            return
        if event in _FORBIDDEN_EVENTS or (
            event == "import" and str(arguments[0]).partition(".")[0] in _CANARIES
        ):
            self.seen.append(f"{event} {arguments!r}"[:300])


def load_surface(name: str) -> Attempts:
    """The attempts of a surface by its name."""
    found: Attempts = importlib.import_module(f"tests.fuzz.{name}").attempts
    return found


def surfaces() -> list[str]:
    """The names of all surfaces."""
    folder = Path(__file__).parent
    files = (path.stem for path in folder.glob("*.py"))
    return sorted(
        name
        for name in files
        if name not in ("__init__", "harness", "run") and not name.startswith(("test_", "_"))
    )


def _work(
    there: Connection, surface: str, seed: int, begin: int, end: int, folder: str, path: list[str]
) -> None:
    """In the child: make the attempts, telling each before and after."""
    sys.path[:] = path
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    warnings.simplefilter("ignore")
    platform.processor()  # starts a process, once
    audit = _Audit()
    sys.addaudithook(audit)
    try:
        made = load_surface(surface)(random.Random(seed), Path(folder))
        waiting = next(made, None)
    except BaseException:
        there.send(("failed", traceback.format_exc()))
        raise
    there.send(("ready", ""))
    number = 0
    while waiting is not None and number < end:
        label, attempt = waiting
        if number >= begin:
            there.send(("begin", (number, label)))
            there.send(("outcome", make_attempt(attempt, audit)))
        waiting = next(made, None)
        number += 1
    there.send(("end", ""))


def make_attempt(attempt: Callable[[], object], audit: _Audit) -> tuple[str, str]:
    """What came of one attempt: its kind, and a detail."""
    from promptlab.errors import PromptlabError

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kind, detail = "done", ""
    audit.seen.clear()
    audit.is_armed = True
    try:
        attempt()
    except PromptlabError as error:
        kind, detail = "refused", str(error)[:300]
    except AssertionError as error:
        kind, detail = "wrong", f"{error}"[:2000]
    except BaseException:  # an exit or an interrupt is no answer either
        kind, detail = "raw", traceback.format_exc()[-3000:]
    finally:
        audit.is_armed = False
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > MOST_MEMORY:
        kind, detail = "memory", f"grew by {grown / 1e9:.1f} GB"
    if audit.seen:
        kind, detail = "code", "; ".join(audit.seen)[:2000]
    return kind, detail


def replay(surface: str, number: int, seed: int) -> tuple[str, tuple[str, str]]:
    """Make one attempt in this process: its label, and what came of it."""
    audit = _Audit()
    sys.addaudithook(audit)
    with tempfile.TemporaryDirectory(prefix="promptlab-fuzz-") as folder:
        for index, (label, attempt) in enumerate(
            load_surface(surface)(random.Random(seed), Path(folder))
        ):
            if index == number:
                return label, make_attempt(attempt, audit)
    raise SystemExit(f"{surface} has no attempt {number}")
