"""``promptlab template paraphrase``: a template in other words."""

from __future__ import annotations

from typing import Annotated

import typer

from promptlab.cli.output import Json, note, print_json, print_listing


def paraphrase(
    template: Annotated[
        str, typer.Argument(help="A template of the library, or a text with {mask}.")
    ],
    model: Annotated[
        str | None, typer.Option(help="A model that rewrites, where nothing is translated.")
    ] = None,
    forward: Annotated[
        str | None, typer.Option(help="A translation model into another language.")
    ] = None,
    backward: Annotated[str | None, typer.Option(help="One back from that language.")] = None,
    language: Annotated[
        str | None, typer.Option(help="The template's language, for models of many.")
    ] = None,
    other: Annotated[str | None, typer.Option(help="The other language.")] = None,
    forward_prefix: Annotated[
        str, typer.Option(help="Before a text, such as T5's translate English to German:")
    ] = "",
    backward_prefix: Annotated[str, typer.Option(help="The same on the way back.")] = "",
    beams: Annotated[int, typer.Option(min=1, help="Translations there, and back of each.")] = 7,
    samples: Annotated[int, typer.Option(min=1, help="Replies of a model that rewrites.")] = 12,
    top: Annotated[int, typer.Option(min=1, help="The most wordings.")] = 10,
    as_json: Json = False,
) -> None:
    """Put a template in other words: by translation there and back, or by a model that rewrites.

    Wordings are ranked by how likely they are; one that loses a field or the slot is dropped. A
    study with the kind paraphrased_templates judges them.
    """
    from promptlab.cli.progress import interruptible
    from promptlab.errors import InputError
    from promptlab.library.sources import find_template
    from promptlab.models.pool import load_model
    from promptlab.tuning.paraphrasing.paraphrase import (
        paraphrase_by_rewriting,
        paraphrase_by_translation,
    )
    from promptlab.tuning.paraphrasing.translator import Translator

    if (forward is None) != (backward is None):
        raise InputError("--forward and --backward go together: a translation there, and one back")
    source = template if "{" in template else find_template(template).template.source
    with interruptible() as cancellation:
        if forward is not None and backward is not None:
            found = paraphrase_by_translation(
                source,
                Translator(
                    load_model(forward), source=language, target=other, prefix=forward_prefix
                ),
                Translator(
                    load_model(backward), source=other, target=language, prefix=backward_prefix
                ),
                beams=beams, top=top, on_step=note, cancellation=cancellation,
            )  # fmt: skip
        else:
            writer = load_model() if model is None else load_model(model)
            found = paraphrase_by_rewriting(
                source, writer, samples=samples, top=top, on_step=note, cancellation=cancellation
            )
    if as_json:
        print_json(found.record())
        return
    rows = [
        (one.text, "–" if one.logprob is None else f"{one.logprob:.1f}", one.through)
        for one in found.paraphrases
    ]
    print_listing(("template", "nats", "through"), rows, numbers=("nats",))
    for line in found.describe():
        note(line)
