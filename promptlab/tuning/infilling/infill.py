"""Templates that a model fills in around the training examples of every class and their answers."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.prompts.template import Template
from promptlab.tuning.infilling.fillers import (
    Filler,
    HoleTexts,
    OnStep,
    SearchSize,
    Sides,
    find_filler,
)

Shape = Literal["after", "before", "between"]
"""Where the holes stand: after the text, before it, or between the texts of a pair."""


@dataclass(frozen=True)
class InfilledTemplate:
    """A template with what it was filled in by.

    Args:
        text: The template.
        score: The sum of the log-probabilities of its words over all examples, in nats.
        shape: Where its words stand.

    Example:
        >>> InfilledTemplate("{text} It was {mask}.", -41.5, "after").record()["score"]
        -41.5
    """

    text: str
    score: float
    shape: Shape

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {"text": self.text, "score": self.score, "shape": self.shape}


@dataclass(frozen=True)
class InfillingResult:
    """The templates, and what was left out.

    Args:
        templates: The likeliest first.
        model: Who has filled them in.
        examples: How many training examples each was to be likely in, by label.
        dropped: How many fillings were dropped, by reason.
        unused_labels: Labels without a training example.

    Example:
        >>> InfillingResult((), "t5", {"good": 3}).describe()
        ['0 templates by t5 around 3 examples (good 3)']
    """

    templates: tuple[InfilledTemplate, ...]
    model: str
    examples: Mapping[str, int]
    dropped: Mapping[str, int] = field(default_factory=dict)
    unused_labels: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """What was used and left out, in sentences."""
        told = ", ".join(f"{label} {count}" for label, count in self.examples.items())
        found = [
            f"{len(self.templates)} templates by {self.model} around "
            f"{sum(self.examples.values())} examples ({told})"
        ]
        found += [f"{count} dropped: {reason}" for reason, count in self.dropped.items()]
        if self.unused_labels:
            found.append(f"no training example is labelled {', '.join(self.unused_labels)}")
        return found

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "templates": [template.record() for template in self.templates],
            "model": self.model, "examples": dict(self.examples), "dropped": dict(self.dropped),
            "unused_labels": list(self.unused_labels),
        }  # fmt: skip


@dataclass(frozen=True)
class InfillingOptions:
    """How templates are searched.

    Args:
        shapes: Where words may stand; *between* is for two fields.
        beams: How many texts a search keeps.
        most_tokens: In each of the two holes.
        least_tokens: In the hole before the answer.
        per_label: Training examples of each label at most, drawn by ``seed``.
        top: How many templates are kept.
        seed: Draws the examples.

    Raises:
        InputError: For a number below 1 or no shape.

    Example:
        >>> InfillingOptions(beams=0)
        Traceback (most recent call last):
            ...
        promptlab.errors.InputError: beams is 0; use 1 or more
    """

    shapes: tuple[Shape, ...] = ("after",)
    beams: int = 20
    most_tokens: int = 8
    least_tokens: int = 1
    per_label: int = 16
    top: int = 10
    seed: int = 13

    def __post_init__(self) -> None:
        for name in ("beams", "most_tokens", "per_label", "top"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; use 1 or more")
        if not self.shapes:
            raise InputError("name a shape: after, before or between")


def infill_templates(
    model: LanguageModel,
    examples: Sequence[Example],
    answers: Mapping[str, str],
    fields: Sequence[str],
    options: InfillingOptions | None = None,
    *,
    on_step: OnStep | None = None,
    cancellation: Cancellation | None = None,
) -> InfillingResult:
    """Let a model fill in what stands between texts and the answers of their labels.

    A template is to be likely around all examples at once: what is maximised is the sum of its
    log-probabilities over them (Gao et al. 2021, LM-BFF).

    Args:
        model: See `find_filler`.
        examples: Labelled training examples.
        answers: One word for every label.
        fields: The one or two fields that are the text.
        options: See `InfillingOptions`.
        on_step: Is told how far the search is.
        cancellation: Stops it between two steps.

    Returns:
        The templates, the likeliest first, and what was dropped.

    Raises:
        CapabilityError: For a model that fills no holes.
        InputError: For fields or answers that cannot be used, or where no example has a label of
            the answers.
        Cancelled: When it was stopped.
    """
    options = options or InfillingOptions()
    _check(answers, fields, options)
    filler = find_filler(model)
    chosen, counts = _draw(examples, answers, options)

    def step(told: str) -> None:
        if cancellation is not None:
            cancellation.check()
        if on_step is not None:
            on_step(told)

    found: list[InfilledTemplate] = []
    dropped: Counter[str] = Counter()
    for shape in options.shapes:
        found += _filled(filler, chosen, answers, fields, shape, options, step, dropped)
    unique: dict[str, InfilledTemplate] = {}
    for template in sorted(found, key=lambda one: -one.score):
        if template.text in unique:
            dropped["it repeats another one"] += 1
        unique.setdefault(template.text, template)
    kept = tuple(unique.values())[: options.top]
    unused = tuple(label for label in answers if not counts.get(label))
    return InfillingResult(kept, model.name, counts, dict(dropped.most_common()), unused)


def _filled(
    filler: Filler,
    chosen: Sequence[Example],
    answers: Mapping[str, str],
    fields: Sequence[str],
    shape: Shape,
    options: InfillingOptions,
    step: OnStep,
    dropped: Counter[str],
) -> list[InfilledTemplate]:
    """The templates of one shape; what is dropped is counted."""
    sides = [_sides(example, answers[str(example.label)], fields, shape) for example in chosen]
    size = SearchSize(options.beams, options.most_tokens, options.least_tokens)
    texts = filler.fill(sides, size, step)
    found = []
    for one in texts:
        text = _template_text(one, fields, shape)
        reason = _fault(one, text, answers)
        if reason is None:
            found.append(InfilledTemplate(text, one.score, shape))
        else:
            dropped[reason] += 1
    return found


def _sides(example: Example, answer: str, fields: Sequence[str], shape: Shape) -> Sides:
    texts = [str(example.fields[name]).strip() for name in fields]
    if shape == "between":
        return Sides(texts[0], answer, texts[1])
    text = " ".join(texts)
    return Sides(text, answer, "") if shape == "after" else Sides("", answer, text)


def _template_text(texts: HoleTexts, fields: Sequence[str], shape: Shape) -> str:
    """The words around the slot with the fields, braces written so that they are words."""
    left, right = (re.sub(r"([{}\\])", r"\\\1", part) for part in (texts.left, texts.right))
    names = ["{" + name + "}" for name in fields]
    first, last = {
        "after": (" ".join(names), ""),
        "before": ("", " " + " ".join(names)),
        "between": (names[0], " " + names[-1]),
    }[shape]
    return re.sub(r"[ \t]+", " ", f"{first}{left}{{mask}}{right}{last}").strip()


def _fault(texts: HoleTexts, text: str, answers: Mapping[str, str]) -> str | None:
    words = f"{texts.left} {texts.right}"
    if not re.search(r"\w", words):
        return "it has no word"
    if not texts.reads_back:
        return "its tokens do not read back"
    said = set(re.findall(r"\w+", words.casefold()))
    if any(set(re.findall(r"\w+", answer.casefold())) & said for answer in answers.values()):
        return "it holds an answer"
    try:
        Template(text)
    except InputError:
        return "it is no template"
    return None


def _draw(
    examples: Sequence[Example], answers: Mapping[str, str], options: InfillingOptions
) -> tuple[list[Example], dict[str, int]]:
    """As many examples of each label as asked for, and their counts."""
    chance = random.Random(options.seed)
    found: list[Example] = []
    counts: dict[str, int] = {}
    for label in answers:
        own = [example for example in examples if example.label == label]
        taken = chance.sample(own, min(options.per_label, len(own)))
        found += taken
        if taken:
            counts[label] = len(taken)
    if not found:
        raise InputError(
            f"no training example has one of the labels {', '.join(answers)}; give some, or the "
            "answers of the labels that there are"
        )
    return found, counts


def _check(answers: Mapping[str, str], fields: Sequence[str], options: InfillingOptions) -> None:
    if len(answers) < 2:
        raise InputError("infilling needs the answers of at least two labels")
    empty = [label for label, answer in answers.items() if not answer.strip()]
    if empty:
        raise InputError(f"the label {empty[0]!r} has an empty answer")
    if not 1 <= len(fields) <= 2:
        raise InputError(f"infilling is for one or two fields; found {len(fields)}")
    if "between" in options.shapes and len(fields) != 2:
        raise InputError("the shape between is for data with two fields; use after or before")
