"""``promptlab study new``: look at a labelled file, propose a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli import data_options
from promptlab.cli.output import Json, print_json, printable


def new(
    data: Annotated[Path, typer.Argument(help="A labelled CSV, JSONL or Parquet file.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The study file to write (default: DATA.yaml).")
    ] = None,
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
    max_chars: data_options.MaxChars = 100_000,
    task: Annotated[str | None, typer.Option(help="The library's task, such as sentiment.")] = None,
    model: Annotated[
        str, typer.Option(help="The model to search for; remote:MODEL@URL for an endpoint.")
    ] = "smollm2-135m",
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the study file.")] = False,
    as_json: Json = False,
) -> None:
    """Look at a labelled file and write a study that runs as it is.

    Columns are guessed by names and values where they are not named, and told. A local model gets
    templates, answers with synonyms, calibration, an instruction and demonstrations; an endpoint
    gets instructions and a parser.
    """
    from promptlab.models.known_models import check_known
    from promptlab.study.proposal.proposal import propose_study
    from promptlab.study.proposal.study_text import write_proposal

    target = out or data.with_name(f"{data.name.partition('.')[0]}.yaml")
    known = check_known(model)
    options = data_options.changed_options(
        text=text, label=label, fields=field, id=id, labels=labels, join=join, empty=empty,
        min_rows=min_rows, delimiter=delimiter, header=header, encoding=encoding, quotes=quotes,
        records=records, max_chars=max_chars,
    )  # fmt: skip
    proposal = propose_study(data, task=task, model=model, chat=known.chat, name=name, **options)
    write_proposal(proposal, target, overwrite=force)
    if as_json:
        print_json(proposal.row() | {"file": str(target)})
        return
    for line in proposal.remarks:
        typer.echo(printable(line))
    typer.echo(f"\nWrote {target}. Run it with:\n  promptlab study run {target}")
