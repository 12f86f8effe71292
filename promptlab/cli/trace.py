"""``promptlab study trace``: what a trial's predictor did, step by step, as trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import RUNS, Runs, study_folder
from promptlab.cli.output import Json, note, print_json, printable, table_cell

if TYPE_CHECKING:
    from promptlab.evaluation.predictions import Prediction


def trace(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    trial: Annotated[
        int | None, typer.Option(help="A trial's predictions on dev (the winner's if not given).")
    ] = None,
    example: Annotated[str | None, typer.Option(help="The id of one example.")] = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Whole prompts and replies of every step.")
    ] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="Only wrong predictions.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many examples.")] = 10,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """The steps that were taken for every example, drawn as a tree."""
    from promptlab.errors import StudyError
    from promptlab.study.folder.documents import use_document
    from promptlab.study.study import Study

    folder = study_folder(study, runs)
    kept = Study(folder)
    board = folder / "leaderboard.json"
    number = trial
    if number is None:
        number = use_document(lambda: kept.leaderboard()["best"]["number"], board, "name a --trial")
    rows = _chosen_rows(kept.predictions(number), example, wrong=wrong)
    if example is not None and not rows:
        raise StudyError(f"trial {number} of the study in {folder} has no example {example!r}")
    if not any(_steps(row) for row in rows):
        raise StudyError(
            f"trial {number} of the study in {folder} kept no steps here: a prompt whose answers "
            "are scored takes one step, which is its prediction; ask for another trial"
        )
    if as_json:
        print_json([_record(row, number) for row in rows[:limit]])
        return
    for row in rows[:limit]:
        print_trace(row, prompts=prompts)
    if len(rows) > limit:
        note(f"... and {len(rows) - limit} more (--limit, --example, --wrong)")


def _chosen_rows(
    rows: Sequence[Prediction], example: str | None, *, wrong: bool
) -> list[Prediction]:
    found = [row for row in rows if example is None or row.example_id == example]
    return [row for row in found if not (wrong and (row.correct or row.missing))]


def _steps(row: Prediction) -> Mapping[str, Any] | None:
    return row.trace if isinstance(row.trace, Mapping) and "steps" in row.trace else None


def _record(row: Prediction, number: int) -> dict[str, Any]:
    from promptlab.evaluation.trace import Trace

    steps = _steps(row)
    return {
        "trial": number,
        "example_id": row.example_id,
        "label": row.label,
        "target": row.target,
        "correct": row.correct,
        "unparsed": row.unparsed,
        "error": row.error,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "steps": [] if steps is None else [vars(step) for step in Trace.from_record(steps)],
    }


def print_trace(row: Prediction, *, prompts: bool = False, err: bool = False) -> None:
    """One example's prediction and its steps as a tree; with ``err`` on standard error."""
    from promptlab.evaluation.reply_counts import WORDLESS
    from promptlab.evaluation.trace import Trace

    said = "unparsed" if row.label is None else table_cell(row.label)
    verdict = "right" if row.correct else f"wrong, expected {table_cell(row.target or '?')}"
    if row.missing:
        said, verdict = "no answer", f"expected {table_cell(row.target or '?')}"
    known = "" if err and row.target is None else f" ({verdict})"
    typer.echo(f"{table_cell(row.example_id)}: {said}{known}", err=err)
    if row.error:
        typer.echo(f"   error: {printable(row.error)}", err=err)
    if isinstance(row.trace, Mapping) and (why := row.trace.get(WORDLESS)):
        typer.echo(f"   no answer in it: {printable(str(why))}", err=err)
    steps = _steps(row)
    if steps is not None:
        typer.echo(printable(Trace.from_record(steps).tree(prompts=prompts)), err=err)
    typer.echo("", err=err)
