"""Files of templates from somebody else: read, checked, imported, rendered, changed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

import promptlab as pl
from promptlab.library.entry import read_task_file
from tests.fuzz._mutations import ODD_VALUES, mutated_bytes, mutated_value
from tests.fuzz.harness import Attempt

_PROMPTSOURCE = b"""dataset: imdb
templates:
  1: !Template
    answer_choices: negative ||| positive
    id: '1'
    jinja: "{{text}} Did the reviewer {{\\"like\\"}} it? ||| {{ answer_choices[label] }}"
    metadata: !TemplateMetadata
      choices_in_prompt: false
      metrics: [Accuracy]
      original_task: true
    name: one
    reference: ''
"""
_ENTRY: dict[str, Any] = {
    "name": "one", "text": "{text} It was {mask}.", "note": "mine", "source": "me",
    "answers": {"positive": ["great"], "negative": ["bad", "awful"]},
}  # fmt: skip


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """The shipped files, a PromptSource file and an entry, each with something wrong."""
    os.environ["PROMPTLAB_TEMPLATES"] = str(folder / "own")
    shipped = sorted(Path(__file__).parents[2].joinpath("templates").glob("*.yaml"))
    texts = [path.read_bytes() for path in shipped]
    library = pl.TemplateLibrary()
    while True:
        way = rng.randrange(4)
        path = folder / f"{rng.randrange(20)}.yaml"
        if way == 0:
            data = mutated_bytes(rng, rng.choice(texts))
            yield _label(data), _reads(path, data)
        elif way == 1:
            data = _dumped(mutated_value(rng, yaml.safe_load(rng.choice(texts))))
            yield _label(data), _imports(path, data)
        elif way == 2:
            data = mutated_bytes(rng, _PROMPTSOURCE)
            yield _label(data), _imports(path, data)
        else:
            entry = mutated_value(rng, _ENTRY)
            name = rng.choice(["sst2/one", "own/two", "x", "", "../x/y", "a/b/c", "ü/ö", "con/nul"])
            if rng.random() < 0.3:
                name = str(rng.choice(ODD_VALUES))
            yield f"save {name!r} {entry!r}"[:300], _saves(library, name, entry)


def _label(data: bytes) -> str:
    return repr(data[:200])


def _dumped(value: Any) -> bytes:
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
    return text.encode("utf-8", "surrogatepass")


def _reads(path: Path, data: bytes) -> Callable[[], object]:
    def attempt() -> None:
        path.write_bytes(data)
        for item in read_task_file(path).templates.values():
            item.to_row()
            item.template.render(dict.fromkeys(item.template.fields, "x"))

    return attempt


def _imports(path: Path, data: bytes) -> Callable[[], object]:
    def attempt() -> None:
        path.write_bytes(data)
        library = pl.TemplateLibrary()
        library.import_file(path, replace=True)
        library.export(item.full_name for item in library.templates())

    return attempt


def _saves(library: Any, name: str, entry: Any) -> Callable[[], object]:
    def attempt() -> None:
        library.save(name, entry, replace=True)

    return attempt
