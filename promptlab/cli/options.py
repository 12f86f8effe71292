"""Options that several commands share, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlab.cli.output import console

if TYPE_CHECKING:
    from promptlab.library import LibraryTemplate
    from promptlab.models.base import LanguageModel
    from promptlab.prompts.template import Template

DEFAULT_MODEL = "smollm2-135m"

_MODEL_HELP = "A pinned model, a folder, a GGUF file, a Hugging Face id, or remote:MODEL@URL."
Model = Annotated[str, typer.Option("--model", help=_MODEL_HELP)]
OptionalModel = Annotated[str | None, typer.Option("--model", help=_MODEL_HELP)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:0.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, float32, bfloat16 or float16.")]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model-option",
        help="An option of a remote model as name=value, such as api=completions, concurrency=4 "
        "or 'price={input: 0.15, output: 0.6}', or thinking=true of a local one; may be repeated.",
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Folder that holds the studies' folders.")]
RUNS = Path("runs")
Field = Annotated[
    list[str] | None, typer.Option("--field", help="A field as name=value; may be repeated.")
]


def read_pairs(
    given: Sequence[str] | None, option: str = "--field", *, empty_names: bool = False
) -> dict[str, str]:
    """``name=value`` options as a mapping. Raises `InputError` for anything else."""
    from promptlab.errors import InputError

    pairs: dict[str, str] = {}
    for text in given or ():
        name, mark, value = text.partition("=")
        if not mark or not (name.strip() or empty_names):
            raise InputError(f"{option} {text!r} is not name=value, such as {option} text=good")
        if name.strip() in pairs:
            raise InputError(f"{option} names {name.strip()!r} twice; give it once")
        pairs[name.strip()] = value
    return pairs


def read_model_options(given: Sequence[str] | None) -> dict[str, Any]:
    """``name=value`` options of a model, the values as YAML. Raises `InputError`."""
    from promptlab.errors import InputError, StudyError
    from promptlab.files.safe_yaml import parse_yaml

    options = {}
    for name, text in read_pairs(given, "--model-option").items():
        try:
            options[name] = parse_yaml(text, f"--model-option {name}")[0]
        except StudyError as error:
            raise InputError(str(error)) from error
    return options


def study_folder(study: str, runs: Path) -> Path:
    """A study's folder by its name or its path."""
    from promptlab.files.text_file import is_there

    path = Path(study)
    return path if is_there(path / "study.yaml") else runs / study


def find_template(name_or_text: str) -> tuple[Template, LibraryTemplate | None]:
    """A library template by full name, or a template from its own text (it holds a brace)."""
    from promptlab.errors import InputError
    from promptlab.library.sources import find_template, load_library
    from promptlab.prompts.template import Template

    if "{" in name_or_text:
        return Template(name_or_text), None
    if name_or_text in load_library():
        raise InputError(
            f"{name_or_text!r} is a task of the library; name one of its templates "
            f"(`promptlab template list --task {name_or_text}` shows them)"
        )
    try:
        entry = find_template(name_or_text)
    except InputError as error:
        raise InputError(f"{error} A template's own text would hold {{mask}}.") from error
    return entry.template, entry


def parse_fields(
    template: Template, entry: LibraryTemplate | None, given: dict[str, str]
) -> dict[str, str]:
    """The fields to render: those given, else those of the library entry's example.

    Raises `InputError` for a field that the template does not read, and for one that is missing.
    """
    from promptlab.errors import InputError

    known = {} if entry is None else entry.example
    fields = {name: str(known[name]) for name in template.fields if name in known} | given
    for name in given:
        if name not in template.fields:
            reads = ", ".join(template.fields) or "no field"
            raise InputError(f"--field {name}: the template reads {reads}")
    missing = [name for name in template.fields if name not in fields]
    if missing:
        wanted = " ".join(f"--field {name}=..." for name in missing)
        raise InputError(f"the template reads {', '.join(map(repr, missing))}; give {wanted}")
    return fields


def open_model(name: str, *, device: str = "auto", dtype: str = "auto") -> LanguageModel:
    """Load a model, saying so on standard error when that is a terminal."""
    with console(stderr=True).status(f"Loading {name} …"):
        from promptlab.models.pool import load_model

        return load_model(name, device=device, dtype=dtype)
