"""``promptlab predict``: a saved prompt over a file, block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli import data_options
from promptlab.cli.options import (
    Device,
    Dtype,
    ModelOption,
    OptionalModel,
    read_model_options,
    read_pairs,
)
from promptlab.cli.output import (
    Json,
    console,
    note,
    print_json,
    print_listing,
    printable,
    table_cell,
    warn,
)

if TYPE_CHECKING:
    from promptlab.batch.input import RowSource
    from promptlab.batch.output import RowWriter
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.data.readers import FileFormat
    from promptlab.evaluation.predictions import Predictions
    from promptlab.predictors.base import Predictor


def predict(
    folder: Annotated[
        Path, typer.Argument(metavar="PREDICTOR_FOLDER", help="Such as runs/quickstart/best.")
    ],
    source: Annotated[
        str | None,
        typer.Argument(metavar="[INPUT]", help="A CSV, JSONL or Parquet file; - reads JSONL."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", help="A text to predict, instead of a file; may be repeated."),
    ] = None,
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
    delimiter: data_options.Delimiter = None,
    header: data_options.Header = None,
    encoding: data_options.Encoding = None,
    quotes: data_options.Quotes = True,
    records: data_options.Records = None,
    max_chars: data_options.MaxChars = 100_000,
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
    """Add predictions to the rows of a file, in order, or predict a few texts.

    All columns stay; prediction, unparsed and a probability score_LABEL for each label are added.
    Where the input has true labels the accuracy is told. The --out file appears whole or not at
    all. Cells are written exactly as they were read, unless --spreadsheet-safe; what a model wrote
    is never a formula in a CSV. --json prints one summary, with the rows in it unless they go to
    --out.
    """
    from promptlab.batch.prediction import match_records
    from promptlab.predictors.base import read_fields

    target = None if out is None or str(out) == "-" else out
    shown = bool(text) and target is None and form is None and not as_json
    kept: list[dict[str, Any]] | None = [] if target is None and (as_json or shown) else None
    columns = read_pairs(column, "--column")
    given = _check_source(source, text)
    written = data_options.read_form(delimiter, header, encoding, quotes, records)
    with _opened(given, target, form, block, max_chars, spreadsheet_safe, written) as (
        rows,
        output,
    ):
        fields, read_as = read_fields(folder)
        if text and fields is not None:
            columns |= {_only_field(fields): TEXT}
        if fields is not None:  # before the model is loaded, which can take minutes
            match_records(rows, fields, read_as, columns=columns, label=label)
        predictor = load_predictor(folder, model, device, dtype, read_model_options(option))
        if text:
            columns |= {_only_field(predictor.fields): TEXT}
        summary = _predicted(
            predictor, rows, output, kept, columns=columns, label=label, trace=trace
        )
    summary["file"] = None if target is None else str(target)
    if as_json:
        from promptlab.batch.output import to_plain_value

        print_json(summary if kept is None else summary | {"predictions": to_plain_value(kept)})
    elif kept is not None:
        _print_rows(kept)
    _report(summary)


TEXT = "text"
"""The column of what --text gives."""


def _check_source(source: str | None, text: Sequence[str] | None) -> str | list[dict[str, str]]:
    """A file's name, or the rows that --text gives. Raises `InputError` for both or none."""
    from promptlab.errors import InputError

    if (source is None) == (not text):
        raise InputError("give a file to predict, or --text TEXT, and not both")
    return [{TEXT: one} for one in text] if text else str(source)


def _only_field(fields: Sequence[str]) -> str:
    """The field that --text stands for. Raises `InputError` where the prompt reads several."""
    from promptlab.errors import InputError

    if len(fields) != 1:
        raise InputError(
            f"--text stands for one field and this prompt reads {', '.join(fields)}; give a file "
            "with these columns"
        )
    return fields[0]


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Texts with their predictions, and the probabilities where there are some."""
    scores = [name for name in rows[0] if name.startswith("score_")] if rows else []
    print_listing(
        (TEXT, "prediction", *(name.removeprefix("score_") for name in scores)),
        [
            (
                row[TEXT],
                "(unparsed)" if row["unparsed"] else row["prediction"],
                *("" if row[name] is None else f"{row[name]:.3f}" for name in scores),
            )
            for row in rows
        ],
    )


@contextmanager
def _opened(
    source: str | list[dict[str, str]],
    target: Path | None,
    form: str | None,
    block: int,
    max_chars: int,
    safe: bool,
    written: FileFormat,
) -> Iterator[tuple[RowSource, RowWriter]]:
    """The rows to predict and where they go, looked at before a model is loaded."""
    from promptlab.batch.file_prediction import read_format, refuse_same_file
    from promptlab.batch.input import open_row_source, rows_from_values
    from promptlab.batch.output import RowWriter

    if isinstance(source, str):
        chosen = read_format(form, target, source)
        refuse_same_file(target, source)
        records = open_row_source(source, block=block, max_chars=max_chars, form=written)
    else:
        chosen = read_format(form, target, "-")
        records = rows_from_values(source, block)
    with RowWriter(target, chosen, safe=safe) as output:
        yield records, output


def _predicted(
    predictor: Predictor,
    records: RowSource,
    output: RowWriter,
    kept: list[dict[str, Any]] | None,
    *,
    columns: Mapping[str, str],
    label: str | None,
    trace: bool,
) -> dict[str, Any]:
    """Predict all rows into ``output``; what they come to."""
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.models.remote.cost import cost_summary
    from promptlab.models.remote.cost_ledger import CostLedger

    batch = BatchPrediction(predictor, records, columns=columns, label=label)
    started, ledger = time.perf_counter(), CostLedger()
    try:
        with ledger.in_force():
            _predict(batch, output, kept, trace=trace)
        batch.check_answered()
        output.commit()
    except BaseException:
        if ledger.sums is not None:
            note(f"paid all the same: {cost_summary(ledger.sums)}")
        raise
    return batch.summary() | {
        "made_text": output.made_text,
        "cost": ledger.sums or predictor.model.usage_cost(),
        "remarks": predictor.model.adjustments(),
        "seconds": round(time.perf_counter() - started, 3),
    }


def _predict(
    batch: BatchPrediction, output: RowWriter, kept: list[dict[str, Any]] | None, *, trace: bool
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
            output.start(batch.columns, batch.written_columns)
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
        import promptlab.predictors.classifier
        import promptlab.predictors.generator  # noqa: F401
        from promptlab.predictors.base import load

        return load(folder, model, device=device, dtype=dtype, **(options or {}))


def _draw(found: Predictions) -> None:
    from promptlab.cli.trace import print_trace

    for row in found:
        print_trace(row, err=True)


def _report(summary: dict[str, Any]) -> None:
    """A few lines about the whole on standard error."""
    from promptlab.evaluation.reply_counts import describe_reply_counts

    where = "" if summary["file"] is None else f" to {summary['file']}"
    unparsed = f", {summary['unparsed']:,} unparsed" if summary["unparsed"] else ""
    note(
        f"{summary['rows']:,} rows{where}{unparsed}, {summary['tokens']:,} tokens in "
        f"{summary['seconds']:.1f} s"
    )
    if summary["failed"]:
        warn(
            f"{summary['failed']:,} of {summary['rows']:,} examples failed: "
            f"{printable(summary['first_error'])}"
        )
    for words in describe_reply_counts(summary["replies"], summary["rows"]):
        warn(words)
    for remark in summary["remarks"]:
        warn(remark)
    if summary["cut"]["examples"]:
        from promptlab.evaluation.truncation_count import TruncationCount

        warn(f"{TruncationCount(**summary['cut']).sentence(summary['rows'])}")
    if summary["made_text"]:
        note(f"{summary['made_text']:,} cells got an apostrophe for spreadsheets")
    if summary["cost"] is not None:
        from promptlab.models.remote.cost import cost_summary

        note(f"cost: {cost_summary(summary['cost'])}")
    if summary["unknown_labels"]:
        names = table_cell(", ".join(map(repr, summary["unknown_labels"])))
        warn(
            f"no accuracy: the column {summary['label_column']!r} holds {names}, which the "
            "predictor does not know; --label names another column"
        )
    if summary["n_seen"]:
        warn(
            f"{summary['n_seen']:,} rows with a label are texts that this prompt was fitted on or "
            f"chosen by ({summary['accuracy_seen']:.3f} of them right): they count in no accuracy"
        )
    if summary["accuracy"] is not None:
        low, high = summary["ci95"]
        note(
            f"accuracy {summary['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}) on "
            f"{_counted(summary)} with a label in the column {summary['label_column']!r}"
        )


def _counted(summary: dict[str, Any]) -> str:
    """The rows that an accuracy is over; missing answers and repeated texts are told."""
    n, distinct = summary["n"], summary["n_distinct"]
    repeated = f" ({distinct:,} distinct texts)" if distinct < n else ""
    if summary["n_missing"]:
        return f"{n:,} answered of {n + summary['n_missing']:,} rows{repeated}"
    return f"{n:,} rows{repeated}"
