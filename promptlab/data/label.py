"""The one way in which a label is written, wherever it comes from."""

from __future__ import annotations

import datetime
import enum
import json
import math
import numbers
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from promptlab.errors import InputError

_AS_WRITTEN = (numbers.Real, datetime.date, datetime.time, datetime.timedelta, uuid.UUID)


def canonical_label(value: Any) -> str:
    """A label as text: equal labels of any type are one text, before and after a file.

    Text is itself without the blanks around it; 1, 1.0 and numpy's or torch's 1 are ``"1"``;
    truth values are ``"true"`` and ``"false"``, as JSON writes them; an Enum is its value; a
    tuple is a JSON list. Letters are kept as they are: ``"Yes"`` is not ``"yes"``.

    Args:
        value: A label: text, a number, a truth value, an Enum, a date, a tuple of these.

    Returns:
        The text that stands for it in verbalizers, examples, predictions and files.

    Raises:
        InputError: For ``None`` and other missing values (NaN, NaT), and for objects that no text
            stands for.

    Example:
        >>> canonical_label(1.0), canonical_label(True), canonical_label(" good ")
        ('1', 'true', 'good')
    """
    if isinstance(value, enum.Enum):
        return canonical_label(value.value)
    if isinstance(value, str):
        return str(value).strip()
    if is_missing(value):
        raise InputError(
            f"the label {value!r} is a missing value, and no label; give the row a label or leave "
            "it out"
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, Decimal):
        if value.is_infinite():
            return str(float(value))
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else str(value.normalize())
    if isinstance(value, numbers.Real) and math.isfinite(value) and value == math.floor(value):
        return str(math.floor(value))
    if isinstance(value, _AS_WRITTEN):
        return str(value)
    if isinstance(value, tuple):
        return json.dumps([canonical_label(part) for part in value], ensure_ascii=False)
    if isinstance(value, bytes):
        return _decoded(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # of numpy and torch
        return canonical_label(value.item())
    raise InputError(
        f"the label {value!r} is a {type(value).__name__}; a label is text, a number, true or false"
    )


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: ``None``, NaN, pandas' NaT and NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (numbers.Real, datetime.date)) and bool(value != value)


def canonical_labels(values: Iterable[Any], place: str = "the labels") -> tuple[str, ...]:
    """The classes of a task as text, in their order.

    Args:
        values: The labels, each once.
        place: What they are, for the message.

    Returns:
        Their `canonical_label`.

    Raises:
        InputError: Where two different labels are one text, or a label is empty.
    """
    found: dict[str, Any] = {}
    for value in values:
        label = canonical_label(value)
        if not label:
            raise InputError(f"{place}: a label is empty; give it a name")
        if label in found:
            raise InputError(
                f"{place}: {found[label]!r} and {value!r} are both the label {label!r}; give "
                "every class a label of its own"
            )
        found[label] = value
    return tuple(found)


def _decoded(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError as error:
        raise InputError(f"the label {value!r} is no UTF-8 text; give it as text") from error
