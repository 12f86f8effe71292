"""One labelled (or unlabelled) input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptlab.data.label import canonical_label


@dataclass(frozen=True)
class Example:
    r"""One input: named text fields and, when known, its label.

    Args:
        id: Unique within its data set.
        fields: Texts by field name.
        label: The class name of a classification task or the reference text of a generation task;
            ``None`` when it is not known. What is no text is kept as its `canonical_label`.

    However an example comes into being, from a file, a table or a program, white space around its
    fields and its label is dropped and line ends are ``\n``: ``" dull"`` is the prompt that
    ``"dull"`` is.

    Example:
        >>> Example("1", {"text": " dull"}, True)
        Example(id='1', fields={'text': 'dull'}, label='true')
    """

    id: str
    fields: Mapping[str, str]
    label: str | None = None

    def __post_init__(self) -> None:
        if any(_clean(value) is not value for value in self.fields.values()):
            cleaned = {name: _clean(value) for name, value in self.fields.items()}
            object.__setattr__(self, "fields", cleaned)
        if self.label is not None:
            object.__setattr__(self, "label", canonical_label(self.label))


def _clean(value: Any) -> Any:
    """Text without white space and byte order marks around it; anything else as it is."""
    if not isinstance(value, str):
        return value
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return value.strip().strip("\ufeff").strip()
