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
from promptlab.cli.output import Json, console, note
from promptlab.cli.prediction_output import TEXT, print_predictions

if TYPE_CHECKING:
    from promptlab.batch.input import RowSource
    from promptlab.batch.output import RowWriter
    from promptlab.batch.prediction import BatchPrediction
    from promptlab.data.readers import FileFormat
    from promptlab.evaluation.predictions import Predictions
    from promptlab.predictors.base import Predictor


Folder = Annotated[
    Path, typer.Argument(metavar="PREDICTOR_FOLDER", help="Such as runs/quickstart/best.")
]
Source = Annotated[
    str | None,
    typer.Argument(metavar="[INPUT]", help="A CSV, JSONL or Parquet file; - reads JSONL."),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="A text to predict, instead of a file; may be repeated."),
]
Out = Annotated[Path | None, typer.Option("--out", help="A .csv or .jsonl file (default: print).")]
Format = Annotated[str | None, typer.Option("--format", help="csv or jsonl, whatever the ending.")]
Column = Annotated[
    list[str] | None,
    typer.Option("--column", help="The column of a field as field=column; may be repeated."),
]
Label = Annotated[str | None, typer.Option(help="The column with the true labels.")]
Block = Annotated[int, typer.Option(min=1, help="Rows predicted at a time.")]
Trace = Annotated[
    bool, typer.Option("--trace", help="Draw what was asked and replied for every row.")
]
SpreadsheetSafe = Annotated[
    bool,
    typer.Option(
        "--spreadsheet-safe",
        help="Put an apostrophe before CSV cells that a spreadsheet would run as formulas.",
    ),
]


def predict(
    folder: Folder,
    source: Source = None,
    text: Text = None,
    out: Out = None,
    form: Format = None,
    model: OptionalModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    option: ModelOption = None,
    column: Column = None,
    label: Label = None,
    block: Block = 64,
    delimiter: data_options.Delimiter = None,
    header: data_options.Header = None,
    encoding: data_options.Encoding = None,
    quotes: data_options.Quotes = True,
    records: data_options.Records = None,
    max_chars: data_options.MaxChars = 100_000,
    trace: Trace = False,
    spreadsheet_safe: SpreadsheetSafe = False,
    as_json: Json = False,
) -> None:
    """Add predictions to the rows of a file, in order, or predict a few texts.

    All columns stay; prediction, unparsed and a probability score_LABEL for each label are added.
    Where the input has true labels the accuracy is told. The --out file appears whole or not at
    all. Cells are written exactly as they were read, unless --spreadsheet-safe; what a model wrote
    is never a formula in a CSV. --json prints one summary, with the rows in it unless they go to
    --out.
    """
    from promptlab.batch.prediction import BatchPrediction

    target = None if out is None or str(out) == "-" else out
    columns = read_pairs(column, "--column")
    given = _check_source(source, text)
    read_as = data_options.read_file_format(delimiter, header, encoding, quotes, records)
    printed = target is None and (as_json or (bool(text) and form is None))
    kept: list[dict[str, Any]] | None = [] if printed else None
    with _open_files(given, target, form, block, max_chars, spreadsheet_safe, read_as) as (
        rows,
        output,
    ):
        _check_columns(folder, rows, columns, label, of_text=bool(text))
        predictor = load_predictor(folder, model, device, dtype, read_model_options(option))
        if text:
            columns |= {_only_field(predictor.fields): TEXT}
        batch = BatchPrediction(predictor, rows, columns=columns, label=label)
        summary = _predict_all(batch, output, kept, trace=trace)
    summary["file"] = None if target is None else str(target)
    print_predictions(summary, kept, as_json=as_json)


def _check_columns(
    folder: Path, rows: RowSource, columns: dict[str, str], label: str | None, *, of_text: bool
) -> None:
    """Refuse rows without the fields of a prompt before its model is loaded (it takes minutes)."""
    from promptlab.batch.prediction import match_records
    from promptlab.predictors.base import read_fields

    fields, read_as = read_fields(folder)
    if fields is not None:
        of_texts = {_only_field(fields): TEXT} if of_text else {}
        match_records(rows, fields, read_as, columns=columns | of_texts, label=label)


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


@contextmanager
def _open_files(
    source: str | list[dict[str, str]],
    target: Path | None,
    form: str | None,
    block: int,
    max_chars: int,
    safe: bool,
    read_as: FileFormat,
) -> Iterator[tuple[RowSource, RowWriter]]:
    """The rows to predict and where they go, looked at before a model is loaded."""
    from promptlab.batch.file_prediction import read_format, refuse_same_file
    from promptlab.batch.input import open_row_source, rows_from_values
    from promptlab.batch.output import RowWriter

    if isinstance(source, str):
        chosen = read_format(form, target, source)
        refuse_same_file(target, source)
        records = open_row_source(source, block=block, max_chars=max_chars, form=read_as)
    else:
        chosen = read_format(form, target, "-")
        records = rows_from_values(source, block)
    with RowWriter(target, chosen, safe=safe) as output:
        yield records, output


def _predict_all(
    batch: BatchPrediction, output: RowWriter, kept: list[dict[str, Any]] | None, *, trace: bool
) -> dict[str, Any]:
    """Predict all rows into ``output``, or ``kept``; what they come to."""
    from promptlab.models.remote.cost import cost_summary
    from promptlab.models.remote.cost_ledger import CostLedger

    predictor = batch.predictor
    started, ledger = time.perf_counter(), CostLedger()
    try:
        with ledger.in_force():
            _write_blocks(batch, output, kept, trace=trace)
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


def _write_blocks(
    batch: BatchPrediction, output: RowWriter, kept: list[dict[str, Any]] | None, *, trace: bool
) -> None:
    """Write every block as soon as it is predicted, or keep it."""
    started = False
    for rows in _blocks_with_progress(batch, printing=output.path is None and kept is None):
        if trace:
            _print_traces(batch.last)
        if kept is not None:
            kept += rows
            continue
        if not started:
            output.start(batch.columns, batch.written_columns)
            started = True
        output.write(rows)


def _blocks_with_progress(
    batch: BatchPrediction, *, printing: bool
) -> Iterator[list[dict[str, Any]]]:
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


def _print_traces(found: Predictions) -> None:
    from promptlab.cli.trace import print_trace

    for row in found:
        print_trace(row, err=True)
