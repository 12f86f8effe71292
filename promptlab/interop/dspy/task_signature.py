"""What a DSPy program is asked: a signature made from a task, and its answer read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.interop.dspy.silence import dspy_package
from promptlab.prompts.parsers.parsers import Parser, TextParser, parser_from_settings


@dataclass(frozen=True)
class TaskSignature:
    """``fields`` in, one answer out: a choice among ``labels``, or text for the ``parser``.

    ``instructions`` are the signature's, DSPy's own wording when empty. Raises `InputError` for
    field names that DSPy does not take.
    """

    fields: tuple[str, ...]
    labels: tuple[str, ...] = ()
    instructions: str = ""
    parser: Parser = field(default_factory=TextParser)

    def __post_init__(self) -> None:
        for name in self.fields:
            if not name.isidentifier() or name.startswith("_") or name in _TAKEN:
                raise InputError(
                    f"the field {name!r} cannot be a field of a DSPy signature; rename it in the "
                    "task section (rename: {old: new})"
                )

    @classmethod
    def of(cls, task: Task, instructions: str = "", parser: Parser | None = None) -> TaskSignature:
        """The form of a task's fields and labels."""
        return cls(task.fields, task.labels, instructions, parser or TextParser())

    @property
    def output(self) -> str:
        """The name of the output field."""
        wanted = "label" if self.labels else "answer"
        return f"the_{wanted}" if wanted in self.fields else wanted

    def signature(self) -> Any:
        """The signature: every field a string, the labels a ``Literal``."""
        dspy = dspy_package()
        answer: Any = Literal[self.labels] if self.labels else str
        given: dict[str, Any] = {name: (str, dspy.InputField()) for name in self.fields}
        given[self.output] = (answer, dspy.OutputField())
        return dspy.Signature(given, self.instructions or None)

    def example(self, example: Example) -> Any:
        """A labelled or unlabelled example as DSPy's."""
        values = {name: example.fields[name] for name in self.fields}
        if example.label is not None:
            values[self.output] = example.label
        return dspy_package().Example(**values).with_inputs(*self.fields)

    def label(self, prediction: Any) -> tuple[str | None, str | None]:
        """The label that a DSPy prediction holds, and the text it was read from."""
        value = getattr(prediction, "get", lambda name: None)(self.output)
        if value is None:
            return None, None
        if self.labels:
            return (str(value), None) if str(value) in self.labels else (None, str(value))
        return self.parser.parse(str(value)), str(value)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "fields": list(self.fields),
            "labels": list(self.labels),
            "instructions": self.instructions,
            "parser": self.parser.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TaskSignature:
        """The inverse of `settings`."""
        return cls(
            tuple(settings["fields"]),
            tuple(settings["labels"]),
            settings["instructions"],
            parser_from_settings(settings["parser"]),
        )


_TAKEN = frozenset(
    ("signature", "instructions", "fields", "input_fields", "output_fields", "config", "demos",
     "lm", "new_signature", "copy", "json", "reasoning")
)  # fmt: skip
"""Names that mean something else to a signature or to a call of ``dspy.Predict``."""
