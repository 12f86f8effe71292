"""``promptlab study estimate`` and ``study compare``: before a study, and after several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import RUNS, Runs, study_folder
from promptlab.cli.output import Json, print_json, print_listing, printable

if TYPE_CHECKING:
    from promptlab.study.estimate.cost_range import CostRange, GroupCost


def estimate(
    study: Annotated[str, typer.Argument(help="A study file, or a shipped study's name.")],
    model: Annotated[str | None, typer.Option(help="Another model.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:0.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="At most so many trials.")] = None,
    as_json: Json = False,
) -> None:
    """What a study will cost: tokens, seconds and dollars, by group and in all, low to high.

    Prompts are counted, not run; the model's speed is measured in half a second. An endpoint is
    asked nothing.
    """
    from promptlab.study.estimate.estimate import estimate_study
    from promptlab.study.spec.load import find_study_file, load_spec

    changes = {"model.name": model, "model.device": device, "budget.trials": trials}
    given = {key: value for key, value in changes.items() if value is not None}
    found = estimate_study(load_spec(find_study_file(study), given))
    if as_json:
        print_json(found.row())
        return
    print_listing(
        ("group", "candidates", "trials", "tokens", "of them learning", "time"),
        [_row(group) for group in (*found.groups, found.decision) if group.trials.high],
    )
    typer.echo(f"\nIn all {format_cost(found.tokens)} tokens", nl=False)
    typer.echo(f", {format_seconds(found.seconds)} with {found.model}." if found.seconds else ".")
    if found.dollars is not None:
        typer.echo(f"Dollars: {found.dollars.low:.2f} to {found.dollars.high:.2f}.")
    for group in found.groups:
        for note in group.notes:
            typer.echo(printable(f"{group.name}: {note}."))
    typer.echo(f"Not counted: {'; '.join(found.uncounted)}.")


def compare(
    studies: Annotated[list[str], typer.Argument(help="Two or more decided studies.")],
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Decided studies beside each other; those on the same test examples are tested in pairs."""
    from promptlab.study.comparison import compare_studies, setting_changes

    folders = [study_folder(study, runs) for study in studies]
    found = compare_studies(folders)
    changes = setting_changes(*folders) if len(folders) == 2 else []
    if as_json:
        print_json(found.row() | {"changes": [vars(change) for change in changes]})
        return
    print_listing(
        ("study", "decided", "task", "model", "test", "winner"),
        [
            (row.name, row.decided[:16], row.task, row.model, _value(row), row.winner)
            for row in found.studies
        ],
    )
    for pair in found.pairs:
        typer.echo(
            f"\n{pair.a} less {pair.b}: {pair.difference:+.3f} {pair.objective} on the same "
            f"{pair.n} test examples ({pair.test}, Holm-corrected p = {pair.p_holm:.2g})."
        )
    if not found.pairs:
        typer.echo("\nNo two of them judged the same test examples: nothing to be tested.")
    for change in changes:
        typer.echo(printable(f"{change.key}: {_short(change.before)} -> {_short(change.after)}"))


def format_cost(value: CostRange) -> str:
    """Two whole numbers, or one where they are equal."""
    low, high = f"{value.low:,.0f}", f"{value.high:,.0f}"
    return low if low == high else f"{low} to {high}"


def format_seconds(value: CostRange | None) -> str:
    """A time as people say it."""
    if value is None:
        return ""
    unit, size = ("min", 60) if value.high >= 120 else ("s", 1)
    low, high = f"{value.low / size:,.0f}", f"{value.high / size:,.0f}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _row(group: GroupCost) -> tuple[Any, ...]:
    endless = "endless" if group.candidates is None else group.candidates
    decision = group.kind == "decision"
    return (
        group.name,
        "" if decision else endless,
        "" if decision else format_cost(group.trials),
        format_cost(group.tokens),
        format_cost(group.learning) if group.learning.high else "",
        format_seconds(group.seconds),
    )


def _value(row: Any) -> str:
    ends = "" if row.low is None else f" ({row.low:.3f} to {row.high:.3f})"
    return f"{row.objective} {row.value:.3f}{ends}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
