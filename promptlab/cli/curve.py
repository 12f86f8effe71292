"""A learning curve in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlab.cli.listing import visible
from promptlab.cli.output import console


def print_curve(document: dict[str, Any], folder: Path) -> None:
    """Means by size with their intervals, a method a line; then the result in words."""
    from rich.table import Table

    from promptlab.study.curve_words import unit_of

    terminal = console()
    if not terminal.is_terminal:
        terminal.width = 160
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{document['objective']} by {unit_of(document)}", overflow="fold")
    for size in document["sizes"]:
        table.add_column(str(size), justify="right")
    for method in document["methods"]:
        cells = [_cell(document, method["name"], size) for size in document["sizes"]]
        table.add_row(visible(method["name"], lines=False), *cells)
    terminal.print(table)
    terminal.print()
    for statement in document["statements"]:
        terminal.print(visible(statement))
    terminal.print(
        f"\n{document['tokens']:,} tokens, {document['seconds']:.0f} s. Everything is in "
        f"{folder}; open {folder / 'report.html'}"
    )


def _cell(document: dict[str, Any], method: str, size: int) -> str:
    """The mean, and half the width of its interval where there are several seeds."""
    for row in document["curves"]:
        if (row["method"], row["size"]) == (method, size):
            spread = "" if row["low"] is None else f" ±{(row['high'] - row['low']) / 2:.3f}"
            return f"{row['mean']:.3f}{spread}"
    return "-"
