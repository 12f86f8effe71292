"""Saved prompts: the winners of decided studies, what they are, and loading one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import promptlab as pl

from ..components.html import chip, count_text, join_markup, note, share_text, whisker
from ..components.markup import Markup
from ..context import AppContext
from ..queue.queue_folder import study_folder

_PARTS = ("description", "context", "input", "cue")
_LONGEST_SHOWN = 4000
_DOCUMENT = "predictor.json"


def saved_predictors(runs: Path) -> list[str]:
    """Names of the studies with a saved winner, the newest first."""
    found = {
        path.parent.parent.name: path.stat().st_mtime
        for path in runs.glob(f"*/best/{_DOCUMENT}")
        if not path.parent.parent.name.startswith(".")
    }
    return sorted(found, key=lambda name: (-found[name], name))


def describe_saved(context: AppContext, name: str) -> dict[str, Any]:
    """What the winner of a study is, without loading its model. Raises `InputError`.

    ``kind``, ``model`` and whether that is ``on_offer``, ``template``, ``answers`` by label,
    ``demonstrations`` (their number), and ``dev`` and ``test`` scores where they are known.
    """
    folder = _folder(context.runs, name)
    document = _read(folder / "best" / _DOCUMENT)
    board = pl.Study(folder).leaderboard() if (folder / "leaderboard.json").is_file() else {}
    best, settings = board.get("best") or {}, document.get("settings") or {}
    model = str((document.get("model") or {}).get("name", ""))
    verbalizer = settings.get("verbalizer")
    answers = verbalizer.get("answers") if isinstance(verbalizer, dict) else None
    return {
        "study": name,
        "kind": str(best.get("kind") or document.get("predictor", "")).replace("_", " "),
        "model": model,
        "on_offer": model in context.models,
        "template": _template(settings.get("template")) or str(best.get("prompt") or ""),
        "answers": {label: list(words) for label, words in (answers or {}).items()},
        "demonstrations": len(settings.get("demonstrations") or ()),
        "learned": (folder / "best" / "learned.safetensors").is_file(),
        "objective": str(board.get("objective") or "accuracy"),
        "task": str((board.get("task") or {}).get("name", "")),
        "dev": best.get("dev"),
        "test": best.get("test"),
    }


def open_saved(context: AppContext, name: str) -> pl.Predictor:
    """The winner of a study, ready to predict. Raises `InputError` if its model is not on offer."""
    told = describe_saved(context, name)
    if not told["on_offer"]:
        raise pl.InputError(
            f"the prompt of {name!r} was found with the model {told['model']!r}, which is not on "
            f"offer here (there are {', '.join(context.models)}); start the workbench with "
            f"`promptlab ui --model {told['model']}`"
        )
    predictor: pl.Predictor = pl.Study(context.study_folder(name)).best()
    return predictor


def saved_predictor_html(told: Mapping[str, Any]) -> Markup:
    """A card about a saved prompt."""
    chips = [chip(told["kind"])] if told["kind"] else []
    chips.append(chip(told["model"]))
    if not told["on_offer"]:
        chips.append(chip("this model is not on offer here", "pl-bad"))
    if told["learned"]:
        chips.append(chip("with learned vectors"))
    if told["demonstrations"]:
        chips.append(chip(f"{told['demonstrations']} demonstrations"))
    if told["task"]:
        chips.append(chip(f"task {told['task']}"))
    answers = join_markup(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(label, ", ".join(words))
        for label, words in told["answers"].items()
    )
    shown = str(told["template"])
    if len(shown) > _LONGEST_SHOWN:
        shown = f"{shown[:_LONGEST_SHOWN]} …"
    return Markup(
        '<section class="pl-card pl-predict-card"><p class="pl-predict-chips">{}</p>'
        '<pre class="pl-prompt">{}</pre>{}{}</section>'
    ).format(
        join_markup(chips),
        shown,
        Markup('<dl class="pl-predict-answers">{}</dl>').format(answers) if answers else "",
        _scores(told),
    )


def _scores(told: Mapping[str, Any]) -> Markup:
    rows = [
        _score(split, told["objective"], told[split])
        for split in ("dev", "test")
        if isinstance(told[split], dict)
    ]
    return join_markup(row for row in rows if row)


def _score(split: str, measure: str, scores: Mapping[str, Any]) -> Markup:
    value = scores.get(measure)
    ends = scores.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
    if not isinstance(value, int | float):
        return Markup("")
    if not 0 <= value <= 1 or not ends or None in ends or not 0 <= ends[0] <= ends[1] <= 1:
        return note(f"{measure} on {split}: {value:.3f}")
    told = f"{share_text(ends[0])} to {share_text(ends[1])}"
    return Markup(
        '<div class="pl-predict-score"><span>{} on {}</span><b>{}</b>{}<small>{}, {}</small></div>'
    ).format(
        measure.replace("_", " "),
        split,
        share_text(value),
        whisker(value, ends[0], ends[1], told),
        told,
        count_text(scores),
    )


def _template(settings: Any) -> str:
    """A template's text; an instruction's parts are put together."""
    if not isinstance(settings, dict):
        return ""
    if settings.get("text"):
        return str(settings["text"])
    parts = settings.get("parts") or {}
    separator = str(settings.get("separator", "\n\n"))
    return separator.join(str(parts[name]) for name in _PARTS if parts.get(name))


def _folder(runs: Path, name: str) -> Path:
    folder = study_folder(runs, name)
    if not (folder / "best" / _DOCUMENT).is_file():
        raise pl.InputError(
            f"the study {name!r} has no winner yet; it is saved when the study is decided"
        )
    return folder


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise pl.InputError(
            f"the saved prompt of {path.parent.parent.name!r} is no JSON document"
        ) from problem
    if not isinstance(document, dict):
        raise pl.InputError(f"the saved prompt of {path.parent.parent.name!r} is no predictor")
    return document
