"""``promptlab failures``: list, correct, cluster, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptlab.cli.options import RUNS, Runs
from promptlab.cli.output import Json, print_json, print_listing, printable

if TYPE_CHECKING:
    from promptlab.evaluation.failure import Failure
    from promptlab.evaluation.failure_log import FailureLog


def open_log(study: str, runs: Path) -> FailureLog:
    """The failure log of a study's name, its folder, or a file."""
    from promptlab.evaluation.failure_log import FAILURES, FailureLog

    path = Path(study)
    known = path.is_file() or (path / FAILURES).exists()
    return FailureLog(path if known else runs / study)


def clusters(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study's name, its folder, or a file.")
    ],
    by: Annotated[
        Literal["words", "confusion", "kind"], typer.Option(help="What they have in common.")
    ] = "words",
    count: Annotated[
        int | None, typer.Option(min=1, help="How many groups (default: what fits best).")
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Groups of failures by their words, their confusion or their kind."""
    from promptlab.evaluation.failure_clusters import cluster_failures

    found = cluster_failures(open_log(study, runs).failures, count, by=by)
    if as_json:
        print_json([cluster.record() for cluster in found])
        return
    print_listing(
        ("failures", "group", "words", "most often", "typical"),
        [
            (
                str(len(cluster.failures)),
                cluster.title,
                ", ".join(cluster.words),
                f"{' → '.join(cluster.confusion)} ({cluster.confused})",
                " | ".join(cluster.failures[0].fields.values()),
            )
            for cluster in found
        ],
    )


app = typer.Typer(help="The log of a study's failures.", no_args_is_help=True)
app.command("clusters")(clusters)

Source = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's name, its folder, or a failures.jsonl.")
]


@app.command("list")
def list_failures(study: Source, runs: Runs = RUNS, as_json: Json = False) -> None:
    """Every wrong answer of a study's winner on dev, with what was corrected by hand."""
    log = open_log(study, runs)
    if as_json:
        print_json([failure.record() for failure in log.failures])
        return
    print_listing(
        ("id", "expected", "actual", "corrected", "input"),
        [
            (
                one.example_id,
                one.expected or "",
                _actual(one),
                _correction_text(one),
                " | ".join(one.fields.values()),
            )
            for one in log.failures
        ],
    )


@app.command("correct")
def correct(
    study: Source,
    example_id: Annotated[str, typer.Argument(metavar="ID", help="The example's id.")],
    expected: Annotated[
        str | None, typer.Option(help="The answer that is right; the data's label is not.")
    ] = None,
    any_answer: Annotated[
        bool, typer.Option("--any-answer", help="--expected need not be a label of the task.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="The actual answer is acceptable.")
    ] = False,
    note: Annotated[
        str | None, typer.Option(help="Why; without it an earlier note stays, '' removes it.")
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Keep a hand correction in corrections.jsonl beside the log."""
    log = open_log(study, runs)
    failure = log.correct(
        example_id, expected=expected, accept=accept, note=note, any_answer=any_answer
    )
    if as_json:
        print_json(failure.record())
    else:
        typer.echo(
            f"{example_id}: {printable(_correction_text(failure))}; in {log.corrections_file}"
        )


@app.command("export")
def export(
    study: Source,
    form: Annotated[
        Literal["sft", "suite"],
        typer.Option("--format", help="Dialogues for fine-tuning, or a regression suite."),
    ],
    file: Annotated[Path, typer.Option("--out", help="The .jsonl file to write.")],
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Write failures, corrected, as dialogues (sft), or for the next study's ``regression``."""
    from promptlab.errors import DataError
    from promptlab.evaluation.failure_log import write_lines

    log = open_log(study, runs)
    if file.exists():
        raise DataError(f"{file} exists already; give another name or remove it")
    records = log.fine_tuning_records() if form == "sft" else log.regression_records()
    write_lines(file, records)
    if as_json:
        print_json({"file": str(file), "records": len(records), "failures": len(log.failures)})
    else:
        typer.echo(f"Wrote {len(records)} records of {len(log.failures)} failures to {file}")


def _actual(failure: Failure) -> str:
    if failure.error:
        return f"(error: {failure.error})"
    if not failure.unparsed:
        return failure.actual or ""
    unread = failure.trace.get("unread") if isinstance(failure.trace, dict) else None
    return f"(unparsed{f': {unread}' if unread else ''}) {failure.actual or ''}"


def _correction_text(failure: Failure) -> str:
    if failure.correction is None:
        return ""
    note = f" ({failure.correction.note})" if failure.correction.note else ""
    if failure.correction.accept:
        return f"accepted as it is{note}"
    return f"{failure.correction.expected}{note}"
