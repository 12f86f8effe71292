"""Every model class that transformers maps, tiny, beside its own plain forward.

``python -m tests.helpers.family_sweep [--only NAME] [--from NAME] [--json FILE]`` prints a table
and ends with 1 if any family gives other scores than its plain forward, or breaks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from promptlab.models.base import Family
from tests.helpers import family_models
from tests.helpers.family_check import Found, checked

SECONDS = 60.0
"""So long one family may take."""
FAMILIES: tuple[Family, ...] = ("causal", "masked", "seq2seq")
RIGHT = ("equal", "refused", "not built")


@dataclass
class Row:
    """A line of the table."""

    family: str
    architecture: str
    kind: str
    outcome: str
    worst: float | None = None
    seconds: float = 0.0
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


def swept(family: Family, architecture: str, seconds: float = SECONDS) -> Row:
    """One family, in a process of its own that is ended when it takes too long."""
    kind = family_models.classes(family)[architecture]
    started = time.monotonic()
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=_work, args=(there, family, architecture)
    )
    child.start()
    there.close()
    found = Found("crashes", "its process died")
    if here.poll(seconds):
        with contextlib.suppress(EOFError):  # it died: said already
            found = here.recv()
    else:
        found = Found("too slow", f"more than {seconds:.0f} s")
    child.kill()
    child.join()
    taken = round(time.monotonic() - started, 1)
    worst = found.worst if found.parts else None
    return Row(
        family, architecture, kind, found.outcome, worst, taken, found.note.strip(), found.parts,
        found.told,
    )  # fmt: skip


def _work(pipe: Any, family: Family, architecture: str) -> None:
    import torch
    import transformers

    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            kind = family_models.saved(family, architecture, Path(folder))
        except Exception as error:
            pipe.send(Found("not built", _told(error)))
            return
        try:
            found = checked(Path(folder), kind, family)
            found.note = found.note.replace(folder, "FOLDER")
        except Exception as error:
            found = Found("crashes", f"{_told(error)}".replace(folder, "FOLDER"))
        pipe.send(found)


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "promptlab" in f.filename or "/tests/" in f.filename]
    at = [f"{Path(f.filename).name}:{f.lineno}" for f in (*own[-2:], frames[-1])]
    words = (str(error).strip().splitlines() or [""])[0][:160]
    return f"{type(error).__name__}: {words} ({', '.join(dict.fromkeys(at))})"


def wanted(options: argparse.Namespace) -> Iterator[tuple[Family, str]]:
    """What the command line asks for, in transformers' own order."""
    begun = options.begin is None
    for family in FAMILIES:
        for architecture in family_models.classes(family):
            name = f"{family} {architecture}"
            begun = begun or options.begin in (name, architecture)
            named = not options.only or {name, architecture, family} & set(options.only)
            if begun and named:
                yield family, architecture


def main() -> int:
    """Sweep, print a line a family, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names, or families: causal, masked, seq2seq")
    parser.add_argument("--from", dest="begin", help="go on from this name")
    parser.add_argument("--json", type=Path, help="add the rows to this file, a line each")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at most so long a family")
    options = parser.parse_args()
    rows = []
    for family, architecture in wanted(options):
        row = swept(family, architecture, options.seconds)
        rows.append(row)
        worst = "" if row.worst is None else f"{row.worst:.1e}"
        print(
            f"| {family} | {architecture} | {row.kind} | {row.outcome} | {worst} | {row.seconds} "
            f"| {row.note} |",
            flush=True,
        )
        if options.json:
            with options.json.open("a") as stream:
                stream.write(json.dumps(asdict(row)) + "\n")
    counts = {o: sum(row.outcome == o for row in rows) for o in {row.outcome for row in rows}}
    print(json.dumps(counts))
    return int(any(row.outcome not in RIGHT for row in rows))


if __name__ == "__main__":
    sys.exit(main())
