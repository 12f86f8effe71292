"""The steps of learners in the terminal, after the study or while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from promptlab.cli.output import print_listing, table_cell
from promptlab.security.untrusted_text import json_text

_PAUSE = 0.5
"""Seconds between two looks at a growing file."""


def show_steps(folder: Path, trial: int | None, *, follow: bool, as_json: bool) -> None:
    """The trials that have learned, or the steps of one; ``follow`` waits for more.

    Raises `StudyError` when there is no such study, or nothing has been learned in it.
    """
    from promptlab.cli.output import print_json
    from promptlab.errors import StudyError
    from promptlab.study.study import Study

    study = Study(folder)
    learned = study.learned()
    if follow:
        _follow(folder, trial, as_json=as_json)
        return
    if trial is None:
        if not learned:
            raise StudyError(f"nothing has been learned in {folder}: no trial has taken a step")
        rows = [_summary(folder, number, study.steps(number)) for number in learned]
        _print_summaries(rows, as_json=as_json)
        return
    steps = study.steps(trial)
    if as_json:
        print_json(steps)
        return
    names = _names(steps)
    print_listing(
        ("step", *names, "notes"),
        [_cells(row, names) for row in steps],
        numbers=("step", *names),
    )


def _print_summaries(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from promptlab.cli.output import print_json

    if as_json:
        print_json(rows)
        return
    columns = ("trial", "steps", "loss", "dev", "best dev", "candidate")
    print_listing(
        columns,
        [
            (
                row["trial"],
                row["steps"],
                *(_number(row[key]) for key in ("loss", "dev", "best_dev")),
                row["name"] or row["words"] or "",
            )
            for row in rows
        ],
        numbers=columns[:-1],
    )


def _summary(folder: Path, number: int, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Where one trial is: its last numbers, its best dev score, and its name once it is known."""
    devs = [row["values"]["dev"] for row in steps if row["values"].get("dev") is not None]
    losses = [row["values"]["loss"] for row in steps if row["values"].get("loss") is not None]
    words = [row["notes"]["words"] for row in steps if row["notes"].get("words")]
    return {
        "trial": number,
        "name": _trial_names(folder).get(number),
        "steps": steps[-1]["step"] if steps else 0,
        "loss": losses[-1] if losses else None,
        "dev": devs[-1] if devs else None,
        "best_dev": max(devs, default=None),
        "words": words[-1] if words else None,
    }


def _trial_names(folder: Path) -> dict[int, str]:
    """Names of the trials of a decided study; a running one has not written them yet."""
    from promptlab.study.folder.documents import find_leaderboard, use_document

    board = find_leaderboard(folder) or {}
    names: dict[int, str] = use_document(
        lambda: {row["number"]: str(row["name"]) for row in board.get("trials") or []},
        folder / "leaderboard.json",
    )
    return names


def _follow(folder: Path, trial: int | None, *, as_json: bool) -> None:
    """Print steps as they are taken, until the study is decided or the reader stops."""
    try:
        for number, row in _follow_steps(folder, trial):
            if as_json:
                typer.echo(json_text({"trial": number} | row))
            else:
                typer.echo(_line(number, row))
    except KeyboardInterrupt:
        typer.echo("stopped watching; the study goes on", err=True)


def _follow_steps(folder: Path, trial: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every step once, those already taken first."""
    from promptlab.study.study import Study

    study = Study(folder)
    seen: dict[int, int] = {}
    while True:
        decided = study.decided
        for number in study.learned():
            if trial is not None and number != trial:
                continue
            for row in study.steps(number):
                if row["step"] > seen.get(number, -1):
                    seen[number] = row["step"]
                    yield number, row
        if decided:
            return
        time.sleep(_PAUSE)


def _line(number: int, row: dict[str, Any]) -> str:
    values = " ".join(f"{name} {_number(value)}" for name, value in row["values"].items())
    notes = table_cell(row["notes"].get("words", ""))
    return f"trial {number} step {row['step']}: {values}{'  ' if notes else ''}{notes}"


def _names(steps: list[dict[str, Any]]) -> list[str]:
    """The values that any step has, in the order in which they come."""
    return list(dict.fromkeys(name for row in steps for name in row["values"]))


def _cells(row: dict[str, Any], names: list[str]) -> list[str]:
    values = [_number(row["values"].get(name)) for name in names]
    return [str(row["step"]), *values, str(row["notes"].get("words", ""))]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
