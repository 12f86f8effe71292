"""What a study is begun from: a shipped one, one that was run, a file of one's own, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.study import dump_yaml
from promptlab.study import shipped_studies

from ...components.uploads import uploaded_file
from ...context import AppContext
from .yaml_edit import edit_yaml, parse_yaml_text

EMPTY = "an empty study"
_SHIPPED, _RUN = "shipped: ", "run before: "
_LARGEST = 200_000


def list_starting_points(runs: Path) -> list[str]:
    """What may be begun from, by the names that `starting_yaml` knows."""
    run = sorted(path.parent.name for path in runs.glob("*/study.yaml"))
    shipped = [name for name, path in shipped_studies().items() if path.is_file()]
    return [EMPTY, *(f"{_SHIPPED}{n}" for n in shipped), *(f"{_RUN}{n}" for n in run)]


def starting_yaml(context: AppContext, chosen: str) -> str:
    """The YAML of a beginning, under a name that is still free. Raises `InputError`."""
    if chosen == EMPTY:
        return empty_study_yaml(context)
    if chosen.startswith(_SHIPPED):
        shipped = shipped_studies()
        name = chosen.removeprefix(_SHIPPED)
        if name not in shipped:
            raise pl.InputError(f"no shipped study {name!r}")
        text = shipped[name].read_text(encoding="utf-8")
    else:
        name = chosen.removeprefix(_RUN)
        text = _kept(context.study_folder(name) / "study.yaml")
    return edit_yaml(text, ("study",), context.queue.free_name(name))


def empty_study_yaml(context: AppContext) -> str:
    """A small study that runs as it is."""
    return dump_yaml(
        {
            "study": context.queue.free_name("my-study"),
            "description": "Which prompt is best?",
            "task": {"data": "sst2", "dev": 200},
            "model": context.models[0],
            "candidates": [
                {
                    "kind": "template",
                    "templates": [
                        "sentiment/it-was",
                        "sentiment/and-that-is",
                        "sentiment/all-in-all",
                        "sentiment/review-sentiment",
                    ],
                    "calibration": ["none", "contextual"],
                },
            ],
            "budget": {"trials": 20},
            "seed": 13,
        }
    )


def proposed_study_yaml(
    context: AppContext, data: str, text: str, label: str, model: str
) -> tuple[str, str]:
    """The YAML of a study for an uploaded file, and remarks on it. Raises `InputError`."""
    file = uploaded_file(context.policy, data)
    found = pl.propose_study(
        file,
        text=text or None,
        label=label or None,
        model=model or context.models[0],
        name=context.queue.free_name(_plain(file.stem)),
    )
    document = dict(found.document)
    document["task"] = document["task"] | {"data": data}
    remarks = "".join(f"# {line}\n" for line in found.remarks)
    return remarks + dump_yaml(document), "\n".join(found.remarks)


def _plain(name: str) -> str:
    kept = "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "-" for c in name)
    return kept.strip("-.") or "study"


def _kept(path: Path) -> str:
    """A study that was run, as people write one: without what was resolved and left at defaults."""
    text = path.read_text(encoding="utf-8")
    if len(text) > _LARGEST:
        raise pl.InputError(f"{path.parent.name}: its study.yaml is too long for this page")
    document = parse_yaml_text(text)
    document.pop("resolved", None)
    made: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if v is not None}
        if value is not None and value != "":
            made[key] = value
    return dump_yaml(made)
