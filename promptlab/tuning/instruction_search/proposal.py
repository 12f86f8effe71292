"""An instruction of a template, and why a proposed one is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz import fuzz, process

from promptlab.errors import InputError
from promptlab.prompts.template import Template

LONGEST = 1_000
"""Characters of an instruction; a writer that goes on has lost the thread."""
NEAR = 90.0
"""Instructions repeat each other whose words, sorted, are so alike (RapidFuzz's ratio, of 100)."""
_LEAKED_WORDS = 8
"""So many words in a row out of a training text are a leak; a text of fewer counts whole."""
_REFUSALS = re.compile(
    r"^(i'?m sorry|sorry|i cannot|i can'?t|i am unable|as an ai|as a language model)\b", re.I
)


class ProposalFilter:
    """Drops what is no new instruction, before it costs a judgement.

    Args:
        known: Instructions that were proposed before, and the one to be improved.
        texts: Texts of the data whose words must not stand in an instruction.

    Example:
        >>> keep = ProposalFilter(["Name the mood."], ["the soup was cold and nobody apologised"])
        >>> keep.reason("name the mood")
        'it repeats an earlier one'
        >>> keep.reason("Say whether the critic liked the film.") is None
        True
    """

    def __init__(self, known: Iterable[str], texts: Iterable[str] = ()) -> None:
        self._known = [" ".join(_words(text)) for text in known]
        self._leaks = {run for text in texts for run in _runs(_words(text), _LEAKED_WORDS)}

    def reason(self, text: str) -> str | None:
        """Why an instruction is dropped; ``None`` when it is kept."""
        words = _words(text)
        if not words:
            return "it is empty"
        if _REFUSALS.match(text):
            return "the writer refuses"
        if "{%" in text or "{{" in text:
            return "it holds marks of a template language"
        if len(text) > LONGEST:
            return f"it has more than {LONGEST:,} characters"
        if self._is_near_known(" ".join(words)):
            return "it repeats an earlier one"
        if self._leaks & set(_runs(words, _LEAKED_WORDS)) or self._holds_short(words):
            return "it holds a text of the data"
        return None

    def _is_near_known(self, text: str) -> bool:
        found = process.extractOne(
            text, self._known, scorer=fuzz.token_sort_ratio, score_cutoff=NEAR
        )
        return found is not None

    def _holds_short(self, words: tuple[str, ...]) -> bool:
        short = {run for run in self._leaks if 4 <= len(run) < _LEAKED_WORDS}
        return any(set(_runs(words, len(run))) & {run} for run in short)


def with_instruction(template: Template, instruction: str) -> Template:
    """The template with another instruction as its description; braces in it are words.

    A template of one text becomes one of parts: the instruction stands before it.

    Raises:
        InputError: For a template in Jinja, whose text may compute.

    Example:
        >>> made = with_instruction(Template("{text} It was {mask}."), "Name the mood.")
        >>> made.source
        'Name the mood.\\n\\n{text} It was {mask}.'
    """
    parts = dict(template.parts) if template.parts is not None else {"cue": template.source}
    if any("{{" in part or "{%" in part for part in parts.values()):
        raise InputError(
            f"template {template.name!r} is written in Jinja; instructions are written for plain "
            "templates"
        )
    if instruction:
        parts["description"] = re.sub(r"([{}])", r"\\\1", instruction)
    else:
        parts.pop("description", None)
    return Template(
        None, parts, template.name, template.separator, template.demonstration_separator,
        template.chat,
    )  # fmt: skip


def instruction_of(template: Template) -> str:
    """The instruction of a template, empty where it has none."""
    text = (template.parts or {}).get("description", "")
    return re.sub(r"\\([{}])", r"\1", text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))


def _runs(words: tuple[str, ...], length: int) -> list[tuple[str, ...]]:
    if len(words) < length:
        return [words] if words else []
    return [words[i : i + length] for i in range(len(words) - length + 1)]
