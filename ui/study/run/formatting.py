"""Studies in words: states, times, durations, and the lines of a log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from promptlab.study import format_duration

from ...components.html import join_markup, share_text
from ...components.markup import Markup

ACTIVE = ("running", "pausing", "paused", "stopping", "queued", "running elsewhere")
"""States in which something is still to be expected."""
ENDED = ("decided", "undecided")
"""States with a result."""
_TONES = {
    "running": "pl-run", "running elsewhere": "pl-run", "decided": "pl-good",
    "undecided": "pl-warn", "failed": "pl-bad", "unreadable": "pl-bad", "interrupted": "pl-warn",
    "stopped": "pl-warn", "paused": "pl-warn", "pausing": "pl-warn", "stopping": "pl-warn",
}  # fmt: skip
_SAID = {
    "running": "running",
    "pausing": "pausing at the end of its block",
    "paused": "paused",
    "stopping": "stopping at the end of its block",
    "running elsewhere": "running in another process",
    "interrupted": "interrupted: whoever ran it is gone",
    "stopped": "stopped as asked",
    "failed": "failed",
    "decided": "decided",
    "undecided": "undecided: too many answers are missing; resume it to ask for them",
    "unreadable": "cannot be read",
}
_PHASES = {
    "loading the model": "Loading the model",
    "test": "The winner reads the test split",
    "test-baseline": "The baseline reads the test split",
    "controls": "Controls: majority, content-free, shuffled labels, a bag of words",
    "regression": "Earlier failures are tried again",
    "asking again": "Asking for what was not answered",
    "comparing": "Comparing the methods",
    "report": "Writing the report",
    "paused": "Paused",
    "going on": "Going on",
}


def state_tone(state: str) -> str:
    """The class of a state's chip."""
    return _TONES.get(state, "")


def state_text(state: Mapping[str, Any]) -> str:
    """A state for people; of a queued study, its place."""
    if state["state"] == "queued":
        place = state.get("position") or 1
        return "queued: next" if place == 1 else f"queued: number {place}"
    return _SAID.get(str(state["state"]), str(state["state"]))


def format_measure(measure: str, value: float) -> str:
    """A metric's value: shares as per cent."""
    return share_text(value) if measure != "matthews" and 0 <= value <= 1 else f"{value:.3f}"


def log_lines(rows: list[dict[str, Any]], measure: str) -> Markup:
    """The lines of a log, the latest first, with the time of this machine's clock."""
    lines = [_line(row, measure) for row in reversed(rows)]
    return Markup('<ol class="pl-study-log" aria-label="Log">{}</ol>').format(join_markup(lines))


def _line(row: Mapping[str, Any], measure: str) -> Markup:
    when = datetime.fromisoformat(str(row["time"])).astimezone()
    kind, text = _told(row, measure)
    return Markup('<li class="{}"><time datetime="{}">{}</time><span>{}</span></li>').format(
        kind, row["time"], when.strftime("%H:%M:%S"), text
    )


def _told(row: Mapping[str, Any], measure: str) -> tuple[str, str]:
    """A line's class and its words."""
    match row["event"]:
        case "StudyStarted":
            done = f"{row['finished']} of {row['planned']} are done" if row["finished"] else (
                f"{row['planned']} to do"
            )  # fmt: skip
            return "pl-log-phase", f"{'Resumed' if row['finished'] else 'Started'}: {done}"
        case "TrialAsked":
            return "pl-log-quiet", f"Trial {row['number']} is proposed: {row['name']}"
        case "BlockScored":
            value = (
                ""
                if row["value"] is None
                else f", {measure} {format_measure(measure, row['value'])}"
            )
            text = f"Trial {row['number']}: {row['done']} of {row['examples']} examples{value}"
            return "pl-log-quiet", text
        case "TrialFinished":
            return _finished(row, measure)
        case "Phase":
            return "pl-log-phase", _PHASES.get(str(row["name"]), str(row["name"]))
        case "Cost":
            dollars = row.get("dollars")
            paid = "" if dollars is None else f", {dollars:.4f} dollars"
            return "pl-log-quiet", f"{row['requests']} requests so far{paid}"
        case "Warned":
            return "pl-log-bad", f"Warning: {row['message']}"
        case "EndpointBusy":
            return "pl-log-quiet", str(row["message"])
        case "Stopped":
            if row["cancelled"]:
                return "pl-log-phase", "Stopped as asked; what is finished stays"
            return "pl-log-bad", f"Failed: {row['reason']}"
        case "StudyFinished":
            return "pl-log-good", "Decided"
    return "pl-log-quiet", str(row["event"])


def _finished(row: Mapping[str, Any], measure: str) -> tuple[str, str]:
    head = f"Trial {row['number']}"
    if row.get("repeated") is not None:
        return "pl-log-quiet", f"{head} is the same as trial {row['repeated']}"
    value = "" if row["value"] is None else f"{format_measure(measure, row['value'])} "
    told = f"{head}, {row['name']}: {value}in {format_duration(row['seconds'])}"
    if row["state"] == "complete":
        return "", told
    reason = f": {row['reason']}" if row.get("reason") else ""
    return (
        "pl-log-bad" if row["state"] == "failed" else "pl-log-quiet",
        f"{told} ({row['state']}{reason})",
    )
