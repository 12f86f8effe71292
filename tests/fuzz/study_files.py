"""Study files: shipped ones changed in their structure and their letters, and garbage of YAML."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

import promptlab as pl
from promptlab.errors import DataError
from promptlab.study import StudyPolicy, shipped_studies, validate_study
from promptlab.study.spec.check import check_study
from tests.helpers.study_fixtures import write_reviews

_PLACES = ("study.yaml", "candidates", "task", "model", "budget", "decision", "seed", "objectives")
_TEXTS = (
    "", " ", "\0", "\ud800", "x" * 300, "..", "/etc/passwd", "con", "a\nb", "{text}", "{mask}",
    "{{ 7 * 7 }}", "{soft:99999999999}", "this:Zen", "os:system", "antigravity:x", "..:x",
    "promptlab.cli.app:app", "promptlab_canary:Kind", "!!python/name:os.system", "nan", "1e999",
    "𝕊tudy", "é", "e\u0301", "\u202e", "-1", "None", "true", "sst2", "remote:m@http://127.0.0.1:9",
    "reasoning-gym:chain_sum", "file:///dev/zero", "/dev/zero", "/dev/stdin", "~", "$HOME",
)  # fmt: skip
_NUMBERS = (
    math.nan, math.inf, -math.inf, -1, 0, 1, 2**31, 2**32, 2**63, 10**30, 10**400, 1e308, -1e308,
    5e-324, 0.5, True, False,
)  # fmt: skip
_PIECES = (
    "a: ", "- ", "? ", ": ", "&a ", "*a", "<<: *a", "[", "]", "{", "}", "|\n", ">\n", "'", '"',
    "#", "---\n", "...\n", "!!set ", "!!binary ", "!!python/object/apply:os.system ", "!x ",
    "%YAML 1.1\n", "\t", "\r\n", "\ufeff",
    "\0", "\ud800", "\u2028", "010", "12:30:45", "2001-01-01", "0x1f",
    ".nan", "~", "kind: ", "template",
    "study: a\n", "task: sst2\n", "candidates:\n", "  ", "\n", "é", "\\",
)  # fmt: skip
_OWN = {"negative": "bad", "positive": "good"}


def attempts(rng: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Texts that are read, checked, and where they are valid dry-run without a model."""
    data = write_reviews(folder / "reviews.csv", rows=40)
    shipped = [path.read_text(encoding="utf-8") for path in shipped_studies().values()]
    documents = [yaml.safe_load(text) for text in shipped] + [_small(data)] * len(shipped)
    while True:
        kind = rng.randrange(4)
        if kind == 0:
            text = _mutated_text(rng, rng.choice(shipped))
        elif kind == 1:
            text = "".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 60)))
        else:
            document = copy.deepcopy(rng.choice(documents))
            for _ in range(rng.randrange(1, 4)):
                document = _mutated(rng, document, rng.choice(documents))
            text = _written(document)
        yield text[:300], lambda text=text: _attack(text, folder, data)  # type: ignore[misc]


def _small(data: Path) -> dict[str, Any]:
    texts = [{"text": "{text} It was {mask}.", "answers": _OWN}, "{text} A {mask} one."]
    read = {
        "text": "{text} {mask}",
        "parser": {"type": "choice", "choices": {"negative": ["bad"], "positive": ["good"]}},
    }
    thought = {"kind": "chain_of_thought", "templates": [read], "temperature": [0.5]}
    return {
        "study": "small",
        "task": {"data": str(data), "train": 8, "dev": 10, "test": 10},
        "candidates": [
            {"kind": "template", "templates": texts[:1], "calibration": ["none", "batch"]},
            {"kind": "demonstrations", "templates": texts[:1], "count": [1, 2], "seed": [1]},
{"kind": "self_consistency", "inner": thought},
        ],
        "budget": {"trials": 4},
    }  # fmt: skip


def _attack(text: str, folder: Path, data: Path) -> None:
    """Read it in every way; whatever is found wrong is a complaint."""

    def load(**options: Any) -> pl.Task:
        """The data of the small study alone: nothing is fetched, nothing large is read."""
        if options["name"] != str(data):
            raise DataError(f"{options['name']!r:.80} is not here")
        return pl.load_task(**options)

    for one in validate_study(text, load=load):
        assert isinstance(one.text, str) and len(one.text) < 50_000
    policy = StudyPolicy(models=("smollm2-135m",), folders=(folder,))
    validate_study(text, policy=policy, load=load)
    path = folder / "attacked.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    spec = pl.load_spec(path, {"model.device": "cpu"})
    again = pl.load_spec(spec.document(), source="again")
    assert again.document() == spec.document(), "a study read again is another one"
    assert again.fingerprint == spec.fingerprint
    _, space = check_study(spec, load=load)
    if space is not None:
        space.enumerate(200)


def _written(document: Any) -> str:
    try:
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    except (yaml.YAMLError, ValueError):  # numbers that Python itself does not write
        return repr(document)[:100_000]


def _mutated(rng: random.Random, document: Any, other: Any) -> Any:
    """The document with one value changed, moved, doubled, or taken from another one."""
    path = _path(rng, document)
    if not path:
        return _value(rng)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    key, deed = path[-1], rng.randrange(7)
    if deed <= 2:
        parent[key] = _value(rng)
    elif deed == 3:
        del parent[key]
    elif deed == 4:
        parent[key] = [copy.deepcopy(parent[key])] * rng.choice((0, 1, 2, 50))
    elif deed == 5:
        found = other
        for step in _path(rng, other):
            found = found[step]
        parent[key] = copy.deepcopy(found)
    elif isinstance(parent, dict):
        parent[rng.choice(_TEXTS) if rng.random() < 0.5 else rng.choice(_PLACES)] = parent.pop(key)
    return document


def _path(rng: random.Random, value: Any) -> list[Any]:
    """The way to a random place inside of a value."""
    path: list[Any] = []
    while isinstance(value, dict | list) and value and (not path or rng.random() < 0.75):
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        path.append(key)
        value = value[key]
    return path


def _value(rng: random.Random) -> Any:
    match rng.randrange(6):
        case 0 | 1:
            return rng.choice(_TEXTS)
        case 2 | 3:
            return rng.choice(_NUMBERS)
        case 4:
            return [_value(rng) for _ in range(rng.randrange(4))]
    return {rng.choice(_TEXTS): _value(rng) for _ in range(rng.randrange(3))}


def _mutated_text(rng: random.Random, text: str) -> str:
    """The text with letters taken out, doubled, exchanged or put in."""
    for _ in range(rng.randrange(1, 6)):
        place, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        match rng.randrange(4):
            case 0:
                text = text[:place] + text[min(end, place + 40) :]
            case 1:
                text = text[:place] + rng.choice(_PIECES + _TEXTS) + text[place:]
            case 2:
                text = text[:place] + text[place:end] * 2 + text[end:]
            case 3:
                text = text[:place] + chr(rng.randrange(0x11000)) + text[place + 1 :]
    return text
