"""Prompts that fit the context window: fields are shortened, never the template or the slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptlab.errors import TemplateError
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.prompt import Prompt, Text
from promptlab.template import Demonstration, Template

_TOKENS_A_CHARACTER = 4
"""A tokenizer makes at most one token a byte of UTF-8, so short prompts need no counting."""
_SPECIAL_TOKENS = 16


def render_within(
    template: Template,
    example: Example,
    demonstrations: Sequence[Demonstration],
    model: LanguageModel,
    reserve: int,
) -> Prompt:
    """Render, and shorten the longest fields to a common length when the window is too small.

    ``reserve`` tokens are kept free for the answer. ``Prompt.shortened`` names what was cut.
    Raises `TemplateError` when not even empty fields make the prompt fit.
    """
    limit = model.max_tokens - reserve
    prompt = template.render(example, demonstrations)
    characters = sum(len(s.text) for s in prompt.segments if isinstance(s, Text))
    if characters * _TOKENS_A_CHARACTER + _SPECIAL_TOKENS <= limit and not prompt.chat:
        return prompt
    if model.count_tokens(prompt) <= limit:
        return prompt
    shortest = _shortened(template, example, demonstrations, model, 0)
    if model.count_tokens(shortest) > limit:
        raise TemplateError(
            f"the template alone has {model.count_tokens(shortest)} tokens without any field, and "
            f"{model.name} has room for {limit} beside the answer; use a shorter template or "
            "fewer demonstrations",
            text=template.source,
        )
    low, high = 0, limit
    while low < high:  # the largest common field length that fits
        middle = (low + high + 1) // 2
        candidate = _shortened(template, example, demonstrations, model, middle)
        low, high = (middle, high) if model.count_tokens(candidate) <= limit else (low, middle - 1)
    return _shortened(template, example, demonstrations, model, low)


def _shortened(
    template: Template,
    example: Example,
    demonstrations: Sequence[Demonstration],
    model: LanguageModel,
    tokens: int,
) -> Prompt:
    """The prompt with every field cut to ``tokens`` tokens."""
    fields = {name: model.cut(value, tokens) for name, value in example.fields.items()}
    cut = [name for name in template.fields if fields.get(name) != example.fields.get(name)]
    solved = [
        replace(d, fields={name: model.cut(value, tokens) for name, value in d.fields.items()})
        for d in demonstrations
    ]
    return replace(template.render(fields, solved), shortened=tuple(cut))
