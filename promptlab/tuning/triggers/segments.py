"""Where the triggers of a template stand: how many tokens, resized, read by a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from promptlab.errors import TemplateError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt, Soft, Trigger
from promptlab.prompts.template import Template

_PLAIN = re.compile(r"(?<!\\)\{\s*trigger:\d+\s*\}")
_JINJA = re.compile(r"trigger\(\s*\d+\s*\)")


def trigger_lengths(template: Template) -> tuple[int, ...]:
    """Tokens of every trigger segment of a template, in order.

    Raises `TemplateError` when there is none, or when vectors are to be learned, too.
    """
    prompt = template.render(dict.fromkeys(template.fields, "x"))
    if any(isinstance(segment, Soft) for segment in prompt.segments):
        raise TemplateError(
            "a trigger search cannot learn {soft:N} vectors; write words or {trigger:N} in their "
            "place",
            text=template.source,
            position=max(0, template.source.find("soft")),
        )
    lengths = tuple(s.count for s in prompt.segments if isinstance(s, Trigger))
    if not lengths:
        raise TemplateError(
            "this template has no trigger to search; write {trigger:3} where it belongs",
            text=template.source,
            position=len(template.source),
        )
    return lengths


def with_trigger_length(template: Template, length: int | None) -> Template:
    """The template with ``length`` tokens (if given) in every trigger."""
    if length is None:
        return template

    def sized(source: str) -> str:
        return _JINJA.sub(f"trigger({length})", _PLAIN.sub(f"{{trigger:{length}}}", source))

    if template.text is not None:
        return replace(template, text=sized(template.text))
    return replace(template, parts={k: sized(part) for k, part in (template.parts or {}).items()})


def split_trigger(lengths: Sequence[int], tokens: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Tokens in a row, segment by segment."""
    parts, start = [], 0
    for length in lengths:
        parts.append(tuple(tokens[start : start + length]))
        start += length
    return tuple(parts)


def with_trigger_tokens(
    model: LocalModel, template: Template, tokens: Sequence[int] = ()
) -> LocalModel:
    """The model as one that can read the template, with these tokens (else any) as triggers."""
    lengths = trigger_lengths(template)
    triggers = split_trigger(lengths, tokens or [0] * sum(lengths))
    return model.with_learned_parts(LearnedParts(triggers=triggers), keep=False)


class _Softened(Template):
    """A template whose triggers are rendered as vectors."""

    def render(self, *args: Any, **kwargs: Any) -> Prompt:
        prompt = super().render(*args, **kwargs)
        segments = (Soft(s.count) if isinstance(s, Trigger) else s for s in prompt.segments)
        return replace(prompt, segments=tuple(segments))


def with_soft_triggers(template: Template) -> Template:
    """The template with vectors in the places of its triggers."""
    return _Softened.from_settings(template.settings())
