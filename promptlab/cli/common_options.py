"""Options that all commands have: --quiet, --verbose, and whose code may run (--allow-code)."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from enum import IntEnum
from typing import Annotated, Any, get_type_hints

import typer

Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print results, warnings and errors alone.")
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Tell every step, and where an error arose.")
]
AllowCode = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-code",
        metavar="PACKAGE",
        help="Let files name classes of this package (package.module:Name); may be repeated.",
    ),
]


class Verbosity(IntEnum):
    """What goes to standard error beside warnings and errors, which always do."""

    QUIET = 0  # nothing
    NORMAL = 1  # progress and remarks
    VERBOSE = 2  # also every block and step, what libraries log, and tracebacks of errors


_SHARED = (("quiet", Quiet, False), ("verbose", Verbose, False), ("allow_code", AllowCode, None))
_chosen = Verbosity.NORMAL


def verbosity() -> Verbosity:
    """What the user chose for the command that runs."""
    return _chosen


def set_verbosity(level: Verbosity) -> None:
    """Make ``level`` the verbosity of this process."""
    from promptlab.files.cache import show_progress

    global _chosen
    _chosen = level
    show_progress(level > Verbosity.QUIET)
    if level == Verbosity.VERBOSE:
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")


def choose_verbosity(quiet: bool, verbose: bool) -> None:
    """Take over what was given with one command; nothing given leaves what was chosen before."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other; give one of them")
    if quiet or verbose:
        set_verbosity(Verbosity.QUIET if quiet else Verbosity.VERBOSE)


def add_shared_options(app: typer.Typer) -> None:
    """Give all commands of ``app`` and of its groups --quiet, --verbose and --allow-code."""
    for command in app.registered_commands:
        assert command.callback is not None
        command.callback = _with_options(command.callback)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        add_shared_options(group.typer_instance)


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with three parameters more, by which Typer makes the options."""

    @functools.wraps(function)
    def command(
        *, quiet: bool, verbose: bool, allow_code: list[str] | None, **arguments: Any
    ) -> Any:
        from promptlab.files.code_permission import allow_code as allow

        choose_verbosity(quiet, verbose)
        allow(*(allow_code or ()))
        return function(**arguments)

    hints = get_type_hints(function, include_extras=True)
    known = inspect.signature(function).parameters.values()
    parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in known]
    keyword = inspect.Parameter.KEYWORD_ONLY
    for name, kind, default in _SHARED:
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=kind))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
