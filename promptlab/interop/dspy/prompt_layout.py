"""A DSPy signature as a page that a small model can read: instructions, then lines of fields.

::

    Say whether the review is positive or negative.
    Label is one of: negative, positive.

    Text: a gorgeous, witty film
    Label: positive

    Text: dull
    Label:
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.compat.dspy import is_special_type, written_value
from promptlab.errors import InputError
from promptlab.interop.dspy.closed_choices import choice_text, choices_of
from promptlab.prompts.prompt import Prompt, Slot, Text

_PARAGRAPH = "\n\n"
_TEXT_TYPES = {"Reasoning", "Code", "History"}


class FieldPrompt:
    """One call of a signature: what stands in front, and how its fields are written.

    ``chat`` puts the instructions into the system's turn, every demonstration into a turn of the
    user and one of the assistant, and the fields found so far into what the assistant has said.
    """

    def __init__(
        self,
        signature: Any,
        demos: Sequence[Mapping[str, Any]],
        inputs: Mapping[str, Any],
        *,
        chat: bool = False,
    ) -> None:
        self.signature = signature
        self.demos = [demo for demo in demos if _usable(signature, demo)]
        self.inputs = inputs
        self.chat = chat

    def prompt(self, found: Mapping[str, Any], field: str, *, scored: bool) -> Prompt:
        """The page up to ``field``, whose value stands in the slot.

        A scored value follows a blank; a generated one brings its own.
        """
        outputs = dict.fromkeys(self.signature.output_fields)
        cue = self.prefix(field) + (" " if scored else "")
        said = "".join(f"{line}\n" for line in self.lines(outputs, found)) + cue
        asked = "\n".join(self.lines(self.signature.input_fields, self.inputs))
        if self.chat:
            return Prompt(
                (Text.from_data(asked), Slot()), chat=True, prefill=said, turns=self._turns()
            )
        solved = ["\n".join(self.lines(self.signature.fields, demo)) for demo in self.demos]
        parts = [*filter(None, [self.heading()]), *solved]
        opened = f"{asked}\n{said}" if asked else said
        return Prompt((Text.from_data(_PARAGRAPH.join([*parts, opened])), Slot()))

    def without_content(self, content: str) -> FieldPrompt:
        """The same page with ``content`` in every input field."""
        inputs = dict.fromkeys(self.signature.input_fields, content)
        return FieldPrompt(self.signature, self.demos, inputs, chat=self.chat)

    def heading(self) -> str:
        """The instructions, what fields mean, and the values that a choice has."""
        lines = [self.signature.instructions.strip()]
        for name, field in self.signature.fields.items():
            title = self.prefix(name).rstrip(" :")
            if (described := _description(name, field)) is not None:
                lines.append(f"{title}: {described}")
            choices = choices_of(field.annotation)
            if choices is not None and name in self.signature.output_fields:
                lines.append(f"{title} is one of: {', '.join(choices)}.")
        return "\n".join(filter(None, lines))

    def lines(self, fields: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
        """``Prefix: value`` for every field that has a value."""
        return [
            f"{self.prefix(name)} {self.written(name, values[name])}".rstrip()
            for name in fields
            if values.get(name) is not None
        ]

    def prefix(self, name: str) -> str:
        """What stands before a field's value, on one line."""
        extra = self.signature.fields[name].json_schema_extra or {}
        given = " ".join(str(extra.get("prefix") or "").split())
        return given or f"{name.replace('_', ' ').capitalize()}:"

    def stops(self) -> tuple[str, ...]:
        """What ends a generated field: the prefix of any field on a new line."""
        return tuple(dict.fromkeys(f"\n{self.prefix(name)}" for name in self.signature.fields))

    def _turns(self) -> tuple[tuple[str, str], ...]:
        heading = self.heading()
        turns = [("system", heading)] if heading else []
        for demo in self.demos:
            turns.append(("user", "\n".join(self.lines(self.signature.input_fields, demo))))
            turns.append(("assistant", "\n".join(self.lines(self.signature.output_fields, demo))))
        return tuple(turns)

    def written(self, name: str, value: Any) -> str:
        """A value in words."""
        field = self.signature.fields[name]
        if choices_of(field.annotation) is not None:
            return choice_text(value)
        if isinstance(value, str):
            return value.strip()
        if is_special_type(value) and type(value).__name__ not in _TEXT_TYPES:
            raise InputError(
                f"the field {name!r} holds a {type(value).__name__}; models here read text alone"
            )
        return written_value(field, value).strip()


def _usable(signature: Any, demo: Mapping[str, Any]) -> bool:
    """Whether a demonstration shows at least one input and one output."""
    return any(demo.get(name) is not None for name in signature.input_fields) and any(
        demo.get(name) is not None for name in signature.output_fields
    )


def _description(name: str, field: Any) -> str | None:
    """A field's description if its author gave one."""
    given = str((field.json_schema_extra or {}).get("desc") or "").strip()
    return None if not given or given == f"${{{name}}}" else given
