"""Options that say how a data file is read, shared by the commands that read one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import read_pairs

if TYPE_CHECKING:
    from promptlab.data.readers import FileFormat

Text = Annotated[str | None, typer.Option("--text", help="The column that is the text.")]
Label = Annotated[str | None, typer.Option("--label", help="The column that is the label.")]
Fields = Annotated[
    list[str] | None, typer.Option("--field", help="A column that is a field; may be repeated.")
]
Id = Annotated[str | None, typer.Option("--id", help="The column that names the rows.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help="What a label is called, as OLD=NEW (nothing behind the = leaves its rows out), or "
        "the classes as A,B,C; may be repeated.",
    ),
]
Join = Annotated[
    str | None, typer.Option("--join", help="Read lists of labels as one text, this between them.")
]
Empty = Annotated[str, typer.Option("--empty", help="Rows without text: refuse or drop.")]
MinRows = Annotated[
    int, typer.Option("--min-rows", min=1, help="Leave out classes with fewer different texts.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", help="What stands between columns, such as ; or tab.")
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header", help="Whether the first line names the columns (else 1, 2, …)."
    ),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", help="The text encoding, such as windows-1252.")
]
Quotes = Annotated[
    bool, typer.Option("--quotes/--no-quotes", help="Whether quotation marks enclose columns.")
]
Records = Annotated[
    str | None, typer.Option("--records", help="The key of a JSON document that holds its rows.")
]
MaxChars = Annotated[
    int, typer.Option("--max-chars", min=1, help="Longest field accepted, in characters.")
]


def changed_options(**options: Any) -> dict[str, Any]:
    """The options that are not as they are by default, for `LabelledFileOptions`."""
    from promptlab.data.labelled_file import LabelledFileOptions

    plain = LabelledFileOptions()
    found = {name: value for name, value in options.items() if name != "labels"}
    if options.get("labels"):
        found["labels"] = read_label_names(options["labels"])
    return {n: v for n, v in found.items() if v != getattr(plain, n) and v not in ([], ())}


def read_label_names(given: Sequence[str]) -> Mapping[str, str | None] | list[str]:
    """``OLD=NEW`` pairs as a mapping (None: left out), or one list ``A,B,C``."""
    if len(given) == 1 and "=" not in given[0]:
        return [name.strip() for name in given[0].split(",")]
    pairs = read_pairs(given, "--labels", empty_names=True)
    return {old: new.strip() or None for old, new in pairs.items()}


def read_file_format(
    delimiter: str | None,
    header: bool | None,
    encoding: str | None,
    quotes: bool,
    records: str | None,
) -> FileFormat:
    """How a file is written. Raises `DataError`."""
    from promptlab.data.readers import FileFormat

    return FileFormat(delimiter, header, encoding, quotes, records)
