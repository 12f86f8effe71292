"""``promptlab data``: list, show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli import data_options
from promptlab.cli.output import Json, print_json, print_listing, printable, table_cell

if TYPE_CHECKING:
    from promptlab.data.task import Task

app = typer.Typer(help="The pinned data sets, and what is in a data file.", no_args_is_help=True)


@app.command("list")
def list_data(as_json: Json = False) -> None:
    """The pinned data sets; any data file, any Hub name and reasoning-gym:NAME work, too."""
    from promptlab.data.builtin import DATASETS
    from promptlab.files.cache import cache_dir

    rows = [
        {
            "name": data.name,
            "task": data.topic,
            "rows": data.rows,
            "fields": list(data.fields),
            "labels": list(data.labels),
            "metric": data.metric,
            "splits": dict(data.sizes),
            "licence": data.licence,
            "cached": (cache_dir() / "data" / f"{data.name}-{data.sha256[:8]}").is_dir(),
            "description": data.description,
            "source": data.source,
        }
        for data in DATASETS.values()
    ]
    if as_json:
        print_json(rows)
        return
    print_listing(
        ("name", "task", "rows", "fields", "labels", "metric", "cached", "description"),
        [
            (
                data.name,
                data.topic,
                f"{data.rows:,}",
                ", ".join(data.fields),
                ", ".join(data.labels) or "open",
                data.metric,
                "yes" if row["cached"] else "no",
                data.description,
            )
            for data, row in zip(DATASETS.values(), rows, strict=True)
        ],
        numbers=("rows",),
    )


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_FILE",
            help="A pinned data set, a file, a folder, a Hub name, or reasoning-gym:NAME.",
        ),
    ],
    n: Annotated[int, typer.Option("--n", min=0, help="So many examples.")] = 5,
    text: data_options.Text = None,
    label: data_options.Label = None,
    field: data_options.Fields = None,
    id: data_options.Id = None,
    labels: data_options.Labels = None,
    join: data_options.Join = None,
    empty: data_options.Empty = "refuse",
    min_rows: data_options.MinRows = 1,
    delimiter: data_options.Delimiter = None,
    header: data_options.Header = None,
    encoding: data_options.Encoding = None,
    quotes: data_options.Quotes = True,
    records: data_options.Records = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The seed of the splits.")] = 13,
    max_chars: data_options.MaxChars = 100_000,
    as_json: Json = False,
) -> None:
    """Splits, label counts, fields, fingerprint, what looks wrong, and the first examples."""
    from promptlab.data.load_task import load_task

    options = data_options.changed_options(
        text=text, label=label, fields=field, id=id, labels=labels, join=join, empty=empty,
        min_rows=min_rows, delimiter=delimiter, header=header, encoding=encoding, quotes=quotes,
        records=records, max_chars=max_chars,
    )  # fmt: skip
    task = load_task(name, seed=seed, **options)
    row = _row(task, n)
    if as_json:
        print_json(row)
        return
    _print_facts(task, row)
    if n:
        typer.echo("")
        print_listing(
            ("example", *task.fields, "label"),
            [
                (e["id"], *(e["fields"][name] for name in task.fields), e["label"])
                for e in row["examples"]
            ],
        )


def _row(task: Task, n: int) -> dict[str, Any]:
    """The task as JSON data; label counts are empty for open answers."""
    return {
        "name": task.name,
        "metric": task.metric,
        "fields": list(task.fields),
        "labels": list(task.labels),
        "splits": {
            split: {"rows": len(examples), "labels": _counts(task, split)}
            for split, examples in task.splits.items()
        },
        "fingerprint": task.fingerprint,
        "remarks": list(task.warnings),
        "repeats": task.repeats.row(),
        "examples": [
            {"id": e.id, "fields": dict(e.fields), "label": e.label} for e in task.train[:n]
        ],
    }


def _counts(task: Task, split: str) -> dict[str, int]:
    found = Counter(example.label for example in task.splits[split])
    return {label: found[label] for label in task.labels}


def _print_facts(task: Task, row: dict[str, Any]) -> None:
    labels = ", ".join(task.labels) or "open answers"
    total = sum(len(examples) for examples in task.splits.values())
    for key, value in (
        ("data", f"{task.name}, {total:,} rows"),
        ("fields", ", ".join(task.fields)),
        ("labels", labels),
        ("metric", task.metric),
        ("fingerprint", task.fingerprint),
    ):
        typer.echo(f"{key:12} {table_cell(value)}")
    typer.echo("")
    print_listing(
        ("split", "rows", *task.labels),
        [
            (split, f"{found['rows']:,}", *found["labels"].values())
            for split, found in row["splits"].items()
        ],
        numbers=("rows", *task.labels),
    )
    for remark in task.warnings:
        typer.echo(f"\nNote: {printable(remark)}")
