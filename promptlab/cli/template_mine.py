"""``promptlab template mine``: templates for a relation out of a corpus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptlab.cli.output import Json, console, note, print_json, print_listing

if TYPE_CHECKING:
    from promptlab.data.corpus.entity_pairs import EntityPairs
    from promptlab.data.corpus.reader import CorpusProgress, OnCorpusProgress
    from promptlab.library.mining.mine import MiningResult

_SECONDS = 10.0
"""Between two lines about progress where no terminal shows a bar."""


class MiningMethod(StrEnum):
    """What of a sentence becomes a template."""

    middle = "middle"
    dependency = "dependency"
    both = "both"


def mine(
    corpus: Annotated[
        Path,
        typer.Argument(
            help="A text with a document or a sentence a line, or JSON Lines; maybe .gz."
        ),
    ],
    pairs: Annotated[
        Path, typer.Argument(help="Subjects and objects: a .csv, .tsv or .jsonl file.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Also write a .yaml file for `template import`.")
    ] = None,
    method: Annotated[
        MiningMethod, typer.Option(help="Middle words, dependency paths (spaCy), or both.")
    ] = MiningMethod.middle,
    pipeline: Annotated[
        str | None, typer.Option(help="The spaCy pipeline that parses, such as en_core_web_sm.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="The most templates.")] = 20,
    min_pairs: Annotated[
        int, typer.Option(min=1, help="The fewest distinct pairs that a template covers.")
    ] = 2,
    max_words: Annotated[
        int, typer.Option(min=1, help="The most words beside the two slots.")
    ] = 10,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="Find names in any case.")
    ] = False,
    subject: Annotated[str | None, typer.Option(help="The column of the subjects.")] = None,
    object: Annotated[str | None, typer.Option(help="The column of the objects.")] = None,
    field: Annotated[
        str | None, typer.Option(help="What templates call the subject (default: its column).")
    ] = None,
    text: Annotated[
        str, typer.Option("--text", help="The field of a JSON Lines corpus that is the text.")
    ] = "text",
    task: Annotated[
        str | None, typer.Option(help="The task's name in --out (default: that of the pairs).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Mine templates for a relation: how a corpus says that a subject has its object.

    The words between the two names (or the dependency path between them) are a template; the more
    pairs of the file stand so, the better it is. Which sentences name which pair is kept, so that
    a second run with the same pairs does not read the corpus again.
    """
    from promptlab.data.corpus.entity_pairs import read_entity_pairs
    from promptlab.library.mining.mine import MiningOptions, mine_templates

    options = MiningOptions(
        method=method.value, pipeline=pipeline, top=top, min_pairs=min_pairs,
        max_words=max_words, ignore_case=ignore_case, column=text, field=field,
    )  # fmt: skip
    check_target(out)
    known = read_entity_pairs(pairs, subject=subject, object=object, ignore_case=ignore_case)
    with _show_progress() as on_progress:
        result = mine_templates(corpus, known, options, on_progress=on_progress)
    if out is not None:
        _write(result, corpus, out, _task_name(task, pairs))
    if as_json:
        print_json(result.record() | {"file": None if out is None else str(out)})
        return
    print_listing(
        ("template", "pairs", "sentences", "found by", "causal models"),
        [
            (
                item.text,
                item.pairs,
                item.sentences,
                " and ".join(item.methods),
                "write or score" if item.text.endswith("{mask}") else "score given answers",
            )
            for item in result.templates
        ],
        numbers=("pairs", "sentences"),
    )
    _tell(result, known, out)


def _tell(result: MiningResult, pairs: EntityPairs, out: Path | None) -> None:
    """What was read and left out, and what to do with the templates."""
    note("")
    for line in result.describe():
        note(line)
    if any(not item.text.endswith("{mask}") for item in result.templates):
        note(
            "where the slot stands first, masked and encoder-decoder models fill it; a causal "
            "model scores given answers by the whole sentence, and cannot write into it"
        )
    if out is not None:
        note(f"Wrote {len(result.templates)} templates to {out}")


def check_target(out: Path | None) -> None:
    """Refuse a file that is there already, or has another ending, before gigabytes are read."""
    from promptlab.errors import DataError

    if out is None:
        return
    if out.suffix not in (".yaml", ".yml"):
        raise DataError(f"--out {out}: templates stand in files that end in .yaml; name one")
    if out.exists():
        raise DataError(f"{out} exists already; give another name or remove it")


def _task_name(given: str | None, pairs: Path) -> str:
    from promptlab.library.mining.task_document import kebab

    return given or kebab(pairs.name.partition(".")[0]) or "mined"


def _write(result: MiningResult, corpus: Path, out: Path, task: str) -> None:
    from promptlab.files.cache import atomic_write
    from promptlab.files.yaml_dump import dump_yaml
    from promptlab.library.mining.task_document import task_document

    document = task_document(result, corpus, task)
    with atomic_write(out) as partial:
        partial.write_text(dump_yaml(document), encoding="utf-8")


@contextmanager
def _show_progress() -> Iterator[OnCorpusProgress]:
    """A bar on a terminal; elsewhere a line now and then."""
    terminal = console(stderr=True)
    if not terminal.is_terminal:
        yield _LineProgress()
        return
    from rich.progress import Progress, TaskID

    with Progress(console=terminal, transient=True) as shown:
        bars: dict[str, TaskID] = {}

        def show(found: CorpusProgress) -> None:
            if found.stage not in bars:
                bars[found.stage] = shown.add_task(found.stage, total=max(found.total, 1))
            shown.update(bars[found.stage], completed=found.done)

        yield show


class _LineProgress:
    """A line of progress every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, found: CorpusProgress) -> None:
        if time.monotonic() - self._last > _SECONDS:
            self._last = time.monotonic()
            note(str(found))
