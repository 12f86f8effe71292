"""Parsers from plain data, as YAML and saved predictors hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.errors import InputError
from promptlab.label import canonical_labels
from promptlab.parser import (
    ChoiceParser,
    JsonParser,
    NumberParser,
    Parser,
    RegexParser,
    SpansParser,
    TextParser,
)


def parser_from_settings(settings: Mapping[str, Any]) -> Parser:
    """Build a parser from plain data such as ``{"type": "regex", "pattern": "(\\d+)"}``.

    Raises InputError, naming the key, for an unknown type or key, a missing key or a wrong value.
    """
    if not isinstance(settings, Mapping):
        raise InputError(f"parser: expected a mapping with a 'type', found {settings!r}")
    kind = settings.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise InputError(f"parser: 'type' must be one of {', '.join(_KEYS)}; found {kind!r}")
    required, optional = _KEYS[kind]
    for key in settings:
        if key not in {"type", *required, *optional}:
            known = ", ".join(["type", *required, *optional])
            raise InputError(f"parser {kind}: unknown key {key!r}; it knows {known}")
    for key in required:
        if key not in settings:
            raise InputError(f"parser {kind}: the key {key!r} is missing")
    match kind:
        case "choice":
            return ChoiceParser(_read_choices(settings["choices"]))
        case "number":
            return NumberParser(_read_text("number", "decimal", settings.get("decimal", "point")))  # type: ignore[arg-type]
        case "text":
            return TextParser(_read_texts("text", "stop", settings.get("stop", ())))
        case "regex":
            return RegexParser(_read_text("regex", "pattern", settings["pattern"]))
        case "json":
            return JsonParser(_read_text("json", "key", settings["key"]))
        case _:
            return SpansParser(_read_texts("spans", "types", settings.get("types", ())))


# type -> (required keys, optional keys)
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "choice": (("choices",), ()),
    "number": ((), ("decimal",)),
    "text": ((), ("stop",)),
    "regex": (("pattern",), ()),
    "json": (("key",), ()),
    "spans": ((), ("types",)),
}


def _read_choices(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, Mapping):
        raise InputError(f"parser choice: 'choices' must map labels to words; found {value!r}")
    labels = canonical_labels(value, "parser choice: 'choices'")
    return tuple(
        (label, _read_texts("choice", label, words))
        for label, words in zip(labels, value.values(), strict=True)
    )


def _read_texts(kind: str, key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence):
        raise InputError(f"parser {kind}: {key!r} must be text or a list of texts; found {value!r}")
    return tuple(_read_text(kind, key, item) for item in value)


def _read_text(kind: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        # YAML reads yes, no, on, off and bare numbers as something else than text.
        raise InputError(f"parser {kind}: {key!r} must be text; found {value!r} (put it in quotes)")
    return value
