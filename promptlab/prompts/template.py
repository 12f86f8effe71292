"""A template turns an example into a prompt."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.label import canonical_label, is_missing
from promptlab.errors import InputError, TemplateError
from promptlab.prompts.jinja.isolated import jinja_fields, render_jinja
from promptlab.prompts.prompt import Prompt, Segment, Slot, Text
from promptlab.prompts.template_syntax import MAX_LEARNED_TOKENS, Field, Piece, parse_template
from promptlab.security.html import html_facts
from promptlab.security.redaction import has_secret

PARTS = ("description", "context", "input", "cue")
"""The named parts of an instruction template, in the order in which they are rendered."""

_LONGEST_NAME = 60
"""Characters of a name for which a similar one is looked for, which takes the square of them."""

Shape = Literal["prefix", "cloze"]
Placement = Literal["before", "after"]
"""Where demonstrations stand: before the input, or after it (see `Template.render`)."""


@dataclass(frozen=True)
class Demonstration:
    """A solved example: its fields and the answer to stand in the slot.

    Args:
        fields: Texts by field name, as `Example.fields`.
        answer: What stands in the slot, such as ``"great"``.

    Example:
        >>> solved = Demonstration({"text": "A bore."}, "bad")
        >>> template = Template("{text} It was {mask}.", demonstration_separator=" ")
        >>> str(template.render({"text": "A fine film."}, [solved]))
        'A bore. It was bad. A fine film. It was {mask}.'
    """

    fields: Mapping[str, str]
    answer: str


@earlier_names(cue_apart="has_separate_cue")
@dataclass(frozen=True)
class Template:
    """Readable text with fields and one answer slot, or named parts of an instruction.

    Args:
        text: Holds ``{field}``, ``{mask}`` (the answer slot), ``{soft:20}`` (learned vectors) and
            ``{trigger:5}`` (tokens to search); with ``{{`` or ``{%`` in it it is sandboxed Jinja.
        parts: Any of description, context, input and cue, in place of ``text``; demonstrations
            stand after the description.
        name: What the template is called, in messages and reports.
        separator: What stands between parts.
        demonstration_separator: What stands between demonstrations.
        chat: Whether the prompt is rendered through the model's chat template.

    Raises:
        TemplateError: With a caret under the fault: a wrong brace, no slot, or two.

    Example:
        >>> template = Template("{text} It was {mask}.")
        >>> template.fields, template.shape
        (('text',), 'cloze')
        >>> str(template.render({"text": "A fine film."}))
        'A fine film. It was {mask}.'
    """

    text: str | None = None
    parts: Mapping[str, str] | None = None
    name: str | None = None
    separator: str = "\n\n"
    demonstration_separator: str = "\n\n"
    chat: bool = False

    def __post_init__(self) -> None:
        if (self.text is None) == (self.parts is None):
            raise TemplateError("give a template either text or parts, not both and not neither")
        if self.parts is not None:
            for part in self.parts:
                if part not in PARTS:
                    raise TemplateError(f"unknown part {part!r}; parts are {', '.join(PARTS)}")
        for source in self._sources:
            if not isinstance(source, str):
                raise TemplateError(
                    f"a template is text, found {source!r} ({type(source).__name__}); quote it"
                )
            if has_secret(source):
                raise TemplateError(
                    "the template holds the value of an environment variable that is a key or a "
                    "password; take it out: templates are written into files and sent to models"
                )
        self._check_slot()

    def _check_slot(self) -> None:
        """Exactly one slot; for Jinja the count is checked on every rendering."""
        slots = 0
        for source in self._sources:
            if is_jinja(source):
                jinja_fields(source)
                slots += "mask" in source
                continue
            for position in _slot_positions(source):
                slots += 1
                if slots > 1:
                    raise TemplateError(
                        "a template has exactly one {mask}; this is a second one",
                        text=source,
                        position=position,
                    )
        if not slots:
            source = self._sources[-1] if self._sources else ""
            raise TemplateError(
                "this template has no answer slot; write {mask} where the answer belongs",
                text=source,
                position=len(source),
            )

    @cached_property
    def _sources(self) -> tuple[str, ...]:
        if self.text is not None:
            return (self.text,)
        assert self.parts is not None
        return tuple(self.parts[part] for part in PARTS if part in self.parts)

    @cached_property
    def _pieces(self) -> Mapping[str, tuple[Piece, ...] | None]:
        """Parsed pieces by source; ``None`` stands for Jinja, which is rendered as a whole."""
        return {
            source: None if is_jinja(source) else parse_template(source) for source in self._sources
        }

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of the example fields that the template reads, in order of appearance."""
        names: list[str] = []
        for source, pieces in self._pieces.items():
            if pieces is None:
                names.extend(jinja_fields(source))
            else:
                names.extend(piece.name for piece in pieces if isinstance(piece, Field))
        return tuple(dict.fromkeys(names))

    @cached_property
    def shape(self) -> Shape:
        """*prefix* when nothing stands after the slot, else *cloze* (book, section 3.2)."""
        prompt = self.render(dict.fromkeys(self.fields, "x"))
        return "cloze" if prompt.segments[prompt.slot + 1 :] else "prefix"

    @property
    def source(self) -> str:
        """The template as written, parts joined, for showing to a reader."""
        return self.separator.join(self._sources)

    def _repr_html_(self) -> str:
        facts = {"template": self.source, "fields": ", ".join(self.fields), "shape": self.shape}
        return html_facts(self.name or "Template", facts)

    def render(
        self,
        example: Example | Mapping[str, str],
        demonstrations: Sequence[Demonstration] = (),
        placement: Placement = "before",
    ) -> Prompt:
        """The prompt for one example with the given solved examples.

        Args:
            example: An example, or its fields by name.
            demonstrations: Solved examples, in the order in which they stand.
            placement: *before* puts them before the input, after a description. *after* puts them
                between an instruction's input and its cue; where the slot is in no cue of its own
                (`has_separate_cue`), after everything, so that the prompt becomes a cloze.

        Returns:
            The prompt, with exactly one slot.

        Raises:
            TemplateError: When the example lacks a field (with the names that it has).

        Example:
            >>> template = Template("{text} It was {mask}.", demonstration_separator=" | ")
            >>> solved = [Demonstration({"text": "A bore."}, "bad")]
            >>> str(template.render({"text": "A fine film."}, solved))
            'A bore. It was bad. | A fine film. It was {mask}.'
        """
        fields = example.fields if isinstance(example, Example) else example
        solved = [self._render_demonstration(demonstration) for demonstration in demonstrations]
        gap = Text(self.demonstration_separator)
        place = self._first_repeated if placement == "before" else self._cue
        segments: list[Segment] = []
        for index, source in enumerate(self._sources):
            if index:
                segments.append(Text(self.separator))
            if index == place:
                segments.extend(piece for text in solved for piece in (text, gap))
            segments.extend(self._render_source(source, fields))
        if place == len(self._sources):
            segments.extend(piece for text in solved for piece in (gap, text))
        prompt = Prompt(tuple(_merge(segments)), chat=self.chat)
        self._check_rendered(prompt)
        return prompt

    @cached_property
    def _first_repeated(self) -> int:
        """Index of the first source that every demonstration repeats: all but a description."""
        described = self.parts is not None and "description" in self.parts
        return 1 if described and len(self._sources) > 1 else 0

    @property
    def has_separate_cue(self) -> bool:
        """Whether demonstrations *after* the input stand before the slot nevertheless."""
        return self._cue < len(self._sources)

    @cached_property
    def _cue(self) -> int:
        """Index of the cue if it holds the slot and something to answer stands before it.

        Otherwise the number of sources: the end.
        """
        last = len(self._sources) - 1
        if self.parts is None or "cue" not in self.parts or last <= self._first_repeated:
            return len(self._sources)
        pieces = self._pieces[self._sources[last]]
        slotted = (
            "mask" in self._sources[last]
            if pieces is None
            else any(isinstance(piece, Slot) for piece in pieces)
        )
        return last if slotted else len(self._sources)

    def _render_demonstration(self, demonstration: Demonstration) -> Text:
        segments: list[Segment] = []
        for index, source in enumerate(self._sources[self._first_repeated :]):
            if index:
                segments.append(Text(self.separator))
            segments.extend(self._render_source(source, demonstration.fields))
        answer = Text.from_data(demonstration.answer)
        words = (answer if isinstance(s, Slot) else s for s in segments)
        return Text.join(word for word in words if isinstance(word, Text))

    def _render_source(self, source: str, fields: Mapping[str, str]) -> list[Segment]:
        pieces = self._pieces[source]
        if pieces is None:
            read = {n: _text_of_field(fields[n], n) for n in jinja_fields(source) if n in fields}
            return list(render_jinja(source, {**fields, **read}))
        return [
            Text.from_data(_value(fields, piece, source)) if isinstance(piece, Field) else piece
            for piece in pieces
        ]

    def _check_rendered(self, prompt: Prompt) -> None:
        for segment in prompt.segments:
            if isinstance(segment, Text):
                _check_characters(segment.text)
        slots = sum(isinstance(segment, Slot) for segment in prompt.segments)
        if prompt.learned_tokens > MAX_LEARNED_TOKENS:
            raise TemplateError(
                f"the prompt would have {prompt.learned_tokens:,} learned tokens; at most "
                f"{MAX_LEARNED_TOKENS:,}"
            )
        if slots != 1:
            raise TemplateError(
                f"the rendered template has {slots} answer slots; exactly one is needed",
                text=self.source,
            )

    def without(self, *parts: str) -> Template:
        """A copy with the named parts left out (instruction templates only).

        A part that the template does not have is no error, an unknown name is.
        """
        if self.parts is None:
            raise InputError(f"template {self.name or self.text!r} has no parts to leave out")
        for part in parts:
            if part not in PARTS:
                raise InputError(f"unknown part {part!r}; parts are {', '.join(PARTS)}")
        kept = {part: text for part, text in self.parts.items() if part not in parts}
        return replace(self, parts=kept)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data from which `from_settings` makes the same template."""
        values: dict[str, Any] = {"name": self.name, "chat": self.chat}
        if self.text is not None:
            values["text"] = self.text
        else:
            values |= {"parts": dict(self.parts or {}), "separator": self.separator}
        values["demonstration_separator"] = self.demonstration_separator
        return values

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Template:
        """The inverse of `settings`."""
        return cls(**settings)


def is_jinja(text: str) -> bool:
    """Whether a template's text is Jinja rather than the plain grammar."""
    return "{{" in text or "{%" in text


def _slot_positions(source: str) -> list[int]:
    """Where the slots of a plain source stand, for the caret."""
    count = sum(isinstance(piece, Slot) for piece in parse_template(source))
    positions: list[int] = []
    start = 0
    for _ in range(count):
        start = source.index("{", start)
        while source[start : source.find("}", start) + 1].strip("{} \t\n") != "mask":
            start = source.index("{", start + 1)
        positions.append(start)
        start += 1
    return positions


def _value(fields: Mapping[str, str], piece: Field, source: str) -> str:
    if piece.name in fields:
        return _text_of_field(fields[piece.name], piece.name)
    close = difflib.get_close_matches(piece.name[:_LONGEST_NAME], list(fields), n=1)
    hint = f"did you mean {{{close[0]}}}? " if close else ""
    raise TemplateError(
        f"the data has no field {piece.name!r}; {hint}its fields are "
        f"{', '.join(sorted(fields)) or 'none'}",
        text=source,
        position=piece.position,
    )


def _text_of_field(value: Any, name: str) -> str:
    """A field as it stands in a prompt: text, or a number as files have it.

    Raises `TemplateError` for what is missing or no text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not is_missing(value):
        return canonical_label(value)
    found = repr(value) if is_missing(value) else f"a {type(value).__name__}"
    raise TemplateError(
        f"the field {name!r} is {found}; a prompt reads texts: fill it in, or leave the example out"
    )


def _check_characters(text: str) -> None:
    """Raise `TemplateError` for halves of characters, which tokenizers refuse."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateError(
            f"the prompt would hold {text[error.start]!r}, half of a character, which no model "
            "reads; mend the template, or the field that it comes from"
        ) from None


def _merge(segments: list[Segment]) -> list[Segment]:
    """Join neighbouring texts, so that they are tokenised as one string; drop empty ones."""
    merged: list[Segment] = []
    for segment in segments:
        if isinstance(segment, Text):
            if not segment.text:
                continue
            if merged and isinstance(merged[-1], Text):
                merged[-1] += segment
                continue
        merged.append(segment)
    return merged
