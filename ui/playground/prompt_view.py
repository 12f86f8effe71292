"""What a model reads of a template and its fields, as plain values for drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import promptlab as pl
from promptlab.models import Token
from promptlab.predictors import render_truncated

from ..components.text_fields import LONGEST

MOST_CHARACTERS = 120_000
"""Of a rendered prompt; a template can make much more of little."""
_FIRST_MARK, _END_MARK, _MOST_MARKS = 0xE100, "\ue0ff", 256
"""Private-use characters around the fields' values, to find them in the rendered prompt."""
_MARKED = re.compile(f"([\ue100-\ue1ff])([^{_END_MARK}\ue100-\ue1ff]*){_END_MARK}")


@dataclass(frozen=True)
class PromptPart:
    """A stretch of the prompt as a reader sees it; ``kind``: text, field, slot, soft, trigger.

    ``name`` is the field's.
    """

    text: str
    kind: str
    name: str = ""


@dataclass(frozen=True)
class PromptView:
    """One prompt: its stretches, its tokens, and how they fit the window.

    ``tokens`` are empty where the model shows none, for the reason in ``problem``; ``count``
    (``None`` if it cannot be said) is their number, or an estimate. ``shortened`` names the
    fields that were cut to fit ``window``.
    """

    prompt: pl.Prompt
    stretches: tuple[PromptPart, ...]
    tokens: tuple[Token, ...]
    problem: str
    count: int | None
    window: int
    shape: str
    shortened: tuple[str, ...]
    model: str
    family: str


def prompt_source(text: str, *, chat: bool = False) -> pl.Template:
    """The template that a box holds. Raises `TemplateError`, with a caret where it can."""
    if len(text) > LONGEST:
        raise pl.InputError(f"the template has {len(text):,} characters; at most {LONGEST:,}")
    return pl.Template(text, chat=chat)


def read_template(
    model: pl.LanguageModel, template: pl.Template, fields: Mapping[str, str]
) -> PromptView:
    """Render a template, shortened to the window with one token of room for the answer.

    Fields that are not given are empty. Raises `InputError` for what cannot be rendered, or is
    too long for a page; what this model alone cannot read is told in ``problem``.
    """
    example = pl.Example("example", {name: fields.get(name, "") for name in template.fields})
    prompt = template.render(example)
    characters = len(str(prompt))
    if characters > MOST_CHARACTERS:
        raise pl.InputError(
            f"the prompt has {characters:,} characters; this page shows up to {MOST_CHARACTERS:,}"
        )
    tokens: tuple[Token, ...] = ()
    problem, count = "", None
    try:
        prompt = render_truncated(template, example, (), model, 1)
    except pl.InputError as told:  # its tokens are worth showing nevertheless
        problem = _summary(told)
    try:
        count = model.count_tokens(prompt)
        tokens = tuple(model.tokens(prompt))
        count = len(tokens)
    except pl.InputError as told:
        problem = problem or str(told)
    return PromptView(
        prompt,
        prompt_parts(template, example.fields, prompt),
        tokens,
        problem,
        count,
        model.max_tokens,
        template.shape,
        prompt.shortened,
        model.name,
        model.family,
    )


def _summary(problem: pl.InputError) -> str:
    """What is wrong, without the template, which stands above."""
    return str(getattr(problem, "summary", problem))


def prompt_parts(
    template: pl.Template, fields: Mapping[str, str], prompt: pl.Prompt
) -> tuple[PromptPart, ...]:
    """The prompt in stretches; the fields' values are told apart where that is certain.

    They are rendered again between marks, and that counts if it makes the same prompt: a
    template that looks into a value, or text that holds such marks, is shown without.
    """
    plain = [piece for segment in prompt.segments for piece in _pieces(segment, [])]
    names = list(fields)
    values = {
        name: f"{chr(_FIRST_MARK + number)}{value}{_END_MARK}"
        for number, (name, value) in enumerate(fields.items())
    }
    if len(names) > _MOST_MARKS:
        return tuple(plain)
    try:
        marked = template.render(values)
    except pl.InputError:
        return tuple(plain)
    found = [piece for segment in marked.segments for piece in _pieces(segment, names)]
    same = "".join(p.text for p in found) == "".join(p.text for p in plain)
    return tuple(found if same else plain)


def _pieces(segment: Any, names: list[str]) -> list[PromptPart]:
    """A segment's stretches; without ``names`` marks are characters as any other."""
    words = getattr(segment, "text", None)
    if words is None:
        return [PromptPart(pl.Prompt((segment,)).fill("{mask}"), type(segment).__name__.lower())]
    if not names:
        return [PromptPart(words, "text")]
    found, start = [], 0
    for match in _MARKED.finditer(words):
        number = ord(match[1]) - _FIRST_MARK
        found.append(PromptPart(words[start : match.start()], "text"))
        if number < len(names):
            found.append(PromptPart(match[2], "field", names[number]))
        start = match.end()
    found.append(PromptPart(words[start:], "text"))
    return [piece for piece in found if piece.text or piece.kind == "field"]
