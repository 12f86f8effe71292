"""Prompts as they are listed for comparison, and the predictors that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import promptlab as pl
from promptlab.library import tasks
from promptlab.prompts import parser_from_settings

from ..components.text_fields import LONGEST, format_answers, read_answers

CALIBRATIONS = [
    ("none", "none"),
    ("contextual (Zhao et al. 2021)", "contextual"),
    ("PMI (Holtzman et al. 2021)", "pmi"),
    ("batch (Zhou et al. 2023)", "batch"),
]
MOST_DEMONSTRATIONS = 32
_REPLY_TOKENS = 32
_STARTING = (
    ("sentiment/it-was-prefix", "none"),
    ("sentiment/it-was-prefix", "contextual"),
    ("sentiment/review-sentiment", "contextual"),
)


@dataclass(frozen=True)
class ListedPrompt:
    """One prompt of the list. ``library`` is the full name of the template it was taken from.

    ``answers`` are ``label: answer, answer`` a line, empty for a template whose reply is parsed.
    """

    name: str
    template: str
    answers: str
    calibration: str = "none"
    demonstrations: int = 0
    library: str = ""

    @property
    def short(self) -> str:
        """What stands at the head of its column."""
        parts = [self.name]
        if self.calibration != "none":
            parts.append(self.calibration)
        if self.demonstrations:
            parts.append(f"{self.demonstrations} shown")
        return " · ".join(parts)

    def predictor(self, model: pl.LanguageModel, labels: Sequence[str]) -> pl.Predictor:
        """The unfitted predictor. Raises `InputError` where the answers are not the labels'."""
        template, item = self._template(), self._item()
        shown = self.demonstrations
        if not self.answers.strip():
            if item is None or item.parser is None:
                raise pl.InputError(f"the prompt {self.name} has no answers: give every label one")
            parser = parser_from_settings(item.parser)
            decoding = pl.Decoding(max_tokens=_REPLY_TOKENS)
            return pl.PromptGenerator(
                template, parser, model, decoding=decoding, demonstrations=shown
            )
        words = read_answers(self.answers)
        same = item is not None and item.answers is not None and words == _words(item.verbalizer)
        verbalizer = item.verbalizer if item is not None and same else pl.Verbalizer(words)
        if labels:
            verbalizer.check_labels(labels)
        calibration: Any = self.calibration  # the classifier checks it
        return pl.PromptClassifier(
            template, verbalizer, model, calibration=calibration, demonstrations=shown
        )

    def _item(self) -> Any:
        known = {item.full_name: item for item in pl.templates()} if self.library else {}
        return known.get(self.library)

    def _template(self) -> pl.Template:
        """The library's template, unless its text was changed."""
        item = self._item()
        if item is not None and item.template.source == self.template:
            return item.template
        return pl.Template(self.template)


def list_prompt(
    library: str, template: str, answers: str, calibration: str, demonstrations: float | None
) -> ListedPrompt:
    """A prompt from the form's boxes. Raises `InputError` for a fault in any of them."""
    if max(len(template), len(answers)) > LONGEST:
        raise pl.InputError(f"texts have at most {LONGEST:,} characters here")
    shown = int(demonstrations or 0)
    if not 0 <= shown <= MOST_DEMONSTRATIONS:
        raise pl.InputError(f"{shown} demonstrations; there may be 0 to {MOST_DEMONSTRATIONS}")
    name = library.partition("/")[2] or "own"
    known = {item.full_name: item for item in pl.templates()}
    if library not in known or known[library].template.source != template:
        name, library = f"{name}, edited" if library else name, ""
    made = ListedPrompt(name, template, answers, calibration, shown, library)
    pl.Template(template)  # a fault is told when it is added
    if answers.strip():
        pl.Verbalizer(read_answers(answers))
    elif not library:
        raise pl.InputError("write answers: label: answer, answer – one label a line")
    return made


def starting_prompts() -> list[ListedPrompt]:
    """What the list holds at first: one template without and with calibration, and another."""
    known = {item.full_name: item for item in pl.templates()}
    return [from_library(known[name], calibration) for name, calibration in _STARTING]


def from_library(item: Any, calibration: str = "none", demonstrations: int = 0) -> ListedPrompt:
    """A template of the library with its own answers, or its parser."""
    answers = format_answers(item.verbalizer) if item.answers is not None else ""
    calibration = calibration if answers else "none"
    return ListedPrompt(
        item.name, item.template.source, answers, calibration, demonstrations, item.full_name
    )


def number_prompts(prompts: Sequence[ListedPrompt]) -> list[str]:
    """The prompts' names in the list, a number where two are alike."""
    shorts = [prompt.short for prompt in prompts]
    counts = [shorts[: place + 1].count(short) for place, short in enumerate(shorts)]
    return [
        f"{short} ({count})" if count > 1 else short
        for short, count in zip(shorts, counts, strict=True)
    ]


def select_prompts(prompts: Sequence[ListedPrompt], ticked: Sequence[str]) -> list[ListedPrompt]:
    """The ticked prompts, in the order of the list."""
    return [p for p, name in zip(prompts, number_prompts(prompts), strict=True) if name in ticked]


def usable_templates() -> list[str]:
    """Full names of the library's templates that give labels or a parsed reply."""
    return [i.full_name for i in pl.templates() if i.answers is not None or i.parser is not None]


def fitting_templates(task: pl.Task) -> list[str]:
    """Those of `usable_templates` whose labels and fields are the task's; all if there are none."""
    found = [
        item.full_name
        for group in tasks()
        for item in group.templates.values()
        if set(item.template.fields) <= set(task.fields) and set(group.labels) == set(task.labels)
    ]
    return [name for name in usable_templates() if name in found] or usable_templates()


def make_predictor(prompt: ListedPrompt, load: Any, labels: Sequence[str]) -> Any:
    """What a grid calls when the prompt's turn comes; ``load`` gives the model."""
    return partial(_made, prompt, load, tuple(labels))


def _made(prompt: ListedPrompt, load: Any, labels: tuple[str, ...]) -> pl.Predictor:
    return prompt.predictor(load(), labels)


def _words(verbalizer: pl.Verbalizer) -> dict[str, list[str]]:
    return {label: list(words) for label, words in verbalizer.mapping().items()}
