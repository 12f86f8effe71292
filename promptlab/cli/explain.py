"""``promptlab explain``: what a saved predictor is, and what it is worth in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.explanation import print_explanation
from promptlab.cli.options import Device, Dtype, OptionalModel, read_pairs
from promptlab.cli.output import Json, console, print_json

if TYPE_CHECKING:
    from promptlab.data.example import Example
    from promptlab.evaluation.predictions import Predictions
    from promptlab.predictors.base import Predictor


def explain(
    folder: Annotated[
        Path, typer.Argument(metavar="PREDICTOR", help="A folder such as runs/quickstart/best.")
    ],
    data: Annotated[
        str | None,
        typer.Argument(help="A pinned data set, or a labelled CSV, JSONL or Parquet file."),
    ] = None,
    model: OptionalModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="The column of a field as field=column; may be repeated."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column with the true labels.")] = None,
    split: Annotated[str, typer.Option(help="Of a pinned data set: train, dev or test.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many examples.")] = None,
    top: Annotated[int, typer.Option(min=1, max=20, help="Words shown of each vector.")] = 3,
    block: Annotated[int, typer.Option(min=1, help="Examples predicted at a time.")] = 64,
    max_chars: Annotated[
        int, typer.Option("--max-chars", min=1, help="Longest field accepted, in characters.")
    ] = 100_000,
    as_json: Json = False,
) -> None:
    """What a saved predictor is: its prompt, what was learned in it, and that in words.

    With DATA also how good it is, how good its prompt in words is, and whether the two can be
    told apart (exact McNemar test on the same examples).
    """
    from promptlab.cli.predict import load_predictor
    from promptlab.tuning.explanation import explain, with_words

    asked = read_pairs(column, "--column")
    predictor = load_predictor(folder, model, device, dtype)
    document: dict[str, Any] = {"predictor": str(folder)} | explain(predictor, top)
    if data is not None:
        examples = _examples(
            data, predictor, asked=asked, label=label, split=split, limit=limit, max_chars=max_chars
        )
        own = _predict_examples(predictor, examples, block, "its own prompt")
        document["data"] = {"source": data} | _accuracy_facts(own)
        reading = with_words(predictor)
        if reading is not None:
            document |= _compare_with_words(
                own, _predict_examples(reading, examples, block, "in words")
            )
    if as_json:
        print_json(document)
    else:
        print_explanation(document)


def _examples(
    data: str,
    predictor: Predictor,
    *,
    asked: dict[str, str],
    label: str | None,
    split: str,
    limit: int | None,
    max_chars: int,
) -> list[Example]:
    """Labelled examples for the predictor. Raises `DataError`."""
    from promptlab.data.builtin import DATASETS
    from promptlab.errors import DataError

    if data in DATASETS:
        examples = _load_builtin(data, predictor, split, limit)
        if asked or label:
            raise DataError(
                f"{data} is a pinned data set with columns of its own: drop --column and --label"
            )
    elif not Path(data).exists() and not Path(data).suffix:
        raise DataError(
            f"{data} is neither a pinned data set ({', '.join(DATASETS)}) nor a file that is there"
        )
    else:
        examples = _from_file(data, predictor, asked, label, limit, max_chars)
    known = predictor.possible_labels
    unknown = sorted({str(e.label) for e in examples if known and e.label not in known})
    if unknown:
        raise DataError(
            f"{data} has the label {', '.join(map(repr, unknown[:5]))}, which the predictor does "
            f"not know; it knows {', '.join(map(repr, known))}"
        )
    return examples


def _load_builtin(name: str, predictor: Predictor, split: str, limit: int | None) -> list[Example]:
    from promptlab.data.load_task import load_task
    from promptlab.data.task import SPLITS
    from promptlab.errors import DataError

    if split not in SPLITS:
        raise DataError(f"--split {split!r} is unknown; use {', '.join(SPLITS)}")
    task = load_task(name)
    missing = [field for field in predictor.fields if field not in task.fields]
    if missing:
        raise DataError(
            f"{name} has no field {missing[0]!r}, which the predictor reads; its fields are "
            f"{', '.join(task.fields)}"
        )
    return list(task.splits[split][:limit])


def _from_file(
    source: str,
    predictor: Predictor,
    asked: dict[str, str],
    label: str | None,
    limit: int | None,
    max_chars: int,
) -> list[Example]:
    from promptlab.batch.input import examples_of, match_columns
    from promptlab.data.readers import read_rows
    from promptlab.errors import DataError

    rows = read_rows(source, max_chars=max_chars)
    matched = match_columns(rows.columns, predictor.fields, source=source, asked=asked, label=label)
    examples = [e for e in examples_of(rows, matched) if e.label is not None]
    if not examples:
        raise DataError(
            f"{source} has no labelled rows; --label names the column with the true labels (its "
            f"columns are {', '.join(map(repr, rows.columns))})"
        )
    return examples[:limit]


def _predict_examples(
    predictor: Predictor, examples: list[Example], block: int, told: str
) -> Predictions:
    """Predictions in blocks under a progress bar."""
    from rich.progress import track

    from promptlab.evaluation.predictions import Predictions

    starts = range(0, len(examples), block)
    bar = track(starts, f"predicting, {told}", console=console(stderr=True), transient=True)
    return Predictions(
        row for start in bar for row in predictor.predict(examples[start : start + block])
    )


def _accuracy_facts(rows: Predictions) -> dict[str, Any]:
    from promptlab.evaluation.evaluation import Evaluation

    found = Evaluation.from_predictions(rows)
    return {
        "n": found.n,
        "n_missing": found.n_missing,
        "accuracy": found.accuracy,
        "ci95": list(found.ci95),
        "unparsed_rate": found.unparsed_rate,
    }


def _compare_with_words(own: Predictions, words: Predictions) -> dict[str, Any]:
    from promptlab.evaluation.predictions import answered_by_both
    from promptlab.evaluation.statistics import mcnemar_exact

    both = answered_by_both(own, words)
    comparison = mcnemar_exact(both[0].correct, both[1].correct)
    return {"reading": _accuracy_facts(words), "comparison": comparison.record()}
