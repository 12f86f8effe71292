"""``promptlab fill``: what a model puts into a slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import (
    DEFAULT_MODEL,
    Device,
    Dtype,
    Field,
    Model,
    find_template,
    open_model,
    parse_fields,
    read_pairs,
)
from promptlab.cli.output import Json, print_json, print_listing, printable, table_cell, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptlab.library import LibraryTemplate
    from promptlab.models.base import Fill, LanguageModel
    from promptlab.models.fill_mask import AnswerRank
    from promptlab.prompts.prompt import Prompt
    from promptlab.prompts.template import Template

_BAR = 20  # characters of the longest bar


def fill(
    templates: Annotated[
        list[str],
        typer.Argument(
            metavar="TEMPLATE...", help='Text such as "… is {mask}.", or library names.'
        ),
    ],
    field: Field = None,
    top: Annotated[int, typer.Option(min=1, help="So many tokens.")] = 5,
    answer: Annotated[
        str | None,
        typer.Option(help="Show how likely this answer is, and its rank, a line a template."),
    ] = None,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: Json = False,
) -> None:
    """The most probable tokens in the slot; several templates are shown side by side.

    After a blank, pieces that would be glued to the word before it are left out. With --answer a
    table of one answer's probability and rank, and of what comes first.
    """
    from promptlab.models.fill_mask import fill_words, rank_answer

    found = [find_template(text) for text in templates]
    fields = _fields(found, read_pairs(field))
    loaded = open_model(model, device=device, dtype=dtype)
    prompts = [
        _prompt(template, values, loaded)
        for (template, _), values in zip(found, fields, strict=True)
    ]
    rows = fill_words(loaded, prompts, top)
    ranks = None if answer is None else rank_answer(loaded, prompts, answer)
    _warn(prompts, loaded)
    if as_json:
        print_json(_document(found, prompts, rows, loaded, ranks))
    elif ranks is not None:
        _print_ranks(prompts, rows, ranks)
    elif len(rows) == 1:
        _print_bars(prompts[0], rows[0])
    else:
        _print_side_by_side(prompts, rows)


def _fields(
    found: Sequence[tuple[Template, LibraryTemplate | None]], given: dict[str, str]
) -> list[dict[str, str]]:
    """Every template's own fields; a field that no template reads is refused."""
    from promptlab.errors import InputError

    read = {name for template, _ in found for name in template.fields}
    for name in given:
        if name not in read:
            reads = ", ".join(sorted(read)) or "no field"
            raise InputError(f"--field {name}: the template reads {reads}")
    return [
        parse_fields(template, entry, {n: v for n, v in given.items() if n in template.fields})
        for template, entry in found
    ]


def _prompt(template: Template, fields: dict[str, str], model: LanguageModel) -> Prompt:
    from promptlab.data.example import Example
    from promptlab.predictors.truncation import render_truncated

    return render_truncated(template, Example("example", fields), (), model, 1)


def _warn(prompts: Sequence[Prompt], model: LanguageModel) -> None:
    """Say what the answer does not take into account."""
    for prompt in prompts:
        if prompt.shortened:
            warn(f"shortened to fit: {', '.join(prompt.shortened)}")
        if model.family == "causal" and any(c.isalnum() for c in prompt.right):
            warn(
                f"{model.name} is causal and does not see what follows the slot: "
                f"{table_cell(prompt.right.strip(), 60)!r}"
            )


def _document(
    found: Sequence[tuple[Template, LibraryTemplate | None]],
    prompts: Sequence[Prompt],
    rows: Sequence[Sequence[Fill]],
    model: LanguageModel,
    ranks: Sequence[AnswerRank] | None,
) -> dict[str, Any]:
    standing = [{}] * len(rows) if ranks is None else [{"answer": vars(one)} for one in ranks]
    return {
        "model": model.name,
        "templates": [
            {
                "template": template.source,
                "name": None if entry is None else entry.full_name,
                "prompt": str(prompt),
                "shortened": list(prompt.shortened),
                "tokens": [vars(token) for token in row],
                **more,
            }
            for (template, entry), prompt, row, more in zip(
                found, prompts, rows, standing, strict=True
            )
        ],
    }


def _print_bars(prompt: Prompt, row: Sequence[Fill]) -> None:
    typer.echo(printable(str(prompt)) + "\n")
    longest = max(token.probability for token in row) or 1.0
    print_listing(
        ("token", "probability", ""),
        [
            (
                _word(token, prompt),
                f"{token.probability:.4f}",
                "█" * max(1, round(_BAR * token.probability / longest)),
            )
            for token in row
        ],
        numbers=("probability",),
    )


def _print_side_by_side(prompts: Sequence[Prompt], rows: Sequence[Sequence[Fill]]) -> None:
    columns = [table_cell(prompt, 60) for prompt in prompts]
    print_listing(
        ("", *columns),
        [
            (
                rank,
                *(
                    f"{_word(row[rank - 1], prompt)}  {row[rank - 1].probability:.4f}"
                    for prompt, row in zip(prompts, rows, strict=True)
                ),
            )
            for rank in range(1, min(map(len, rows)) + 1)
        ],
    )


def _print_ranks(
    prompts: Sequence[Prompt], rows: Sequence[Sequence[Fill]], ranks: Sequence[AnswerRank]
) -> None:
    """One answer in every prompt, beside the word that comes first there."""
    title = f"P({table_cell(ranks[0].answer, 30)})"
    print_listing(
        ("prompt", title, "rank", "first", "P(first)"),
        [
            (
                table_cell(prompt, 60),
                f"{one.probability:.4f}",
                f"{one.tokens} tokens" if one.rank is None else one.rank,
                _word(row[0], prompt),
                f"{row[0].probability:.4f}",
            )
            for prompt, row, one in zip(prompts, rows, ranks, strict=True)
        ],
        numbers=(title, "rank", "P(first)"),
    )


def _word(token: Fill, prompt: Prompt) -> str:
    """The token as a word; its blank is shown only where the template has none."""
    text = token.token
    if not text:
        return "(nothing)"
    if text.isspace():
        return text.replace(" ", "␣") if not text.strip(" ") else repr(text)[1:-1]
    apart = not prompt.left or prompt.left[-1:].isspace() or prompt.chat
    blanks = "" if apart else "␣" * (len(text) - len(text.lstrip(" ")))
    return blanks + printable(text.strip(" "))
