"""What goes where: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.verbosity import Verbosity, verbosity
from promptlab.outside_text import json_text, sanitize
from promptlab.terminal import open_console

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
