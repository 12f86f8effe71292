"""``promptlab template import`` and ``export``: templates from and for other people, as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.output import Json, note, print_json, printable


def export_names(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Such as sentiment/it-was, or a task.")
    ],
    out: Annotated[Path | None, typer.Option(help="The file to write (default: print).")] = None,
) -> None:
    """Templates as YAML, one document a task, for `template import` elsewhere."""
    from promptlab.errors import DataError
    from promptlab.files.cache import atomic_write
    from promptlab.library import templates
    from promptlab.library.library import TemplateLibrary

    known = templates()
    tasks = {item.task for item in known}
    chosen = [
        full
        for name in names
        for full in ([i.full_name for i in known if i.task == name] if name in tasks else [name])
    ]
    text = TemplateLibrary().export(chosen)
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise DataError(f"{out} exists already; give another name or remove it")
    with atomic_write(out) as partial:
        partial.write_text(text, encoding="utf-8")
    note(f"Wrote {len(set(chosen))} templates to {out}")


def import_file(
    file: Annotated[
        Path, typer.Argument(help="A .yaml file of templates, or PromptSource's templates.yaml.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite your own templates of the same names.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save every template of a YAML file among your own, or none of them.

    Of PromptSource's templates.yaml, those whose meaning stays the same are saved, and why the
    others are left out is told.
    """
    from promptlab.library.library import TemplateLibrary

    library = TemplateLibrary()
    done = library.import_file(file, replace=replace)
    if as_json:
        print_json(
            {
                "saved": list(done.saved),
                "unchanged": list(done.unchanged),
                "left": [{"name": name, "why": why} for name, why in done.left],
            }
        )
        return
    same = f"; {len(done.unchanged)} were there already" if done.unchanged else ""
    typer.echo(f"Imported {len(done.saved)} templates to {library.folder}{same}")
    for name in done.saved:
        typer.echo(f"  {name}")
    if done.left:
        typer.echo(f"Left out {len(done.left)}, whose meaning would be another here:", err=True)
    for name, why in done.left:
        typer.echo(printable(f"  {name}: {why}"), err=True)
