"""``promptlab template``: list, show, render, check, mine, infill, paraphrase …"""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.options import (
    Field,
    OptionalModel,
    find_template,
    open_model,
    parse_fields,
    read_pairs,
)
from promptlab.cli.output import Json, note, print_json, print_listing, printable, table_cell
from promptlab.cli.template_exchange import export_names, import_file
from promptlab.cli.template_infill import infill
from promptlab.cli.template_mine import mine
from promptlab.cli.template_paraphrase import paraphrase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptlab.library import LibraryTemplate
    from promptlab.models.base import LanguageModel
    from promptlab.prompts.prompt import Prompt
    from promptlab.prompts.template import Demonstration

app = typer.Typer(
    help="Browse, render, check, mine, infill and share prompt templates.", no_args_is_help=True
)
app.command("infill")(infill)
app.command("mine")(mine)
app.command("paraphrase")(paraphrase)
app.command("import")(import_file)
app.command("export")(export_names)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as sentiment/it-was.")]


class Shape(StrEnum):
    """Whether anything stands after the slot."""

    prefix = "prefix"
    cloze = "cloze"


@app.command("list")
def list_templates(
    task: Annotated[str | None, typer.Option(help="Only this task, such as sentiment.")] = None,
    shape: Annotated[Shape | None, typer.Option(help="Only this shape.")] = None,
    as_json: Json = False,
) -> None:
    """The templates of the library, shipped and your own."""
    from promptlab.library import templates

    entries = [
        entry for entry in templates(task) if shape is None or entry.template.shape == shape.value
    ]
    if as_json:
        print_json([_row(entry) for entry in entries])
        return
    print_listing(
        ("name", "shape", "text", "answers"),
        [
            (entry.full_name, entry.template.shape, entry.template.source, _reply(entry))
            for entry in entries
        ],
    )
    tasks = len({entry.task for entry in entries})
    note(f"\n{len(entries)} templates of {tasks} {'task' if tasks == 1 else 'tasks'}")


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """One template in full, with its example rendered."""
    from promptlab.library.sources import load_library

    template, entry = find_template(name)
    if entry is None:
        from promptlab.errors import InputError

        raise InputError(f"{name!r} is a template's text; `promptlab template render` renders it")
    task = load_library()[entry.task]
    prompt = template.render(parse_fields(template, entry, {}))
    answer = _answer(entry)
    row = _row(entry) | {
        "description": task.description,
        "metric": task.metric,
        "labels": list(task.labels),
        "parts": None if template.parts is None else dict(template.parts),
        "chat": template.chat,
        "prompt": str(prompt),
        "filled": None if answer is None else prompt.fill(answer),
    }
    if as_json:
        print_json(row)
        return
    labels = f"labels {', '.join(task.labels)}" if task.labels else "open answers"
    typer.echo(f"{entry.full_name}  ({template.shape}, {labels}, {task.metric})")
    typer.echo(task.description)
    for title, text in (
        ("template", template.source),
        ("answers", _reply(entry)),
        ("source", f"{entry.source} ({entry.path.name})"),
        ("example", prompt.fill("{mask}" if answer is None else f"[{answer}]")),
    ):
        typer.echo(f"\n{title}\n{_indent(text)}")


@app.command("render")
def render(
    template: Annotated[
        str, typer.Argument(metavar="NAME_OR_TEXT", help="A library name, or a template's text.")
    ],
    field: Field = None,
    demonstrations: Annotated[
        int, typer.Option(min=0, help="So many of the library task's examples, solved, before it.")
    ] = 0,
    chat: Annotated[
        bool, typer.Option("--chat", help="Through the model's chat template.")
    ] = False,
    model: OptionalModel = None,
    as_json: Json = False,
) -> None:
    """The prompt for one example; with a model also its length in tokens."""
    found, entry = find_template(template)
    if chat:
        found = replace(found, chat=True)
        if entry is not None:
            entry = replace(entry, template=found)
    fields = parse_fields(found, entry, read_pairs(field))
    solved = _demonstrations(entry, demonstrations, fields)
    prompt = found.render(fields, solved)
    row: dict[str, Any] = {
        "name": None if entry is None else entry.full_name,
        "shape": found.shape,
        "fields": fields,
        "demonstrations": demonstrations,
        "prompt": str(prompt),
    }
    if model is not None:
        from promptlab.data.example import Example
        from promptlab.predictors.truncation import render_truncated

        loaded = open_model(model)
        example = Example("example", fields)
        prompt = render_truncated(found, example, solved, loaded, _reserve(entry))
        row |= {"prompt": str(prompt)} | _length_facts(prompt, loaded)
    if as_json:
        print_json(row)
        return
    typer.echo(printable(str(row.get("model_input") or row["prompt"])))
    if model is not None:
        cut = f"; shortened: {', '.join(row['shortened'])}" if row["shortened"] else ""
        note(f"\n{row['tokens']} of {row['max_tokens']} tokens ({row['model']}){cut}")


@app.command("check")
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FILE|FOLDER]...", help="What to check (default: the whole library)."
        ),
    ] = None,
    model: OptionalModel = None,
    as_json: Json = False,
) -> None:
    """Check templates: slot, fields, answers, parsers; with a model also its tokens."""
    from promptlab.cli.template_check import check_templates
    from promptlab.errors import InputError

    found = check_templates(targets or [], None if model is None else open_model(model))
    if as_json:
        print_json(found.row())
    else:
        for note in found.notes:
            typer.echo(f"note: {printable(str(note))}")
        if not found.faults:
            typer.echo(f"{found.checked} templates checked, no faults")
    if found.faults:
        count = f"{len(found.faults)} fault{'s' if len(found.faults) > 1 else ''}"
        listed = (
            "" if as_json else ":\n" + "\n".join(f"- {printable(str(f))}" for f in found.faults)
        )
        raise InputError(f"{count} in the {found.checked} templates checked{listed}")


def _row(entry: LibraryTemplate) -> dict[str, Any]:
    """The entry as JSON data, whatever YAML made of an unquoted value."""
    row: dict[str, Any] = json.loads(json.dumps(entry.to_row(), default=str))
    return row


def _reply(entry: LibraryTemplate) -> str:
    """How the answer is read, in a few words."""
    if entry.open_vocabulary:
        return "any token"
    if entry.answers is not None:
        return str(entry.verbalizer)
    return f"parsed: {(entry.parser or {}).get('type', '?')}"


def _answer(entry: LibraryTemplate) -> str | None:
    """What the entry's example has in the slot, if it has a label."""
    label = entry.example.get("label")
    if label is None:
        return None
    if entry.answers is not None and str(label) in entry.verbalizer.labels:
        return entry.verbalizer.first_answer(str(label))
    return str(label)


def _demonstrations(
    entry: LibraryTemplate | None, count: int, fields: Mapping[str, str]
) -> list[Demonstration]:
    """The first ``count`` solved examples of the entry's task, without the rendered one."""
    from promptlab.errors import InputError
    from promptlab.library.sources import load_library
    from promptlab.prompts.template import Demonstration

    if not count:
        return []
    if entry is None:
        raise InputError(
            "demonstrations come from the library task's examples; name a library template, or "
            "leave --demonstrations out"
        )
    found = []
    for example in load_library()[entry.task].examples:
        own = {name: str(example[name]) for name in entry.template.fields if name in example}
        answer = _answer(replace(entry, example=example))
        if own != fields and len(own) == len(entry.template.fields) and answer is not None:
            found.append(Demonstration(own, answer))
    if len(found) < count:
        raise InputError(
            f"{count} demonstrations are asked for and the task {entry.task} has {len(found)} "
            "other solved examples; ask for fewer"
        )
    return found[:count]


def _reserve(entry: LibraryTemplate | None) -> int:
    """Tokens to keep free for the answer; a byte makes at most one token."""
    from promptlab.prompts.decoding import Decoding

    if entry is not None and entry.answers is not None:
        return max(len(answer.encode()) for answer in entry.verbalizer.answers) + 1
    return Decoding().max_tokens if entry is not None and entry.parser is not None else 1


def _length_facts(prompt: Prompt, model: LanguageModel) -> dict[str, Any]:
    """Length, window and, for a chat prompt, the text that the model really reads."""
    from promptlab.models.local import LocalModel

    row: dict[str, Any] = {
        "model": model.name,
        "tokens": model.count_tokens(prompt),
        "max_tokens": model.max_tokens,
        "shortened": list(prompt.shortened),
        "model_input": None,
    }
    if prompt.chat and isinstance(model, LocalModel):
        row["model_input"] = model.sides(prompt)[0].text
    return row


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in printable(text).splitlines() or [table_cell(text)])
