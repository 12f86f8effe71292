"""``promptlab predict``: a saved prompt over a file, block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.batch.records import Records
    from promptlab.batch.row_file import RowFile
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
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(
            "--spreadsheet-safe",
            help="Put an apostrophe before CSV cells that a spreadsheet would run as formulas.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Add predictions to the rows of a file, in order.

    All columns stay; prediction, unparsed and a probability score_LABEL for each label are added.
    Where the input has true labels the accuracy is told. The --out file appears whole or not at
    all. Cells are written exactly as they were read, unless --spreadsheet-safe. --json prints one
    summary, with the rows in it unless they go to --out.
    """
    target = None if out is None or str(out) == "-" else out
    kept: list[dict[str, Any]] | None = [] if as_json and target is None else None
    columns = read_pairs(column, "--column")
    with _opened(source, target, form, block, max_chars, spreadsheet_safe) as (records, output):
        predictor = load_predictor(folder, model, device, dtype, read_model_options(option))
        summary = _predicted(
            predictor, records, output, kept, columns=columns, label=label, trace=trace
        )
    summary["out"] = None if target is None else str(target)
    if as_json:
        from promptlab.batch.row_file import plain

        print_json(summary if kept is None else summary | {"predictions": plain(kept)})
    _report(summary)


@contextmanager
def _opened(
    source: str, target: Path | None, form: str | None, block: int, max_chars: int, safe: bool
) -> Iterator[tuple[Records, RowFile]]:
    """The rows to predict and where they go, looked at before a model is loaded."""
    from promptlab.batch.file import read_format, refuse_same_file
    from promptlab.batch.records import open_records
    from promptlab.batch.row_file import RowFile

    chosen = read_format(form, target, source)
    refuse_same_file(target, source)
    records = open_records(source, block=block, max_chars=max_chars)
    with RowFile(target, chosen, safe=safe) as output:
        yield records, output


def _predicted(
    predictor: Predictor,
    records: Records,
    output: RowFile,
    kept: list[dict[str, Any]] | None,
    *,
    columns: Mapping[str, str],
    label: str | None,
    trace: bool,
) -> dict[str, Any]:
    """Predict all rows into ``output``; what they come to."""
    from promptlab.batch.prediction import BatchPrediction

    batch = BatchPrediction(predictor, records, columns=columns, label=label)
    started = time.perf_counter()
    _predict(batch, output, kept, trace=trace)
    batch.check_answered()
    output.commit()
    return batch.summary() | {
        "made_text": output.made_text,
        "cost": predictor.model.spent(),
        "seconds": round(time.perf_counter() - started, 3),
    }


def _predict(
    batch: BatchPrediction, output: RowFile, kept: list[dict[str, Any]] | None, *, trace: bool
) -> None:
    """Write every block as soon as it is predicted, or keep it."""
    started = False
    for rows in _shown(batch, printing=output.path is None and kept is None):
        if trace:
            _draw(batch.last)
        if kept is not None:
            kept += rows
            continue
        if not started:
            output.start(batch.columns)
            started = True
        output.write(rows)


def _shown(batch: BatchPrediction, *, printing: bool) -> Iterator[list[dict[str, Any]]]:
    """The blocks under a progress bar, unless the terminal shows the rows themselves."""
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

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
        bar = progress.add_task("", total=batch.total)
        for rows in batch.blocks():
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


def _draw(found: Predictions) -> None:
    from promptlab.cli.trace import print_trace

    for row in found:
        print_trace(row, err=True)


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
    if summary["made_text"]:
        typer.echo(f"{summary['made_text']:,} cells got an apostrophe for spreadsheets", err=True)
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
