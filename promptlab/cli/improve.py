"""``promptlab improve``: from a prompt that exists to a better one, or an honest no."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli import data_options
from promptlab.cli.options import RUNS, OptionalModel, read_pairs
from promptlab.cli.output import Json, note, print_json, printable


def improve(
    prompt: Annotated[
        str,
        typer.Argument(
            help="The folder of a saved prompt, a template of the library, or a text with {mask}."
        ),
    ],
    data: Annotated[str, typer.Argument(help="A labelled file, or a pinned data set.")],
    model: OptionalModel = None,
    writer: Annotated[
        str | None, typer.Option(help="The model that writes (default: the one that answers).")
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--answer", metavar="LABEL=WORD", help="For a text: what says a label; repeat it."
        ),
    ] = None,
    proposals: Annotated[int, typer.Option(min=1, help="Instructions to write and judge.")] = 12,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="induction, reflection, crossover, trajectory or differential; repeat it."
        ),
    ] = None,
    demonstrations: Annotated[
        int, typer.Option(min=0, help="Solved examples that a new prompt may show.")
    ] = 0,
    calibration: Annotated[str | None, typer.Option(help="none, contextual, pmi or batch.")] = None,
    train: Annotated[
        int | None, typer.Option(min=1, help="Examples that the writer may be shown.")
    ] = None,
    dev: Annotated[int | None, typer.Option(min=1, help="Examples that judge.")] = None,
    test: Annotated[
        int | None,
        typer.Option(min=1, help="Examples that compare the best one with what you gave."),
    ] = None,
    text: data_options.Text = None,
    label: data_options.Label = None,
    field: data_options.Fields = None,
    labels: data_options.Labels = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of all that is drawn.")] = 13,
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    out: Annotated[Path, typer.Option("--runs", "--out", help="Folder of the studies.")] = RUNS,
    as_json: Json = False,
) -> None:
    """Let a model write better instructions for a prompt, and test the best one.

    Dev chooses; the winner is compared with what was given on test, which chose nothing. "No
    measurable gain" is a result: then keep what you have. A stopped search goes on.
    """
    from promptlab.cli.progress import StudyProgress, interruptible
    from promptlab.events import Events
    from promptlab.study.improvement import optimize_prompt

    with StudyProgress() as progress, interruptible() as cancellation:
        found = optimize_prompt(
            prompt,
            data,
            model=model,
            writer=writer,
            answers=read_pairs(answer, "--answer") or None,
            proposals=proposals,
            methods=method or None,  # type: ignore[arg-type]  # checked with the study
            demonstrations=demonstrations,
            calibration=calibration,
            train=train,
            dev=dev,
            test=test,
            seed=seed,
            name=name,
            out=out,
            events=Events(progress),
            cancellation=cancellation,
            **data_options.changed_options(text=text, label=label, fields=field, labels=labels),
        )
    if as_json:
        print_json(found.row())
        return
    if found.after != found.before:
        typer.echo(f"\n{'The new prompt' if found.is_better else 'The best that was written'}:\n")
        typer.echo(printable(found.after))
    typer.echo(f"\n{printable(found.sentence)}")
    note(f"{found.tokens:,} tokens. Report: {Path(found.folder) / 'report.html'}")
