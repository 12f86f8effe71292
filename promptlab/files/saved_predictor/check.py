"""What a saved predictor's document holds, checked key by key before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from promptlab.errors import InputError
from promptlab.files.saved_predictor.schemas.base import AnySchema
from promptlab.files.saved_predictor.schemas.documents import DocumentSchema, LearnedSchema
from promptlab.files.saved_predictor.schemas.kinds import SETTINGS_SCHEMAS

_SHOWN = 60


def check_learned(document: Mapping[str, Any], place: str) -> None:
    """Refuse a document whose keys or values are not those of ``learned.json``.

    Args:
        document: What the file holds.
        place: Its path, for the message.

    Raises:
        InputError: Naming the key, what was found there, and what to do.
    """
    _check(LearnedSchema, document, place)


def check_document(document: Mapping[str, Any], place: str) -> None:
    """Refuse a document whose keys or values are not those of a saved predictor.

    Args:
        document: What ``predictor.json`` holds.
        place: Its path, for the message.

    Raises:
        InputError: Naming the key, what was found there, and what to do.
    """
    _check(DocumentSchema, document, f"{place} is no predictor that promptlab wrote")


def check_settings(kind: str, settings: object, place: str) -> None:
    """Refuse settings that are not those of a shipped predictor; of others nothing is known.

    Args:
        kind: The predictor's class.
        settings: What was saved of it.
        place: Where they stand, for the message.

    Raises:
        InputError: Naming the key, what was found there, and what to do.
    """
    read = _as_read(settings)
    _check(
        SETTINGS_SCHEMAS.get(kind, AnySchema),
        read,
        f"{place}: its settings are not those of a {kind}",
    )


def _as_read(value: object) -> object:
    """Settings that were never saved as JSON would give them back: lists, no tuples."""
    if isinstance(value, Mapping):
        return {key: _as_read(item) for key, item in value.items()}
    return [_as_read(item) for item in value] if isinstance(value, list | tuple) else value


def _check(schema: type[BaseModel], value: object, place: str) -> None:
    try:
        schema.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if not _is_branch(part))
        found = "" if first["type"] == "missing" else f", found {first['input']!r:.{_SHOWN}}"
        told = first["msg"].removeprefix("Value error, ").partition(" or instance of ")[0]
        what = f"the key {key}: " if key else ""
        raise InputError(
            f"{place}: {what}{told[:1].lower()}{told[1:]}{found}; save the predictor again, or "
            "copy the whole folder"
        ) from error
    except RecursionError as error:
        raise InputError(f"{place}: it is nested too deeply to be read") from error


def _is_branch(part: object) -> bool:
    """Whether a part of a place names one of several types, not a key."""
    return isinstance(part, str) and (part in ("str", "float", "int") or "[" in part)
