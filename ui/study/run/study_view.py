"""What a person sees of the studies: their list, and everything about the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promptlab as pl

from ...components.html import error, note
from ...context import AppContext
from ...queue.queue_folder import study_folder
from . import study_html
from .formatting import ACTIVE, log_lines, state_text
from .lineage_html import lineage_panel

_LINES = 60
_READ = 400
"""Lines of a log that are looked through for those that are shown."""
_QUIET = ("BlockScored", "TrialAsked", "Cost")
_NOTHING = (
    "No study yet. Start one that comes with promptlab here, or build your own. It runs on this "
    "server: the page may be closed or reloaded meanwhile."
)


@dataclass(frozen=True)
class StudyView:
    """Everything on the page about the studies: their list, and the chosen one."""

    rows: list[dict[str, Any]]
    chosen: str | None
    found: Mapping[str, Any] | None
    problem: str = ""
    logged: Sequence[dict[str, Any]] = ()

    @classmethod
    def of(cls, context: AppContext, name: str | None) -> StudyView:
        """With ``name`` if there is such a study; else with what runs, or the newest."""
        rows = context.queue.rows()
        names = [row["name"] for row in rows]
        chosen = name if name in names else next(iter(names), None)
        if chosen is None:
            return cls(rows, None, None)
        try:
            found = context.queue.progress(chosen)
            return cls(
                rows, chosen, found, logged=_logged(context.runs, chosen) if _begun(found) else ()
            )
        except pl.PromptlabError as problem:
            return cls(rows, chosen, None, str(problem))

    @property
    def state(self) -> str:
        """The chosen study's."""
        return str(self.found["state"]) if self.found else ""

    @property
    def searches(self) -> bool:
        """Whether there is a search to be drawn; a learning curve has a plot of its own."""
        return not self.found or self.found.get("kind") != "learning_curve"

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
        return str(study_html.header_html(self.found)) if self.found else str(note(_NOTHING))

    def now(self) -> str:
        """What is being judged or learned."""
        return str(study_html.running_html(self.found)) if self.found else ""

    def board(self) -> str:
        """The leaderboard; of a decided study, the result in words above it."""
        if not self.found:
            return ""
        drawn = study_html.state_sentence(self.found) + study_html.board_html(self.found)
        return str(drawn) + (
            lineage_panel(str(self.found["folder"]), self.moment) if _begun(self.found) else ""
        )

    def log(self) -> str:
        """The last lines of the log."""
        if not self.found or not _begun(self.found):
            return ""
        if not self.logged:
            return str(note("This study has no log."))
        return str(log_lines(list(self.logged), str(self.found["objective"] or "accuracy")))


def _begun(found: Mapping[str, Any]) -> bool:
    """Whether a study has a folder of its own."""
    return "folder" in found


def _logged(runs: Path, name: str) -> list[dict[str, Any]]:
    """The last lines of a study's log that are for people."""
    rows = pl.Study(study_folder(runs, name)).log(tail=_READ)
    return [row for row in rows if row["event"] not in _QUIET][-_LINES:]
