"""What a person sees of the studies: their list, and everything about the chosen one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import promptlab as pl

from ..drawing import error, note
from ..seen import Seen as Seen
from ..workbench import Workbench
from . import watching
from .words import ACTIVE, log_lines, state_text

_LINES = 60
_READ = 400
"""Lines of a log that are looked through for those that are shown."""
_QUIET = ("BlockScored", "TrialAsked", "Cost")
_NOTHING = (
    "No study yet. Start one that comes with promptlab here, or build your own. It runs on this "
    "server: the page may be closed or reloaded meanwhile."
)


@dataclass(frozen=True)
class Sight:
    """Everything on the page about the studies: their list, and the chosen one."""

    rows: list[dict[str, Any]]
    chosen: str | None
    found: Mapping[str, Any] | None
    problem: str = ""

    @classmethod
    def of(cls, bench: Workbench, name: str | None) -> Sight:
        """With ``name`` if there is such a study; else with what runs, or the newest."""
        rows = bench.jobs.rows()
        names = [row["name"] for row in rows]
        chosen = name if name in names else next(iter(names), None)
        if chosen is None:
            return cls(rows, None, None)
        try:
            return cls(rows, chosen, bench.jobs.progress(chosen))
        except pl.PromptlabError as problem:
            return cls(rows, chosen, None, str(problem))

    @property
    def state(self) -> str:
        """The chosen study's."""
        return str(self.found["state"]) if self.found else ""

    @property
    def active(self) -> bool:
        """Whether anything is still to be expected."""
        return any(row["state"] in ACTIVE for row in self.rows)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The list's lines."""
        return [(f"{row['name']}\n{state_text(row)}", row["name"]) for row in self.rows]

    @property
    def moment(self) -> str:
        """Another text whenever the chosen study has something new to be drawn."""
        found = self.found or {}
        return f"{self.chosen} {found.get('finished')} {self.state}"

    def head(self) -> str:
        """Name, state, progress and figures; or that there is nothing."""
        if self.problem:
            return str(error(self.problem))
        return str(watching.head(self.found)) if self.found else str(note(_NOTHING))

    def now(self) -> str:
        """What is being judged or learned."""
        return str(watching.now(self.found)) if self.found else ""

    def board(self) -> str:
        """The leaderboard; of a decided study, the result in words above it."""
        if not self.found:
            return ""
        return str(watching.told(self.found) + watching.board(self.found))

    def log(self, bench: Workbench) -> str:
        """The last lines of the log."""
        if not self.found or "folder" not in self.found:
            return ""
        rows = pl.Study(bench.study(str(self.chosen))).log(tail=_READ)
        kept = [row for row in rows if row["event"] not in _QUIET][-_LINES:]
        if not kept:
            return str(note("This study has no log."))
        return str(log_lines(kept, str(self.found["objective"] or "accuracy")))
