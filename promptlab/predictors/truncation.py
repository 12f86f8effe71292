"""Prompts that fit the context window: fields are shortened, never the template or the slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import TemplateError
from promptlab.evaluation.truncation_count import FIELDS, TOKENS, truncation_facts
from promptlab.models.base import LanguageModel
from promptlab.prompts.prompt import Prompt, Text
from promptlab.prompts.template import Demonstration, Placement, Template

_TOKENS_A_CHARACTER = 4
"""A tokenizer makes at most one token a byte of UTF-8, so short prompts need no counting."""
_SPECIAL_TOKENS = 16


def render_truncated(
    template: Template,
    example: Example,
    demonstrations: Sequence[Demonstration],
    model: LanguageModel,
    reserve: int,
    placement: Placement = "before",
) -> Prompt:
    """Render, and shorten the longest fields to a common length when the window is too small.

    Args:
        template: The template; its own words are never cut.
        example: The example whose fields are rendered.
        demonstrations: Solved examples, in the order in which they stand; their fields are
            shortened, too.
        model: The model whose tokens are counted and whose context window is to hold the prompt.
        reserve: How many tokens are kept free for the answer.
        placement: Whether demonstrations stand *before* or *after* the input, as in
            `Template.render`.

    Returns:
        The prompt. Its ``shortened`` names the fields that were cut, its ``cut_tokens`` says by
        how many tokens.

    Raises:
        TemplateError: When the prompt does not fit even with empty fields, and when the example
            lacks a field.

    Example:
        >>> template = pl.Template("{text} It was {mask}.")
        >>> example = pl.Example("1", {"text": "A fine film. " * 500})
        >>> prompt = render_truncated(template, example, [], model, reserve=1)
        >>> prompt.shortened, model.count_tokens(prompt) < model.max_tokens
        (('text',), True)
    """
    limit = model.max_tokens - reserve
    prompt = template.render(example, demonstrations, placement)
    if fits_without_counting(prompt, model, limit) or (size := model.count_tokens(prompt)) <= limit:
        return prompt
    # From here on no field is longer than the window, however long the text was.
    fields = _cut(example.fields, model, limit)
    solved = [replace(d, fields=_cut(d.fields, model, limit)) for d in demonstrations]

    def rendered(tokens: int) -> Prompt:
        shorter = [replace(d, fields=_cut(d.fields, model, tokens)) for d in solved]
        return template.render(_cut(fields, model, tokens), shorter, placement)

    least = model.count_tokens(rendered(0))
    if least > limit:
        raise TemplateError(
            f"the template alone has {least} tokens without any field, and {model.name} has room "
            f"for {limit} beside the answer; use a shorter template or fewer demonstrations",
            text=template.source,
        )
    low, high = 0, limit
    while low < high:  # the largest common field length that fits
        middle = (low + high + 1) // 2
        fits = model.count_tokens(rendered(middle)) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    whole = [example.fields, *(d.fields for d in demonstrations)]
    names = [
        name
        for name in template.fields
        if any(name in v and model.truncate(v[name], low) != v[name] for v in whole)
    ]
    found = rendered(low)
    lost = max(0, size - model.count_tokens(found))
    return replace(found, shortened=tuple(names), cut_tokens=lost)


def fits_without_counting(prompt: Prompt, model: LanguageModel, limit: int) -> bool:
    """Whether the prompt has at most ``limit`` tokens by its length alone, without counting."""
    characters = sum(len(s.text) for s in prompt.segments if isinstance(s, Text))
    most = characters * _TOKENS_A_CHARACTER + prompt.learned_tokens + model.prefix_tokens
    return not prompt.chat and most + _SPECIAL_TOKENS <= limit


def truncation_record(*prompts: Prompt) -> dict[str, Any] | None:
    """What a prediction's trace says of fields that were cut; ``None`` when none was."""
    cut = [prompt for prompt in prompts if prompt.shortened]
    facts = [{FIELDS: prompt.shortened, TOKENS: prompt.cut_tokens} for prompt in cut]
    return truncation_facts(facts) if facts else None


def _cut(fields: Mapping[str, str], model: LanguageModel, tokens: int) -> dict[str, str]:
    """Every field cut to ``tokens`` tokens."""
    return {name: model.truncate(value, tokens) for name, value in fields.items()}
