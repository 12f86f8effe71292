"""One labelled (or unlabelled) input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptlab.label import canonical_label


@dataclass(frozen=True)
class Example:
    """One input: named text fields and, when known, its label.

    ``label`` is the class name of a classification task or the reference text of a generation
    task; ``None`` when it is not known. A label that is no text is kept as its `canonical_label`.
    ``id`` is unique within its data set.
    """

    id: str
    fields: Mapping[str, str]
    label: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None:
            object.__setattr__(self, "label", canonical_label(self.label))
