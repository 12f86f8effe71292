"""Fields and slot of a template as marks that a model keeps while it puts the words otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptlab.errors import InputError
from promptlab.prompts.template import Template

MARKS = ("[{}]", "<{}>", "X{}X")
"""Forms of a mark, tried one after the other; {} is its number."""
_PART = re.compile(r"(?<!\\)\{[^{}]+\}")


@dataclass(frozen=True)
class MarkedText:
    """A template's text with a mark for every field and slot.

    Args:
        text: The text for a model.
        parts: What each mark stands for, such as ``{text}``.
        form: The form of its marks.

    Example:
        >>> mark_parts("{text} It was {mask}.").text
        '[0] It was [1].'
    """

    text: str
    parts: tuple[str, ...]
    form: str

    def restore(self, text: str) -> tuple[str, str]:
        """A text of a model as a template's, or why it is none.

        Args:
            text: Other words around the same marks.

        Returns:
            The template's text and an empty reason; or an empty text and the reason.

        Example:
            >>> mark_parts("{text} It was {mask}.").restore("It was [1]: [0]")
            ('It was {mask}: {text}', '')
        """
        pieces, found = [], []
        end = 0
        for match in _mark_pattern(self.form).finditer(text):
            number = int(match[1])
            if number >= len(self.parts):
                return "", "it has a field that the template lacks"
            pieces += [_as_words(text[end : match.start()]), self.parts[number]]
            found.append(number)
            end = match.end()
        pieces.append(_as_words(text[end:]))
        if sorted(found) != list(range(len(self.parts))):
            return "", "it lost or repeated a field or the slot"
        return " ".join("".join(pieces).split()), ""


def mark_parts(source: str, form: str | None = None) -> MarkedText:
    """The text of a template with marks in the place of its fields and its slot.

    Args:
        source: A template's text.
        form: The form of the marks; the first that the template does not hold itself, if ``None``.

    Raises:
        InputError: For a template in Jinja, or one without a slot.
    """
    if "{{" in source or "{%" in source:
        raise InputError("a template in Jinja computes; paraphrase one of plain words")
    Template(source)  # raises for one without a slot
    if form is None:
        form = next((one for one in MARKS if not _mark_pattern(one).search(source)), MARKS[0])
    parts = tuple(match[0] for match in _PART.finditer(source))
    numbers = iter(range(len(parts)))
    text = _PART.sub(lambda match: form.format(next(numbers)), source)
    return MarkedText(re.sub(r"\\([{}])", r"\1", text), parts, form)


def _mark_pattern(form: str) -> re.Pattern[str]:
    return re.compile(re.escape(form).replace(r"\{\}", r"\s*(\d+)\s*"))


def _as_words(text: str) -> str:
    return re.sub(r"([{}])", r"\\\1", text)
