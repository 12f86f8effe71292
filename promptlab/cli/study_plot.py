"""``promptlab study plot``: the figures of a study as one HTML file."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.options import RUNS, Runs, folder_of
from promptlab.cli.output import Json, print_json

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 1100px; }}
body {{ padding: 0 16px; }}
h1 {{ font-size: 20px; }} h2 {{ font-size: 15px; margin: 32px 0 4px; }}
.figure {{ overflow-x: auto; }} .parallel > div {{ min-width: 640px; }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
_TITLES = {
    "history": "Optimisation history",
    "importances": "Parameter importances",
    "parallel": "Parallel coordinates",
    "pareto": "Pareto front",
}


def plot(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write (default: STUDY-figures.html).")
    ] = None,
    what: Annotated[
        list[str] | None,
        typer.Option(help="history, importances, parallel or pareto; repeat it. Default: all."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="The Optuna storage that the study was run with.")
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Draw a study's search, also while it runs: one HTML file that needs no network."""
    from promptlab.cache import disk_errors
    from promptlab.study.folder import write_whole
    from promptlab.study.study import Study

    folder = folder_of(study, runs)
    figures = Study(folder).figures(what, storage=storage)
    parts = []
    for place, (name, figure) in enumerate(figures.items()):
        drawn = figure.to_html(
            full_html=False,
            include_plotlyjs=place == 0,
            config={"displaylogo": False, "responsive": True},
        )
        parts.append(f'<h2>{_TITLES[name]}</h2><div class="figure {name}">{drawn}</div>')
    target = out or Path(f"{folder.name}-figures.html")
    page = _PAGE.format(title=html.escape(folder.name), body="".join(parts))
    with disk_errors(target.parent, f"Writing {target}"):
        write_whole(target, page)
    if as_json:
        print_json({"study": folder.name, "figures": list(figures), "file": str(target)})
    else:
        typer.echo(target)
