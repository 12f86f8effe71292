"""Rows for people: one line each, nothing in the data reaches the terminal as a command."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence

import typer

from promptlab.cli.output import console

CELL = 160
"""Characters of a value that a table shows at most."""

_WIDE = 4000  # columns when nobody's terminal sets a limit, so that lines stay whole for grep
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str, *, lines: bool = True) -> str:
    """``text`` with control characters written out; line ends stay, or become ``⏎``."""
    return "".join(_shown(character, lines) for character in text)


def cell(value: object, limit: int = CELL) -> str:
    """A value as one short line."""
    text = str(value)
    cut = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    return visible(cut, lines=False)


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


def _shown(character: str, lines: bool) -> str:
    if character == "\n":
        return character if lines else "⏎"
    if character == "\t":
        return character if lines else " "
    if unicodedata.category(character) in ("Cc", "Cs", "Co") or character in _BIDI:
        return character.encode("unicode_escape").decode()
    return character
