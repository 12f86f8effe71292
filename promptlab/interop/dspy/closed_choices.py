"""The fields of a signature that have a closed set of values, and the words for these."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from promptlab.errors import InputError

_TRUTH = {"yes": True, "no": False}


def choices_of(annotation: Any) -> dict[str, Any] | None:
    """word -> value for a ``Literal``, a bool (*yes*, *no*), an ``Enum`` or one of them or None.

    ``None`` for any other type. Raises `InputError` when two values have the same word.
    """
    values = _values(annotation)
    if values is None:
        return None
    words: dict[str, Any] = {}
    for value in values:
        word = choice_text(value)
        if word in words:
            raise InputError(f"two values of {annotation} are written {word!r}; rename one")
        words[word] = value
    return words


def choice_text(value: Any) -> str:
    """A value in words, as prompts and demonstrations show it."""
    if isinstance(value, Enum):
        value = value.value if isinstance(value.value, str) else value.name
    if isinstance(value, bool):
        return next(word for word, truth in _TRUTH.items() if truth is value)
    return "none" if value is None else str(value)


def best_choice(scores: Mapping[str, float]) -> str:
    """The word with the highest score; the first of equals."""
    return max(scores, key=scores.__getitem__)


def _values(annotation: Any) -> list[Any] | None:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if annotation is bool:
        return list(_TRUTH.values())
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [(part, _values(part)) for part in get_args(annotation) if part is not type(None)]
        if len(parts) == 1 and parts[0][1] is not None and len(get_args(annotation)) == 2:
            return [*parts[0][1], None]
    return None
