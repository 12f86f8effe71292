"""``promptlab template infill``: templates that a model fills in around labelled examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from promptlab.cli import data_options
from promptlab.cli.options import read_pairs
from promptlab.cli.output import Json, note, print_json, print_listing

if TYPE_CHECKING:
    from promptlab.tuning.infilling.infill import InfillingResult, Shape


_SHOWN = 4
"""So many examples stand in a written file."""


def infill(
    data: Annotated[str, typer.Argument(help="A labelled file, or a pinned data set.")],
    model: Annotated[
        str,
        typer.Option(help="A model with T5's sentinels, or with fill-in-the-middle tokens."),
    ],
    answer: Annotated[
        list[str],
        typer.Option("--answer", metavar="LABEL=WORD", help="What says a label; repeat it."),
    ],
    shape: Annotated[
        list[str] | None,
        typer.Option(help="Where words stand: after, before or between; repeat it."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="The most templates.")] = 10,
    beams: Annotated[int, typer.Option(min=1, help="Texts that the search keeps.")] = 20,
    most_tokens: Annotated[int, typer.Option(min=1, help="Tokens in each hole at most.")] = 8,
    per_label: Annotated[int, typer.Option(min=1, help="Examples of each label at most.")] = 16,
    train: Annotated[
        int | None, typer.Option(min=1, help="Training examples to draw from.")
    ] = None,
    text: data_options.Text = None,
    label: data_options.Label = None,
    field: data_options.Fields = None,
    labels: data_options.Labels = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Draws the examples.")] = 13,
    out: Annotated[
        Path | None, typer.Option(help="Also write a .yaml file for `template import`.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task's name in --out.")] = None,
    as_json: Json = False,
) -> None:
    """Let a model fill in templates around training examples and their answers.

    What it writes is to be likely around all of them at once; the likeliest are the templates. A
    study with the kind infilled_templates judges them.
    """
    from promptlab.cli.progress import interruptible
    from promptlab.cli.template_mine import check_target
    from promptlab.data.load_task import load_task
    from promptlab.models.pool import load_model
    from promptlab.tuning.infilling.infill import InfillingOptions, infill_templates

    check_target(out)
    answers = read_pairs(answer, "--answer")
    options = InfillingOptions(
        shapes=cast("tuple[Shape, ...]", tuple(shape or ["after"])), beams=beams, top=top,
        most_tokens=most_tokens, per_label=per_label, seed=seed,
    )  # fmt: skip
    sizes: dict[str, Any] = {} if train is None else {"train": train}
    reading = data_options.changed_options(text=text, label=label, fields=field, labels=labels)
    examples = load_task(data, seed=seed, **sizes, **reading)
    with interruptible() as cancellation:
        result = infill_templates(
            load_model(model), examples.train, answers, examples.fields,
            options, on_step=note, cancellation=cancellation,
        )  # fmt: skip
    if out is not None:
        shown: list[dict[str, object]] = [
            dict(e.fields) | {"label": e.label} for e in examples.train[:_SHOWN]
        ]
        _write(result, answers, shown, out, task or out.stem)
    if as_json:
        print_json(result.record() | {"file": None if out is None else str(out)})
        return
    rows = [(one.text, f"{one.score:.1f}", one.shape) for one in result.templates]
    print_listing(("template", "nats", "shape"), rows, numbers=("nats",))
    for line in result.describe():
        note(line)
    if out is not None:
        note(f"Wrote {len(result.templates)} templates to {out}")


def _write(
    result: InfillingResult,
    answers: Mapping[str, str],
    examples: Sequence[Mapping[str, object]],
    out: Path,
    task: str,
) -> None:
    """Write the templates as a task of the template library."""
    from promptlab.files.cache import atomic_write
    from promptlab.files.yaml_dump import dump_yaml
    from promptlab.library.mining.task_document import kebab

    document = {
        "task": kebab(task),
        "description": f"Templates that {result.model} has filled in around labelled examples.",
        "metric": "accuracy",
        "examples": [dict(example) for example in examples],
        "templates": [
            {
                "name": f"infilled-{number}",
                "text": template.text,
                "answers": dict(answers),
                "source": (
                    f"filled in by {result.model} (Gao et al. 2021), {template.score:.1f} nats "
                    f"over {sum(result.examples.values())} examples"
                ),
            }
            for number, template in enumerate(result.templates, start=1)
        ],
    }
    with atomic_write(out) as partial:
        partial.write_text(dump_yaml(document), encoding="utf-8")
