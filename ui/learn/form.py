"""The form's values as a small study, and its faults in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import promptlab as pl

from ..components.text_fields import read_answers
from ..components.uploads import LabelledFile
from .own_data import TEST, fitting_sizes
from .presets import DATA, METHODS, RATED

MOST_RATES = 6
DESCRIPTION = "Started to be watched: one trial a learning rate, all of its steps taken."
_MOST = {"steps": 2000, "batch": 256, "tokens": 100, "tried": 512, "shots": 1000, "dev": 1000}
_NAMES = {
    "tokens": "learned tokens",
    "tried": "candidates a step",
    "shots": "examples a label",
    "dev": "dev examples",
    "every": "look at dev every",
}


@dataclass(frozen=True)
class LearnSettings:
    """What is chosen, as the widgets have it."""

    method: str
    data: str
    model: str
    device: str
    dtype: str
    template: str
    answers: str
    rates: str
    steps: float
    batch: float
    tokens: float
    tried: float
    shots: float
    dev: float
    every: float
    file: str = ""
    text: str | None = None
    label: str | None = None


def study_document(
    form: LearnSettings, name: str, own: LabelledFile | None = None
) -> dict[str, Any]:
    """The study that a form stands for; ``own`` is what is in its own file, if it has one.

    Raises `InputError` naming the field that is wrong.
    """
    if form.method not in METHODS:
        raise pl.InputError(f"method: there is no {form.method!r}; use {', '.join(METHODS)}")
    if form.data not in DATA and own is None:
        raise pl.InputError(f"data: there is no {form.data!r} here; use {', '.join(DATA)}")
    rates = read_rates(form.rates) if form.method in RATED else []
    if own is not None and form.method != "head":
        _check_labels(form.answers, own)
    return {
        "study": name,
        "description": DESCRIPTION,
        "task": _task(form, own),
        "model": {"name": form.model, "device": form.device, "dtype": form.dtype},
        "candidates": [_candidate(form, rates)],
        "budget": {"trials": max(1, len(rates))},
    }


def _task(form: LearnSettings, own: LabelledFile | None) -> dict[str, Any]:
    """Data and sizes; of an own file also its columns."""
    shots, dev = _number(form, "shots"), _number(form, "dev")
    if own is None:
        return {"data": form.data, "k": shots, "dev": dev, "test": TEST}
    columns = {"text": form.text, "label": form.label}
    found = {"data": form.file} | {key: name for key, name in columns.items() if name}
    return found | {"k": shots, "dev": dev, "test": fitting_sizes(own)[2]}


def _candidate(form: LearnSettings, rates: list[float]) -> dict[str, Any]:
    """The one group of the study."""
    steps = _number(form, "steps")
    found: dict[str, Any] = {"kind": form.method}
    if form.method == "head":
        found |= {"input": [form.template], "weights": ["frozen"]}
    else:
        text = pl.Template(form.template)  # its fault has a caret
        _check_learned(form.method, form.template)
        found |= {"templates": [text.source], "verbalizers": [read_answers(form.answers)]}
    if form.method == "triggers":
        return found | {
            "method": ["autoprompt"],
            "steps": [steps],
            "top": [_number(form, "tried")],
            "batch": [_number(form, "batch")],
            "dev_examples": _number(form, "dev"),
        }
    if form.method in ("soft_prompt", "p_tuning"):
        found |= {"init": ["labels"]}
    if form.method == "prefix":
        found |= {"length": [_number(form, "tokens")]}
    if form.method == "finetune":
        found |= {"mode": ["model"], "weights": ["lora"]}
    every = min(_number(form, "every"), steps)
    return found | {
        "learning_rate": rates,
        "batch_size": [_number(form, "batch")],
        "steps": steps,
        "evaluate_every": every,
        "patience": math.ceil(steps / every) + 1,  # all steps are taken: they are to be seen
        "dev_examples": _number(form, "dev"),
    }


def _check_labels(answers: str, own: LabelledFile) -> None:
    """Every label of an own file needs its words."""
    given, known = read_answers(answers), [name for name, _ in own.counts]
    left = [name for name in known if not given.get(name)]
    if left:
        raise pl.InputError(
            f"answers: no word for the label {left[0]!r}; the labels are {', '.join(known):.300}"
        )


def _check_learned(method: str, template: str) -> None:
    """A template must have the places that the method fills, and no others."""
    wanted = {"soft_prompt": "soft", "p_tuning": "soft", "triggers": "trigger"}.get(method)
    for place in ("soft", "trigger"):
        if f"{{{place}:" in template and place != wanted:
            raise pl.InputError(
                f"template: {METHODS[method]} learns no {{{place}:N}}; take it out, or choose "
                "another method"
            )
    if wanted and f"{{{wanted}:" not in template:
        raise pl.InputError(
            f"template: say where {METHODS[method]} is to learn by {{{wanted}:8}}, for eight tokens"
        )


def read_rates(text: str) -> list[float]:
    """Learning rates between commas. Raises `InputError` for what is none, or too many."""
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    try:
        rates = list(dict.fromkeys(float(part) for part in parts))
    except ValueError as problem:
        raise pl.InputError(
            f"learning rates: expected numbers between commas, such as 0.3, 0.1; found {text!r}"
        ) from problem
    if not rates or not all(0 < rate < 1000 for rate in rates):
        raise pl.InputError(
            f"learning rates: at least one number above 0, such as 0.3, 0.1; found {text!r}"
        )
    if len(rates) > MOST_RATES:
        raise pl.InputError(
            f"learning rates: {len(rates)} are too many to be watched; at most {MOST_RATES}"
        )
    return rates


def _number(form: LearnSettings, key: str) -> int:
    value, name = getattr(form, key), _NAMES.get(key, key)
    most = _MOST.get(key, _MOST["steps"])
    if not isinstance(value, int | float) or value != int(value) or not 1 <= value <= most:
        raise pl.InputError(f"{name}: expected a whole number from 1 to {most}, found {value}")
    return int(value)
