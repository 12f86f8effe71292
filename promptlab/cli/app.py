"""All groups of commands in one application."""

from __future__ import annotations

from typing import Annotated

import typer

from promptlab import __version__
from promptlab.cli import (
    cache,
    data,
    explain,
    failures,
    fill,
    improve,
    model,
    predict,
    probe,
    sensitivity,
    study,
    template,
    ui,
)
from promptlab.cli.common_options import Quiet, Verbose, add_shared_options, choose_verbosity

app = typer.Typer(
    help="Which prompt to use, how good it really is, and what it costs.",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(study.app, name="study")
app.add_typer(template.app, name="template")
app.add_typer(model.app, name="model")
app.add_typer(data.app, name="data")
app.add_typer(failures.app, name="failures")
app.add_typer(cache.app, name="cache")
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("fill")(fill.fill)
app.command("improve")(improve.improve)
app.command("probe")(probe.probe)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("ui")(ui.ui)


add_shared_options(app)


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Which prompt to use, how good it really is, and what it costs."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    choose_verbosity(quiet, verbose)
    if context.invoked_subcommand is None:
        context.fail("no command is given; `promptlab --help` lists them")
