"""``promptlab cache``: what is kept between commands, how large it is, and clearing it."""

from __future__ import annotations

from typing import Annotated

import typer

from promptlab.cli.output import Json, note, print_json, print_listing

app = typer.Typer(help="What is kept in the cache folder.", no_args_is_help=True)


@app.command("list")
def list_parts(as_json: Json = False) -> None:
    """Every part of the cache: its size, what is in it, and what it costs to have it again."""
    from promptlab.files.cache import cache_dir, format_size
    from promptlab.files.cache_contents import cache_parts

    parts = cache_parts()
    if as_json:
        print_json({"folder": str(cache_dir()), "parts": [part.record() for part in parts]})
        return
    print_listing(
        ("part", "size", "files", "what it is", "without it"),
        [(p.name, format_size(p.size), p.files, p.content, p.rebuilding) for p in parts],
        numbers=("size", "files"),
    )
    note(f"\n{format_size(sum(part.size for part in parts))} in {cache_dir()}")


@app.command("clear")
def clear(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help="Parts, as `list` names them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All parts.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
) -> None:
    """Remove parts of the cache; everything is made again when it is needed."""
    import sys

    from promptlab.errors import InputError
    from promptlab.files.cache import format_size
    from promptlab.files.cache_contents import choose_parts, clear_parts

    parts = choose_parts(names or [], everything=everything)
    size = sum(part.size for part in parts)
    told = f"{format_size(size)}: {', '.join(part.name for part in parts) or 'nothing is kept'}"
    if parts and not yes:
        if not sys.stdin.isatty():
            raise InputError(
                f"clearing would remove {told}; give --yes to do so without a question"
            )
        typer.confirm(f"Remove {told}?", abort=True, err=True)
    clear_parts(parts)
    if as_json:
        print_json({"cleared": [part.record() for part in parts], "bytes": size})
    else:
        typer.echo(f"Cleared {told}")
