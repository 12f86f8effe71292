"""A study run undisturbed, then again and again with kills, and what differs in the end."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .compare import differences
from .faulty import Faulty
from .forks import Ended, Moment, run
from .studies import Soaked


@dataclass
class Cycle:
    """What came of a study that was killed and continued to its end."""

    study: str
    seed: int
    kills: int = 0
    moments: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    answered: int = 0
    told: int = 0
    unheard: int = 0
    failed: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether all is as without the kills."""
        return not self.differences and not self.failed

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


class Soaking:
    """One study: its undisturbed run once, then cycles of kills by ``seed``."""

    def __init__(self, name: str, soaked: Soaked, folder: Path, faulty: Faulty) -> None:
        self.name = name
        self._soaked = soaked
        self._folder = folder
        self._faulty = faulty
        self._file = folder / f"{name}.yaml"
        self._file.write_text(yaml.safe_dump(dict(soaked.document), sort_keys=False))
        self._whole: Ended | None = None

    @property
    def undisturbed(self) -> Ended:
        """How the run without kills ended; it is made when it is first wanted."""
        if self._whole is None:
            self._clean("whole")
            self._whole = self._run(self._out("whole"), "whole")
            if self._whole.code != 0:
                raise RuntimeError(f"{self.name} fails undisturbed: {self._whole.said[-2000:]}")
        return self._whole

    def cycle(self, seed: int, *, most: int = 4, moment: Moment | None = None) -> Cycle:
        """Kill it up to ``most`` times (by ``moment``, the first time), end it and compare it."""
        whole, draws = self.undisturbed, random.Random(f"{self.name} {seed}")
        self._clean("killed")
        out, found = self._out("killed"), Cycle(self.name, seed)
        with _disk(out, self._soaked.fills) as disk:
            for _ in range(draws.randint(1, most)):
                if self._soaked.fills:
                    disk.leave(draws.randint(20, 1500))
                    ended = self._run(out, "killed")
                    killed, told = ended.code != 0, "a full disk"
                else:
                    drawn = moment or _drawn(draws, whole, self._soaked)
                    moment = None
                    ended = self._run(out, "killed", drawn)
                    killed, told = ended.killed, str(drawn)
                if killed:
                    found.kills += 1
                    found.moments.append(told)
                if ended.code == 0:
                    break
                if _is_raw(ended.said):
                    found.failed = f"a traceback after {told}: {ended.said[-400:]}"
                if self._soaked.moves:
                    out = self._moved(out)
            disk.leave(100_000)
            self._end(out, found)
            if not found.failed:
                folders = [self._out("whole") / self.name, out / self.name]
                found.differences = differences(folders[0], folders[1])
                self._count_requests(folders[1], found)
        return found

    def _end(self, out: Path, found: Cycle) -> None:
        ended = self._run(out, "killed")
        if ended.code != 0:
            found.failed = f"ended with {ended.code}: {ended.said[-400:]}"

    def _count_requests(self, folder: Path, found: Cycle) -> None:
        if self._soaked.asks:
            board = json.loads((folder / "leaderboard.json").read_text())
            found.told, found.unheard = (board["cost"][key] for key in ("requests", "unheard"))
            found.answered = self._faulty.answered
            if not found.told <= found.answered <= found.told + found.unheard:
                found.differences.append(
                    f"cost: {found.answered} answered, {found.told} told, {found.unheard} under way"
                )

    def _run(self, out: Path, cache: str, moment: Moment | None = None) -> Ended:
        arguments = ["study", "run", str(self._file), "--out", str(out), "--json"]
        if self._soaked.storage is not None:
            where = self._folder / self.name / f"{cache}-storage"
            where.mkdir(parents=True, exist_ok=True)
            arguments += ["--storage", self._soaked.storage.format(folder=where)]
        environment = {
            "PROMPTLAB_CACHE": str(self._folder / self.name / f"{cache}-cache"),
            "OMP_NUM_THREADS": "1",
            "PROMPTLAB_API_KEY": "sk-soak",
        }
        return run(arguments, out / self.name, moment, environment)

    def _out(self, name: str) -> Path:
        return self._folder / self.name / name

    def _clean(self, name: str) -> None:
        self._faulty.forget()
        folder = self._folder / self.name
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(f"{name}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _moved(self, out: Path) -> Path:
        """The folder of the studies at another place, all of a sudden."""
        new = out.with_name(f"killed-{time.monotonic_ns()}")
        if out.exists():
            out.rename(new)
            return new
        return out


def _drawn(draws: random.Random, whole: Ended, soaked: Soaked) -> Moment:
    """A moment of the undisturbed run: by the clock or by what is written."""
    if draws.random() < 0.5 and whole.touches:
        return Moment(touch=draws.randint(1, whole.touches))
    number = draws.choices(
        [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], [8, 1, 1]
    )[0]  # fmt: skip
    seconds = draws.uniform(whole.appeared * 0.9, max(whole.seconds, whole.appeared + 0.1))
    return Moment(seconds=seconds, number=number)


def _is_raw(said: str) -> bool:
    return "Traceback (most recent call last)" in said


class _Disk:
    """A small file system in memory, if it ``fills``; else any folder."""

    def __init__(self, folder: Path, *, fills: bool) -> None:
        self.folder, self.fills = folder, fills

    def leave(self, kilobytes: int) -> None:
        """Have room for so much more."""
        if not self.fills:
            return
        ballast = self.folder / ".ballast"
        ballast.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free
        with ballast.open("wb") as stream:
            stream.write(bytes(max(0, free - 1024 * kilobytes)))


@contextmanager
def _disk(folder: Path, fills: bool) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    if not fills:
        folder.rmdir()
        yield _Disk(folder, fills=False)
        return
    _call("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder))
    try:
        yield _Disk(folder, fills=True)
    finally:
        _call("umount", str(folder))


def can_mount(folder: Path) -> bool:
    """Whether small disks can be made here."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _call("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        return False
    _call("umount", str(folder))
    return True


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
