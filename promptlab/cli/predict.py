"""``promptlab predict``: a saved prompt over a file, block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.listing import cell, visible
from promptlab.cli.options import (
    Device,
    Dtype,
    ModelOption,
    OptionalModel,
    read_model_options,
    read_pairs,
)
from promptlab.cli.output import Json, console, print_json

if TYPE_CHECKING:
    from promptlab.cli.prediction_run import PredictionRun
    from promptlab.cli.row_file import Format, RowFile
    from promptlab.predictions import Predictions
    from promptlab.predictor import Predictor


def predict(
    folder: Annotated[
        Path, typer.Argument(metavar="PREDICTOR_FOLDER", help="Such as runs/quickstart/best.")
    ],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A CSV, JSONL or Parquet file; - reads JSONL.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="A .csv or .jsonl file (default: print).")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, whatever the ending.")
    ] = None,
    model: OptionalModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    option: ModelOption = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="The column of a field as field=column; may be repeated."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column with the true labels.")] = None,
    block: Annotated[int, typer.Option(min=1, help="Rows predicted at a time.")] = 64,
    max_chars: Annotated[
        int, typer.Option("--max-chars", min=1, help="Longest field accepted, in characters.")
    ] = 100_000,
    trace: Annotated[
        bool, typer.Option("--trace", help="Draw what was asked and replied for every row.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add predictions to the rows of a file, in order.

    All columns stay; prediction, unparsed and a probability score_LABEL for each label are added.
    Where the input has true labels the accuracy is told. The --out file appears whole or not at
    all. --json prints one summary, with the rows in it unless they go to --out.
    """
    from promptlab.cli.prediction_run import PredictionRun
    from promptlab.cli.records import open_records
    from promptlab.cli.row_file import RowFile

    target = None if out is None or str(out) == "-" else out
    asked = read_pairs(column, "--column")
    kept: list[dict[str, Any]] | None = [] if as_json and target is None else None
    chosen = _format(form, target, source)
    _refuse_same_file(target, source)
    records = open_records(source, block=block, max_chars=max_chars)
    with RowFile(target, chosen) as output:
        predictor = load_predictor(folder, model, device, dtype, read_model_options(option))
        drawn = _draw if trace else None
        run = PredictionRun(predictor, records, asked=asked, label=label, predicted=drawn)
        started = time.perf_counter()
        _predict(run, output, kept)
        check_answered(run)
        output.commit()
    summary = run.summary() | {
        "cost": predictor.model.spent(),
        "seconds": round(time.perf_counter() - started, 3),
        "out": None if target is None else str(target),
    }
    if as_json:
        from promptlab.cli.row_file import plain

        print_json(summary if kept is None else summary | {"predictions": plain(kept)})
    _report(summary)


def _predict(run: PredictionRun, output: RowFile, kept: list[dict[str, Any]] | None) -> None:
    """Write every block as soon as it is predicted, or keep it."""
    started = False
    for rows in _shown(run, printing=output.path is None and kept is None):
        if kept is not None:
            kept += rows
            continue
        if not started:
            output.start(run.columns)
            started = True
        output.write(rows)


def _shown(run: PredictionRun, *, printing: bool) -> Iterator[list[dict[str, Any]]]:
    """The run's blocks under a progress bar, unless the terminal shows the rows themselves."""
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    whole = run.records.whole
    with Progress(
        "predicting",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        redirect_stdout=False,
        disable=printing and sys.stdout.isatty(),
    ) as progress:
        bar = progress.add_task("", total=None if whole is None else len(whole))
        for rows in run.blocks():
            yield rows
            progress.advance(bar, len(rows))


def load_predictor(
    folder: Path,
    model: str | None,
    device: str,
    dtype: str,
    options: Mapping[str, Any] | None = None,
) -> Predictor:
    """Load a saved predictor, saying so on standard error when that is a terminal."""
    with console(stderr=True).status(f"Loading {folder} …"):
        # these two make their kinds known to `load` when they are imported
        import promptlab.classifier
        import promptlab.generator  # noqa: F401
        from promptlab.predictor import load

        return load(folder, model, device=device, dtype=dtype, **(options or {}))


def check_answered(run: PredictionRun) -> None:
    """Raise `WorkError` with the first reason if every row's request failed."""
    from promptlab.errors import WorkError

    if run.rows and run.failed == run.rows:
        raise WorkError(f"all {run.rows:,} examples failed: {run.first_error}")


def _draw(found: Predictions) -> None:
    from promptlab.cli.trace import print_trace

    for row in found:
        print_trace(row, err=True)


def _format(asked: str | None, out: Path | None, source: str) -> Format:
    from promptlab.cli.row_file import Format, choose_format
    from promptlab.errors import InputError

    if asked is not None and asked not in list(Format):
        raise InputError(f"--format {asked!r} is unknown; use {' or '.join(Format)}")
    return choose_format(None if asked is None else Format(asked), out, source)


def _refuse_same_file(out: Path | None, source: str) -> None:
    from promptlab.errors import InputError

    given = Path(source)
    if out is not None and out.is_file() and given.is_file() and out.samefile(given):
        raise InputError(f"--out {out} is the input itself; write to another file")


def _report(summary: dict[str, Any]) -> None:
    """A few lines about the whole on standard error."""
    where = "" if summary["out"] is None else f" to {summary['out']}"
    unparsed = f", {summary['unparsed']:,} unparsed" if summary["unparsed"] else ""
    typer.echo(
        f"{summary['rows']:,} rows{where}{unparsed}, {summary['tokens']:,} tokens in "
        f"{summary['seconds']:.1f} s",
        err=True,
    )
    if summary["failed"]:
        typer.echo(
            f"{summary['failed']:,} of {summary['rows']:,} examples failed: "
            f"{visible(summary['first_error'])}",
            err=True,
        )
    if summary["cost"] is not None:
        from promptlab.models.remote.spending import told

        typer.echo(f"cost: {told(summary['cost'])}", err=True)
    if summary["unknown_labels"]:
        names = cell(", ".join(map(repr, summary["unknown_labels"])))
        typer.echo(
            f"no accuracy: the column {summary['label_column']!r} holds {names}, which the "
            "predictor does not know; --label names another column",
            err=True,
        )
    elif summary["accuracy"] is not None:
        low, high = summary["ci95"]
        typer.echo(
            f"accuracy {summary['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
            f"{summary['n']:,} rows with a label in the column {summary['label_column']!r}",
            err=True,
        )
