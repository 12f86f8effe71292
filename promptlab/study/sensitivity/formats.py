"""Formats of a template that mean the same: casing, separators, spacing, order of fields.

After FormatSpread (Sclar et al. 2023, "Quantifying Language Models' Sensitivity to Spurious
Features in Prompt Design"): a format is drawn from a small grammar and says nothing of the task.
Here it is a rule that any template can be written by, so that formats and wordings can be crossed.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptlab.errors import InputError
from promptlab.prompts.template import Template, is_jinja

AS_WRITTEN = "as written"

CASINGS: dict[str, str] = {
    "": "",
    "lower": "lower case",
    "upper": "upper case",
    "title": "Title Case",
}
SEPARATORS: dict[str, str] = {
    "": "", " - ": "names with a dash", ":\n": "names on own lines", " :: ": "names with ::",
}  # fmt: skip
GAPS: dict[str, str] = {
    "": "", "\n": "a line for every field", "\n\n": "an empty line after every field",
    " || ": "|| after every field", " ": "all on one line",
}  # fmt: skip
SLOT_GAPS: dict[str, str] = {
    "": "",
    "  ": "two blanks before the answer",
    "\n": "the answer on a new line",
}

_PIECE = re.compile(r"\\[{}]|\{[^{}]*\}")
"""An escaped brace, or a field, the slot or learned tokens: what a format leaves as it is."""
_NAMED = re.compile(r"([^\W\d_][\w ]{0,29}):([ \t]*\n?[ \t]*)(?=\{)")
"""A descriptor: a few words, a colon, and what it names ("Review: {text}")."""


@dataclass(frozen=True)
class PromptFormat:
    """A rule by which a template is written down anew; empty values leave it as it is.

    ``casing`` is that of the words which name fields and the slot, or, where nothing is named, of
    all the template's own words. ``separator`` stands behind such names in place of the colon,
    ``gap`` in place of the white space behind a field, ``slot_gap`` in place of that before the
    slot. With ``reverse_fields`` lines of one field each stand in the opposite order.
    """

    casing: str = ""
    separator: str = ""
    gap: str = ""
    slot_gap: str = ""
    reverse_fields: bool = False

    @property
    def n_changes(self) -> int:
        """How many things it changes."""
        return sum(map(bool, vars(self).values()))

    @property
    def name(self) -> str:
        """The rule in words."""
        parts = (
            CASINGS[self.casing],
            SEPARATORS[self.separator],
            GAPS[self.gap],
            SLOT_GAPS[self.slot_gap],
            "fields in the opposite order" if self.reverse_fields else "",
        )
        return ", ".join(filter(None, parts)) or AS_WRITTEN

    def apply(self, template: Template) -> Template:
        """The template as this format writes it; fields, slot and meaning stay.

        Jinja keeps its texts, whose logic may depend on them.
        """
        if template.text is not None:
            text = self._write(template.text)
            return template if text == template.text else replace(template, text=text)
        assert template.parts is not None
        parts = {name: self._write(text, part=name) for name, text in template.parts.items()}
        return replace(template, parts=parts, separator=self.gap or template.separator)

    def _write(self, text: str, part: str = "") -> str:
        if is_jinja(text):
            return text
        if self.reverse_fields:
            text = _reverse_field_lines(text)
        # A description is an instruction: it names nothing, and its words keep their casing.
        if self.casing and part != "description":
            text = self._change_casing(text)
        if self.gap:
            text = re.sub(r"(?<=\})[ \t]*[ \n][ \t\n]*(?=\S)", self._between, text)
        if self.separator:
            text = _NAMED.sub(lambda found: f"{found[1]}{self.separator}", text)
        return self._write_slot(text)

    def _between(self, found: re.Match[str]) -> str:
        """The gap behind a field; what follows the slot, and stands before it, is no such place."""
        before = found.string[: found.start()]
        after = found.string[found.end() :]
        beside_slot = before.endswith("{mask}") or after.startswith("{mask}")
        return found[0] if beside_slot else self.gap

    def _change_casing(self, text: str) -> str:
        change = {"lower": str.lower, "upper": str.upper, "title": _title}[self.casing]
        if _NAMED.search(text):
            return _NAMED.sub(lambda found: f"{change(found[1])}:{found[2]}", text)
        kept = _PIECE.findall(text)
        words = [change(own) for own in _PIECE.split(text)]
        return "".join(itertools.chain(*itertools.zip_longest(words, kept, fillvalue="")))

    def _write_slot(self, text: str) -> str:
        """White space before the slot; a new line only where a sentence does not run through."""
        if not self.slot_gap:
            return text
        place = re.search(r"(\S)([ \t]*\n?[ \t]*)\{mask\}", text)
        if place is None or (self.slot_gap == "\n" and place[1] not in ":-=?.!}|"):
            return text
        return f"{text[: place.start(2)]}{self.slot_gap}{text[place.end(2) :]}"


def draw_formats(templates: Sequence[Template], count: int, seed: int) -> list[PromptFormat]:
    """The format as written, and others that differ from one another for every template.

    Formats that change one thing come before those that change several, so that what moves the
    accuracy can be named, and different things take turns. Where the templates leave too few
    formats that differ for all of them, those that differ for some are taken.

    Args:
        templates: The wordings that the formats will be crossed with.
        count: How many formats, the first one included.
        seed: Of the draw.

    Returns:
        At most ``count`` formats, *as written* first.

    Example:
        >>> drawn = draw_formats([Template("Review: {text}\\nSentiment: {mask}")], 3, seed=13)
        >>> drawn[0].name, len(drawn)
        ('as written', 3)
    """
    if count < 1:
        raise InputError(f"{count} formats are asked for; one (as written) is the least")
    drawn = [PromptFormat()]
    seen: list[set[Any]] = [{_written(template)} for template in templates]
    rules = _all_formats()
    random.Random(seed).shuffle(rules)
    rules = _take_turns(rules)
    for wanted in (all, any):
        for rule in rules:
            if len(drawn) >= count:
                break
            forms = [_written(rule.apply(template)) for template in templates]
            new = [form not in known for form, known in zip(forms, seen, strict=True)]
            if rule not in drawn and wanted(new):
                drawn.append(rule)
                for form, known in zip(forms, seen, strict=True):
                    known.add(form)
    return drawn


def _all_formats() -> list[PromptFormat]:
    """Every rule of the grammar but the one that changes nothing."""
    grid = itertools.product(CASINGS, SEPARATORS, GAPS, SLOT_GAPS, (False, True))
    return [rule for rule in itertools.starmap(PromptFormat, grid) if rule != PromptFormat()]


def _take_turns(rules: Sequence[PromptFormat]) -> list[PromptFormat]:
    """Rules of few changes first; of as many, first one of every kind, then the second ones."""
    seen: Counter[tuple[str, ...]] = Counter()
    turns = []
    for rule in rules:
        changed = tuple(name for name, value in vars(rule).items() if value)
        turns.append((len(changed), seen[changed], rule))
        seen[changed] += 1
    return [rule for _, _, rule in sorted(turns, key=lambda turn: turn[:2])]


def _written(template: Template) -> tuple[Any, ...]:
    """What two templates must share to make the same prompts."""
    return (template.text, tuple((template.parts or {}).items()), template.separator)


def _reverse_field_lines(text: str) -> str:
    """Lines that hold one field and no slot each, in the opposite order in their places."""
    lines = text.split("\n")
    places = [at for at, line in enumerate(lines) if len(_fields_in(line)) == 1]
    moved = [lines[at] for at in reversed(places)]
    for at, line in zip(places, moved, strict=True):
        lines[at] = line
    return "\n".join(lines)


def _fields_in(line: str) -> list[str]:
    """The fields of a line; none where it holds the slot or learned tokens."""
    pieces = [piece[1:-1].strip() for piece in _PIECE.findall(line) if piece.startswith("{")]
    return pieces if all(piece != "mask" and ":" not in piece for piece in pieces) else []


def _title(text: str) -> str:
    """Every word with a capital; `str.title` would write one behind an apostrophe, too."""
    return re.sub(r"(?<![\w'’])[^\W\d_]", lambda letter: letter[0].upper(), text)
