"""One reading of what users hand to ``fit``, ``predict`` and ``evaluate``: examples."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.data.example import Example
from promptlab.data.label import canonical_label, is_missing
from promptlab.errors import InputError

Input = Example | str | Mapping[str, Any]
"""One input: an example, a text for the only field, or a mapping from field names to values."""
Inputs = Input | Iterable[Input]
"""One input or many; a DataFrame, an Arrow table or a ``datasets.Dataset`` counts as its rows."""

LABEL, ID = "label", "id"
"""The keys of a mapping that hold its label and its id, unless they are fields of the prompt."""

_KNOWN = (
    "give a text, a mapping from field names to texts (with 'label' where it is known), an "
    "Example, a list of these, a DataFrame, or a datasets.Dataset"
)


def as_examples(
    inputs: Inputs, fields: Sequence[str], labels: Sequence[Any] | Any | None = None
) -> list[Example]:
    """Read one input or many as examples.

    Args:
        inputs: A text (for prompts that read one field), a mapping, an `Example`, an iterable of
            these, or a table of rows: a pandas or polars DataFrame, an Arrow table, a
            ``datasets.Dataset``, a column (Series, one-dimensional array) of texts.
        fields: The names of the fields that the prompt reads.
        labels: One for each input, in order, whatever label the input holds itself. Without them
            a mapping's ``label`` counts, unless ``label`` is one of the fields.

    Returns:
        Examples in the given order; ids are a mapping's ``id``, else the position.

    Raises:
        InputError: For anything else, a missing or empty field, or labels that do not fit.

    Example:
        >>> as_examples("I cannot log in", ["text"])[0].fields
        {'text': 'I cannot log in'}
        >>> as_examples([{"text": "good", "label": "positive"}], ["text"])[0].label
        'positive'
    """
    examples = [_as_example(item, index, fields) for index, item in enumerate(_items(inputs))]
    if labels is None:
        return examples
    given = [labels] if isinstance(labels, str) else list(labels)
    if len(given) != len(examples):
        raise InputError(f"{len(examples)} examples and {len(given)} labels; give one for each")
    return [
        _labelled(e, label, i) for i, (e, label) in enumerate(zip(examples, given, strict=True))
    ]


def _items(inputs: Any) -> Iterator[Any]:
    """The single inputs; a table gives its rows as mappings."""
    if isinstance(inputs, Example | str):
        return iter([inputs])
    if isinstance(inputs, Mapping):
        return _items_of_mapping(inputs)
    if isinstance(inputs, bytes | bytearray | Path):
        raise InputError(f"inputs are {_kind(inputs)}; {_KNOWN} (pl.Task.from_file reads files)")
    for method, arguments in (
        ("to_pylist", {}),  # Arrow tables and arrays
        ("iter_rows", {"named": True}),  # polars
        ("to_dict", {"orient": "records"}),  # pandas DataFrames
    ):
        rows = getattr(inputs, method, None)
        if callable(rows) and (method != "to_dict" or hasattr(inputs, "columns")):
            return iter(rows(**arguments))
    if getattr(inputs, "ndim", 1) != 1:
        raise InputError(f"inputs are an array of shape {tuple(inputs.shape)}; {_KNOWN}")
    try:
        return iter(inputs)
    except TypeError as error:
        raise InputError(f"inputs are {_kind(inputs)}; {_KNOWN}") from error


def _items_of_mapping(inputs: Mapping[Any, Any]) -> Iterator[Any]:
    """A mapping is one input; a mapping of splits or of columns is none."""
    if inputs and all(_is_many(value) for value in inputs.values()):
        names = ", ".join(map(repr, list(inputs)[:5]))
        raise InputError(
            f"inputs are a mapping from {names} to many values each; give one split of a data set "
            "or one mapping for every row"
        )
    return iter([inputs])


def _is_many(value: Any) -> bool:
    return not isinstance(value, str | bytes | Mapping) and isinstance(value, Iterable)


def _as_example(item: Any, index: int, fields: Sequence[str]) -> Example:
    if isinstance(item, Example):
        return item
    if isinstance(item, str):
        if len(fields) != 1:
            raise InputError(
                f"a plain string stands for one field and the prompt reads {', '.join(fields)}; "
                "give a mapping"
            )
        return Example(str(index), {fields[0]: str(item)})
    if not isinstance(item, Mapping):
        raise InputError(f"input {index} is {_kind(item)}; {_KNOWN}")
    return _from_mapping(item, index, fields)


def _from_mapping(item: Mapping[Any, Any], index: int, fields: Sequence[str]) -> Example:
    """Fields that the prompt reads must be text or numbers; others are kept where they are."""
    reserved = {LABEL, ID} - set(fields)
    values: dict[str, str] = {}
    for name, value in item.items():
        if name in reserved:
            continue
        text = _as_text(value)
        if text is not None:
            values[str(name)] = text
        elif name in fields:
            raise InputError(
                f"input {index}: the field {name!r} is {_kind(value)}; fields are texts or numbers"
            )
    label = item.get(LABEL) if LABEL in reserved else None
    given = item.get(ID) if ID in reserved else None
    identity = _as_text(given)
    return Example(
        str(index) if identity is None else identity,
        values,
        None if is_missing(label) else _as_label(label, index),
    )


def _labelled(example: Example, label: Any, index: int) -> Example:
    """The example with the label that was given beside it."""
    if is_missing(label):
        raise InputError(f"label {index} is {_kind(label)}; give a label for each example")
    return Example(example.id, example.fields, _as_label(label, index))


def _as_label(label: Any, index: int) -> str:
    try:
        return canonical_label(label)
    except InputError as error:
        raise InputError(
            f"input {index}: the label is {_kind(label)}; labels are texts or numbers"
        ) from error


def _as_text(value: Any) -> str | None:
    """A text as it is, a number or date written as a label is, ``None`` for anything else."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # a number of numpy or torch
    if is_missing(value):
        return None
    if isinstance(value, str):
        return str(value)
    readable = isinstance(value, numbers.Real) or hasattr(value, "isoformat")
    return canonical_label(value) if readable else None


def _kind(value: Any) -> str:
    """What a value is, for a message: ``None``, ``NaN``, or its type."""
    if value is None or is_missing(value):
        return "None" if value is None else "missing (NaN)"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
