"""``promptlab sensitivity``: how far accuracy moves while what a prompt means stays the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptlab.cli import data_options
from promptlab.cli.options import (
    RUNS,
    Device,
    Dtype,
    OptionalModel,
    Runs,
    read_pairs,
    study_folder,
)
from promptlab.cli.output import Json, note, print_json, print_listing, printable

if TYPE_CHECKING:
    from promptlab.models.base import LanguageModel
    from promptlab.study.sensitivity.result import Sensitivity


def sensitivity(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="STUDY-or-TASK",
            help="A decided study, a study file, a data file, or a pinned data set such as sst2.",
        ),
    ],
    model: OptionalModel = None,
    text: data_options.Text = None,
    label: data_options.Label = None,
    field: data_options.Fields = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    levels: Annotated[
        list[str] | None,
        typer.Option(
            "--levels",
            metavar="FACTOR=N",
            help="How many levels of wording, format, answers, order or seed (1: leave it as it "
            "is); may be repeated.",
        ),
    ] = None,
    demonstrations: Annotated[
        int | None,
        typer.Option(min=0, help="Solved examples in prompts (default: the winner's, or 4)."),
    ] = None,
    examples: Annotated[int, typer.Option(min=10, help="Examples of dev at most.")] = 100,
    prompts: Annotated[
        int, typer.Option(min=2, help="Prompts at most; factors lose levels until they fit.")
    ] = 96,
    task: Annotated[
        str | None, typer.Option(help="Take the templates of this task of the library.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of formats, examples and resamples.")
    ] = 13,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder to write (default: NAME-sensitivity)."),
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """How far accuracy moves with wording, format, answer words and demonstrations.

    All levels are crossed with all, on the same examples of dev; test is never read. A decided
    study starts from its winner, anything else from the library's or the study file's templates.
    The folder gets sensitivity.json and sensitivity.html; a run that was stopped goes on.
    """
    from promptlab.cli.progress import StudyProgress, interruptible
    from promptlab.events import Events
    from promptlab.study.sensitivity.measure import measure_sensitivity

    named = _subject(subject, runs)
    folder = out or Path(f"{Path(subject).name.partition('.')[0] or 'prompts'}-sensitivity")
    with StudyProgress(unit="prompts") as progress, interruptible() as cancellation:
        found = measure_sensitivity(
            named,
            model=_open(model, device, dtype),
            levels=_read_levels(levels),
            examples=examples,
            demonstrations=demonstrations,
            max_prompts=prompts,
            seed=seed,
            library_task=task,
            out=folder,
            events=Events(progress),
            cancellation=cancellation,
            **data_options.changed_options(text=text, label=label, fields=field),
        )
    files = [str(folder / name) for name in ("sensitivity.json", "sensitivity.html")]
    if as_json:
        print_json(found.row() | {"files": files})
        return
    print_sensitivity(found)
    note(f"\nPage: {files[1]}")


def print_sensitivity(found: Sensitivity) -> None:
    """The tables and sentences of a result."""
    from promptlab.study.formatting import format_p_value, format_percent
    from promptlab.study.sensitivity.design import FACTORS

    shares = {row.source: row for row in found.shares}
    rest = shares["interactions"]
    print_listing(
        ("factor", "levels", "worst", "best", "spread", "95 % interval", "by chance", "p",
         "share of variance", "95 % of it"),
        [
            (
                FACTORS[spread.factor],
                len(spread.levels),
                format_percent(min(level.value for level in spread.levels)),
                format_percent(max(level.value for level in spread.levels)),
                f"{100 * spread.spread:.1f}",
                f"{100 * spread.ci95[0]:.1f} to {100 * spread.ci95[1]:.1f}",
                f"{100 * spread.by_chance:.1f}",
                format_p_value(spread.p_holm).removeprefix("p "),
                *_share(shares[spread.factor].share, shares[spread.factor].ci95),
            )
            for spread in found.spreads
        ]
        + [("interactions", *[""] * 7, *_share(rest.share, rest.ci95))],
        numbers=("levels", "worst", "best", "spread", "by chance", "share of variance"),
    )  # fmt: skip
    typer.echo("")
    for text in found.statements:
        typer.echo(printable(text, lines=False))
    for remark in found.remarks:
        typer.echo(printable(f"Note: {remark}.", lines=False))
    typer.echo(f"\nThe worst prompt ({format_percent(found.worst.value)}):\n")
    typer.echo(printable(found.worst.prompt))


def _share(share: float | None, ends: tuple[float, float] | None) -> tuple[str, str]:
    if share is None or ends is None:
        return "–", "–"
    return f"{100 * share:.1f} %", f"{100 * ends[0]:.0f} to {100 * ends[1]:.0f} %"


def _subject(named: str, runs: Path) -> str | Path:
    """A study's folder by its name among the runs, else what was given."""
    folder = study_folder(named, runs)
    return folder if (folder / "study.yaml").is_file() else named


def _open(name: str | None, device: str, dtype: str) -> LanguageModel | str | None:
    """The model that is named, loaded where it is to stand elsewhere; or the subject's own."""
    from promptlab.cli.options import open_model
    from promptlab.errors import InputError

    plain = (device, dtype) == ("auto", "auto")
    if name is not None:
        return name if plain else open_model(name, device=device, dtype=dtype)
    if not plain:
        raise InputError(
            "--device and --dtype go with --model; without it the study's own model is loaded as "
            "the study did"
        )
    return None


def _read_levels(given: list[str] | None) -> dict[str, int]:
    """``FACTOR=N`` options as numbers. Raises `InputError`."""
    from promptlab.errors import InputError

    found = {}
    for name, text in read_pairs(given, "--levels").items():
        if not text.strip().isdecimal():
            raise InputError(f"--levels {name}={text}: a whole number is wanted, such as {name}=3")
        found[name] = int(text)
    return found
