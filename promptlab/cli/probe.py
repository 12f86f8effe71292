"""``promptlab probe``: how many facts a model knows, and how much of that needs no knowledge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import DEFAULT_MODEL, Device, Dtype, Model, find_template, open_model
from promptlab.cli.output import Json, console, note, print_json, warn

if TYPE_CHECKING:
    from promptlab.models.base import LanguageModel
    from promptlab.predictors import Relation
    from promptlab.predictors.knowledge_probe.probe import OnProgress
    from promptlab.prompts.template import Template

CAPITALS = "capitals"
"""The task of the library, and the data set, that are probed without a file."""


def _check_share(value: float) -> float:
    """A share of the facts; all of them would leave none to count."""
    if not 0 <= value < 1:  # NaN, too
        raise typer.BadParameter(f"{value} is no share from 0 to below 1")
    return value


def probe(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Facts and prompts: LAMA's and LPAQA's JSONL, or pairs as CSV, TSV or JSONL; "
            "without any the capitals of 193 countries.",
        ),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            "--template",
            help="'The capital of [X] is [Y].', or with {subject} and {mask}, or a library name, "
            "instead of the prompts in the files; may be repeated.",
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    answers: Annotated[
        str,
        typer.Option(
            help="open: ranked in the vocabulary (objects of one token); closed: among the "
            "relation's objects, of any length, which takes far longer."
        ),
    ] = "open",
    common_vocabulary: Annotated[
        list[str] | None,
        typer.Option(
            "--common-vocabulary",
            metavar="MODEL",
            help="Count facts alone whose object is one token in this model, too; may be repeated.",
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls/--no-controls", help="Probe networks with random weights and embeddings."
        ),
    ] = True,
    train: Annotated[
        float,
        typer.Option(
            help="The share of facts that weights are learned from; 0 learns none.",
            callback=_check_share,
        ),
    ] = 0.25,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many facts a relation.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The column of the subjects.")] = None,
    object: Annotated[str | None, typer.Option(help="The column of the objects.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of draws and controls.")] = 13,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write a JSON Lines file: a fact's rank and what came first."),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: Json = False,
) -> None:
    """How many facts a model knows: P@1, P@10 and mean reciprocal rank, beside two controls.

    Several prompts of a relation count alone, by their mean, and by weights learned on a part of
    the facts that is not counted.
    """
    from promptlab.cli.probe_output import print_probe
    from promptlab.errors import InputError
    from promptlab.files.cache import atomic_write
    from promptlab.predictors import probe_knowledge, read_relations
    from promptlab.predictors.knowledge_probe.controls import CONTROLS
    from promptlab.security.untrusted_text import json_lines

    if out is not None and out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file in it")
    given = [_read_template(text) for text in template or ()]
    relations = (
        read_relations(files, subject=subject, object=object, templates=given)
        if files
        else [_capitals(given)]
    )
    if answers not in ("open", "closed"):
        raise InputError(f"--answers {answers!r} is unknown; use open or closed")
    loaded = open_model(model, device=device, dtype=dtype)
    with _progress() as on_progress:
        found = probe_knowledge(
            loaded,
            relations,
            answers=answers,  # type: ignore[arg-type]
            controls=CONTROLS if controls else (),
            common_vocabulary=_others(common_vocabulary or (), device, dtype),
            train_share=train,
            limit=limit,
            seed=seed,
            on_progress=on_progress,
        )
    for control, reason in found.unavailable.items():
        warn(f"no control with {control.replace('_', ' ')}: {reason}")
    if out is not None:
        with atomic_write(out) as partial:
            partial.write_text(json_lines(found.rows()), encoding="utf-8")
    if as_json:
        print_json(found.record() | ({} if out is None else {"file": str(out)}))
    else:
        print_probe(found)


def _read_template(text: str) -> Template | str:
    """A text with ``[X]`` and ``[Y]`` as it is, else a template's own text or library name."""
    return text if "[X]" in text or "[Y]" in text else find_template(text)[0]


def _capitals(templates: Sequence[Template | str]) -> Relation:
    """The capitals of the pinned data set, asked by the library's templates unless others are."""
    from promptlab.data.load_task import load_task
    from promptlab.library.sources import templates as library_templates
    from promptlab.predictors import Relation

    task = load_task(CAPITALS, on_progress=note)
    facts = [
        (example.fields["country"], str(example.label))
        for split in task.splits.values()
        for example in split
    ]
    shipped = [one.template for one in library_templates(CAPITALS) if one.open_vocabulary]
    return Relation(CAPITALS, facts, templates or shipped)


def _others(names: Sequence[str], device: str, dtype: str) -> Iterator[LanguageModel]:
    """One model at a time."""
    for name in names:
        yield open_model(name, device=device, dtype=dtype)


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar on standard error with the time that is left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("probing", total=None)

        def advance(run: str, done: int, total: int) -> None:
            bar.update(task, description=run.replace("_", " "), completed=done, total=total)

        yield advance
