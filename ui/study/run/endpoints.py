"""Studies over the app's API: started, followed, steered."""

from __future__ import annotations

from typing import Any

import promptlab as pl

from ...components.errors import api_endpoint
from ...context import AppContext
from .start_section import start_shipped_study


def add_study_endpoints(context: AppContext) -> None:
    """Offer the documented endpoints."""
    jobs = context.queue

    def start_study(study: str, name: str = "", trials: int = 0, model: str = "") -> str:
        """Start a study, or queue it behind those that run; its name.

        ``study`` is a shipped study's name or the YAML text of a study. ``name`` replaces its
        own; ``trials`` (at most so many) and ``model`` change a shipped one.
        """
        if "\n" in study or ":" in study:
            return jobs.submit(study, name=name or None)
        return start_shipped_study(context.queue, study, model, trials, name)

    def study_states() -> list[dict[str, Any]]:
        """Every study's name and state; what runs comes first, then the queue."""
        return jobs.rows()

    def study_progress(name: str) -> dict[str, Any]:
        """How far a study is: state, trials finished and planned, the leaderboard so far."""
        return jobs.progress(name)

    def study_log(name: str, lines: int = 100) -> list[dict[str, Any]]:
        """The last events of a study, each with its UTC time."""
        folder = context.study_folder(name)
        rows: list[dict[str, Any]] = pl.Study(folder).log(tail=min(max(int(lines), 1), 10_000))
        return rows

    def pause_study(name: str) -> dict[str, Any]:
        """Let a running study wait at the end of its block; its state."""
        return steered(jobs.pause, name)

    def resume_study(name: str) -> dict[str, Any]:
        """Let a paused study go on; queue one that was interrupted, stopped or has failed."""
        return steered(jobs.resume, name)

    def cancel_study(name: str) -> dict[str, Any]:
        """Stop a study at the end of its block (what is finished stays), or unqueue it."""
        return steered(jobs.cancel, name)

    def steered(action: Any, name: str) -> dict[str, Any]:
        action(name)
        return next((row for row in jobs.rows() if row["name"] == name), {"name": name})

    for function in (start_study, study_states, study_progress, study_log, pause_study,
                     resume_study, cancel_study):  # fmt: skip
        api_endpoint(function)
