"""Rows for people: one line each, nothing in the data reaches the terminal as a command."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import typer

from promptlab.cli.output import console
from promptlab.outside_text import sanitize

CELL = 160
"""Characters of a value that a table shows at most."""

_MOST = 4_000  # characters that are looked at beyond those that are shown
_WIDE = 4000  # columns when nobody's terminal sets a limit, so that lines stay whole for grep


def visible(text: str, *, lines: bool = True) -> str:
    """A text from outside as a terminal may show it; line ends stay, or become ``⏎``."""
    return sanitize(text, lines=lines, longest=None)


def cell(value: object, limit: int = CELL) -> str:
    """A value as one short line."""
    text = str(value)
    text = visible(text[: _MOST + limit], lines=False)  # whole secrets, also where it is cut
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
        table.add_row(*[cell(value) for value in row])
    if not piped:
        terminal.print(table)
        return
    with terminal.capture() as captured:
        terminal.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
