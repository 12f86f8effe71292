"""``promptlab study``: new, run, list, show, trace, plot, report, export."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.estimate import compare, estimate
from promptlab.cli.leaderboard import print_leaderboard
from promptlab.cli.lineage import lineage
from promptlab.cli.options import RUNS, Runs, study_folder
from promptlab.cli.output import Json, print_json, print_listing, printable
from promptlab.cli.steps import show_steps
from promptlab.cli.study_new import new
from promptlab.cli.trace import trace

if TYPE_CHECKING:
    from promptlab.study.spec.curve_spec import CurveSpec
    from promptlab.study.spec.spec import StudySpec


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
    from promptlab.files.cache import disk_errors
    from promptlab.study.folder.folder import write_text
    from promptlab.study.study import Study

    folder = study_folder(study, runs)
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
        write_text(target, page)
    if as_json:
        print_json({"study": folder.name, "figures": list(figures), "file": str(target)})
    else:
        typer.echo(target)


app = typer.Typer(help="Run and read studies.", no_args_is_help=True)

Written = Annotated[
    Path, typer.Option("--runs", "--out", help="Folder that holds the studies' folders.")
]
Study = Annotated[str, typer.Argument(help="A study file, or a shipped study's name.")]


@app.command("run")
def run(
    study: Study,
    name: Annotated[str | None, typer.Option(help="Another name for the study.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="At most so many trials.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:0.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Another seed for the search.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Any Optuna storage: a database URL, journal:FILE, grpc://…")
    ] = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Go on although weights, files, templates or software are not as when the study "
            "began; the result says which trials rest on what.",
        ),
    ] = False,
    out: Written = RUNS,
    as_json: Json = False,
) -> None:
    """Run a study or a learning curve, or continue it where it stopped."""
    from promptlab.study.spec.load import find_study_file, load_spec

    changes = {
        "study": name,
        "budget.trials": trials,
        "model.name": model,
        "model.device": device,
        "model.dtype": dtype,
        "seed": seed,
    }
    path = find_study_file(study)
    spec = load_spec(path, {key: value for key, value in changes.items() if value is not None})
    board = _run(spec, out, storage, accept_changes)
    if as_json:
        print_json(board)
    else:
        print_leaderboard(board, out / spec.study)


def _run(
    spec: StudySpec | CurveSpec, out: Path, storage: str | None, accept_changes: bool
) -> dict[str, Any]:
    from promptlab.cli.progress import StudyProgress, interruptible
    from promptlab.errors import StudyError
    from promptlab.events import Events
    from promptlab.study.learning_curve.run import CurveRun
    from promptlab.study.run import StudyRun
    from promptlab.study.spec.curve_spec import CurveSpec

    if isinstance(spec, CurveSpec):
        if storage is not None:
            raise StudyError(
                "--storage: a learning curve keeps its cells in its own folder and searches "
                "nothing; leave --storage out"
            )
        with StudyProgress(unit="cells") as progress, interruptible() as cancellation:
            return CurveRun(
                spec,
                out=out,
                events=Events(progress),
                cancellation=cancellation,
                accept_changes=accept_changes,
            ).run()
    with StudyProgress() as progress, interruptible() as cancellation:
        return StudyRun(
            spec,
            out=out,
            storage=storage,
            events=Events(progress),
            cancellation=cancellation,
            accept_changes=accept_changes,
        ).run()


app.command("new")(new)


@app.command("list")
def list_studies(runs: Runs = RUNS, as_json: Json = False) -> None:
    """Shipped studies, and the studies in the output folder."""
    from promptlab.study.listing import study_rows

    rows = study_rows(runs)
    if as_json:
        print_json(rows)
        return
    print_listing(
        ("study", "state", "trials", "best", "accuracy", "where"),
        [
            (
                row["name"],
                row["state"],
                "" if row["trials"] is None else row["trials"],
                row["best"] or "",
                "" if row["accuracy"] is None else f"{row['accuracy']:.3f}",
                row["path"],
            )
            for row in rows
        ],
    )


@app.command("show")
def show(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    number: Annotated[
        int | None, typer.Argument(metavar="[TRIAL]", help="One trial, as --trial.")
    ] = None,
    trial: Annotated[int | None, typer.Option(help="Show one trial in full.")] = None,
    steps: Annotated[
        bool, typer.Option("--steps", help="What was learned step by step; also while it runs.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="With --steps: print steps as they are taken.")
    ] = False,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """The leaderboard of a decided study or one of its trials; the table of a learning curve.

    --steps needs no decided study: it lists the trials that have learned, or the steps of one.
    With --follow every step is printed on a line of its own (--json: as one JSON object) until
    the study is decided or you stop it.
    """
    from promptlab.errors import StudyError
    from promptlab.study.folder.documents import use_document
    from promptlab.study.study import Study

    folder = study_folder(study, runs)
    trial = number if trial is None else trial
    if follow and not steps:
        raise StudyError("--follow goes with --steps")
    if steps:
        show_steps(folder, trial, follow=follow, as_json=as_json)
        return
    board = Study(folder).leaderboard()
    if trial is None:
        if as_json:
            print_json(board)
        else:
            print_leaderboard(board, folder)
        return
    if "trials" not in board:
        raise StudyError(
            f"--trial: the study {board['study']!r} is a learning curve: it has cells, no trials"
        )
    rows = use_document(
        lambda: [row for row in board["trials"] if row["number"] == trial],
        folder / "leaderboard.json",
    )
    if not rows:
        raise StudyError(f"the study {board['study']!r} has no trial {trial}")
    if as_json:
        print_json(rows[0])
        return
    for key, value in rows[0].items():
        typer.echo(f"{key}: {printable(str(value))}")


app.command("trace")(trace)
app.command("lineage")(lineage)
app.command("estimate")(estimate)
app.command("compare")(compare)
app.command("plot")(plot)


@app.command("report")
def report(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Write report.html again and say where it is."""
    from promptlab.study.report.report import write_report
    from promptlab.study.study import Study

    folder = study_folder(study, runs)
    Study(folder).leaderboard()
    path = write_report(folder)
    if as_json:
        print_json({"study": folder.name, "file": str(path)})
    else:
        typer.echo(path)


@app.command("export")
def export(
    study: Annotated[str, typer.Argument(help="A study's name or folder.")],
    to: Annotated[Path, typer.Argument(help="A .json, .csv or .jsonl file, or a new folder.")],
    trial: Annotated[
        int | None, typer.Option(help="The trial whose predictions are written (.jsonl).")
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Copy a result out: leaderboard (.json, .csv), predictions (.jsonl), prompt (folder)."""
    from promptlab.study.export import export_study

    written = export_study(study_folder(study, runs), to, trial=trial)
    if as_json:
        print_json({"study": study, "files": [str(path) for path in written]})
    else:
        for path in written:
            typer.echo(path)
