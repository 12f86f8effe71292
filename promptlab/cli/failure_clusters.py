"""``promptlab failures clusters``: what a study's failures have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptlab.cli.listing import print_listing
from promptlab.cli.options import RUNS, Runs
from promptlab.cli.output import Json, print_json

if TYPE_CHECKING:
    from promptlab.failures import FailureLog


def open_log(study: str, runs: Path) -> FailureLog:
    """The failure log of a study's name, its folder, or a file."""
    from promptlab.failures import FAILURES, FailureLog

    path = Path(study)
    known = path.is_file() or (path / FAILURES).exists()
    return FailureLog(path if known else runs / study)


def clusters(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study's name, its folder, or a file.")
    ],
    by: Annotated[
        Literal["words", "confusion", "kind"], typer.Option(help="What they have in common.")
    ] = "words",
    count: Annotated[
        int | None, typer.Option(min=1, help="How many groups (default: what fits best).")
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Groups of failures by their words, their confusion or their kind."""
    from promptlab.clusters import cluster_failures

    found = cluster_failures(open_log(study, runs).failures, count, by=by)
    if as_json:
        print_json([cluster.record() for cluster in found])
        return
    print_listing(
        ("failures", "group", "words", "most often", "typical"),
        [
            (
                str(len(cluster.failures)),
                cluster.title,
                ", ".join(cluster.words),
                f"{' → '.join(cluster.confusion)} ({cluster.confused})",
                " | ".join(cluster.failures[0].fields.values()),
            )
            for cluster in found
        ],
    )
