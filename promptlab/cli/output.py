"""Rows for people: one line each, nothing in the data reaches the terminal as a command."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.common_options import Verbosity, verbosity
from promptlab.security.terminal import open_console
from promptlab.security.untrusted_text import json_text, sanitize

if TYPE_CHECKING:
    from rich.console import Console


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json_text(document, indent=2) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A remark on standard error, which --quiet leaves out."""
    if verbosity() > Verbosity.QUIET:
        typer.echo(sanitize(text), err=True)


def warn(text: str) -> None:
    """A warning on standard error, whatever the verbosity."""
    typer.echo(f"warning: {sanitize(text)}", err=True)


def console(*, stderr: bool = False) -> Console:
    """A Rich console; markup in data is not interpreted.

    On standard error it is for progress, and silent under --quiet.
    """
    silent = stderr and verbosity() == Verbosity.QUIET
    return open_console(stderr=stderr, quiet=silent)


CELL = 160
"""Characters of a value that a table shows at most."""

_MOST = 4_000  # characters that are looked at beyond those that are shown
_WIDE = 4000  # columns when nobody's terminal sets a limit, so that lines stay whole for grep


def printable(text: str, *, lines: bool = True) -> str:
    """A text from outside as a terminal may show it; line ends stay, or become ``⏎``."""
    return sanitize(text, lines=lines, longest=None)


def table_cell(value: object, limit: int = CELL) -> str:
    """A value as one short line."""
    text = str(value)
    text = printable(text[: _MOST + limit], lines=False)  # whole secrets, also where it is cut
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def print_listing(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Collection[str] = ()
) -> None:
    """A table on standard output; ``numbers`` are the columns set flush right.

    A terminal folds long cells; a file or pipe gets every row on one line.
    """
    from rich.table import Table

    terminal = console()
    piped = not terminal.is_terminal
    if piped:
        terminal.width = _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, title in enumerate(columns):
        number = title in numbers
        table.add_column(
            title,
            justify="right" if number else "left",
            no_wrap=piped or number or index == 0,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*[table_cell(value) for value in row])
    if not piped:
        terminal.print(table)
        return
    with terminal.capture() as captured:
        terminal.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
