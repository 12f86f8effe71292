"""Whether an imported PromptSource template says to the letter what the original says.

The original renders ``input ||| target`` as a whole, cuts it at ``|||`` and drops the blanks around
both parts. Fields that hold ``|||`` are protected. (It also cuts fields at 2,048 characters unless
told not to; here a prompt is shortened to the model's window instead.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptlab.errors import InputError
from promptlab.library.promptsource_targets import CHOICES, Target
from promptlab.prompts.jinja.render import render_as_jinja
from promptlab.prompts.template import Template

_BARS = "|||"
_PROTECTED = "\ue004\ue005\ue006"
"""Stands for bars in a field: as long as they are, and without letters that a filter may change."""
_PROBES = (
    "waves", " two  words \n", "\n\t first", "", "   ", "a ||| b", "{{ b }} {% if c %}", "0",
    "{mask} \\ {soft:3} \\{x\\}", "\u2003wide\u3000", "Yes", "<b>&amp;</b> \"quoted\" 'so'",
    "line\r\nline\r\n", "1",
)  # fmt: skip
"""Values that every field has once, so that what is lost or added anywhere is seen."""


def original_parts(jinja: str, choices: Sequence[str], fields: Mapping[str, object]) -> list[str]:
    """The parts that PromptSource makes of one example: its prompt and its target.

    Args:
        jinja: The original's text.
        choices: Its answer choices, none if it has none.
        fields: The example.

    Returns:
        What stands between the bars, without the blanks around it.

    Raises:
        InputError: Where it cannot be rendered.
    """
    protected: dict[str, object] = {
        name: value.replace(_BARS, _PROTECTED) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    protected[CHOICES] = list(choices) or None
    rendered = render_as_jinja(jinja, protected)
    return [part.replace(_PROTECTED, _BARS).strip() for part in rendered.split(_BARS)]


def check_same_rendering(jinja: str, choices: Sequence[str], text: str, wanted: Target) -> None:
    """Render both over fields with blanks, line breaks, bars and braces, and compare.

    Args:
        jinja: The original's text.
        choices: Its answer choices.
        text: The imported template's text.
        wanted: What the imported template takes for its answers.

    Raises:
        InputError: Where they differ.
    """
    template = Template(text)
    for fields, target in _examples(template.fields, wanted):
        parts = original_parts(jinja, choices, fields)
        prompt = template.render({name: str(value) for name, value in fields.items()})
        if prompt.right or parts != [prompt.left.removesuffix(" "), target]:
            raise InputError(
                "it would not say the same here as there (blanks, divisions or variables that "
                "only the whole text has)"
            )


def _examples(names: Sequence[str], wanted: Target) -> Iterator[tuple[dict[str, object], str]]:
    """Fields and the target that they have; labels that are indices are numbers there."""
    every = sorted({*names, wanted.field})
    indices = all(label == str(place) for place, label in enumerate(wanted.labels))
    for turn in range(len(_PROBES)):
        fields: dict[str, object] = {
            name: _PROBES[(turn + place) % len(_PROBES)] for place, name in enumerate(every)
        }
        if not wanted.answers:
            yield fields, str(fields[wanted.field]).strip()
        for place, (label, word) in enumerate(wanted.answers):
            yield {**fields, wanted.field: place if indices else label}, word
