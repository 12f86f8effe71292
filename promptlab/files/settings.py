"""What all settings refuse: numbers that no machine computes with, and texts that are none.

Sections of study files and the settings of kinds are `Settings`; `Seed` and `Seconds` are the types
of what they share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from numbers import Integral
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from promptlab.errors import InputError

LARGEST = 2**32 - 1
"""The largest number of a setting, and the largest seed of every library that draws."""
_LARGEST_VALUE = 2**63 - 1
_DEEPEST = 100
_PLAIN = (str, int, float, bool, type(None), Mapping, list, tuple)
_NO_TEXT = re.compile("[\ud800-\udfff\0]")

Seed = Annotated[int, Field(ge=0, le=LARGEST)]
"""Of a draw; optuna, numpy and torch take these."""
Seconds = Annotated[float, Field(gt=0)]
"""A time above 0."""


class Settings(BaseModel):
    """Base of all settings; refuses unknown keys, NaN, infinity and truth values as numbers.

    So are numbers beyond `LARGEST` and texts with half a character or a zero byte, however deep
    they stand in a value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain_value(cls, value: Any, info: ValidationInfo) -> Any:
        types = _types_of(cls, info.field_name or "")
        numeric = bool(types & {int, float}) and not types & {str, Any}
        for part in _parts(value, inside=BaseModel not in types):
            _check(part, LARGEST if numeric else _LARGEST_VALUE)
            if Any in types and not isinstance(part, _PLAIN):
                raise ValueError(f"is a {type(part).__name__}, and no plain value")
            if numeric and isinstance(part, bool) and bool not in types:
                raise ValueError("must be a number, and no truth value")
        return value


def check_seed(seed: int, what: str = "seed") -> None:
    """Raise `InputError` for a seed that not every library takes."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= LARGEST:
        raise InputError(f"{what} is {seed!r:.40}; a seed is a whole number from 0 to {LARGEST}")


def has_no_text(value: Any) -> bool:
    """Whether a value is a string that no file and no tokenizer takes."""
    return isinstance(value, str) and _NO_TEXT.search(value) is not None


def check_text(text: str, what: str) -> None:
    """Raise `InputError` for a text that no file and no tokenizer takes."""
    if found := _NO_TEXT.search(text):
        raise InputError(f"{what} {_told(found[0])}")


def _told(sign: str) -> str:
    if sign == "\0":
        return "holds a zero byte, which is no text; remove it"
    return f"holds half a character ({sign!r}), which is no text; remove it"


def _check(value: Any, largest: int) -> None:
    if isinstance(value, str) and (found := _NO_TEXT.search(value)):
        raise ValueError(_told(found[0]))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if abs(value) > largest:
        raise ValueError(f"is too large a number; at most {largest:,}")


def _parts(value: Any, depth: int = 0, *, inside: bool) -> Iterator[Any]:
    """A value and all that stands in its lists and, if asked for, ``inside`` of mappings."""
    yield value
    if depth > _DEEPEST:
        raise ValueError(f"is nested deeper than {_DEEPEST} levels")
    if isinstance(value, Mapping) and inside:
        for key, part in value.items():
            yield key
            yield from _parts(part, depth + 1, inside=inside)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _parts(part, depth + 1, inside=inside)


@lru_cache(maxsize=4096)
def _types_of(owner: type[BaseModel], name: str) -> frozenset[Any]:
    """The plain types that a field's annotation names; `BaseModel` for any section."""
    return frozenset(_named(owner.model_fields[name].annotation))


def _named(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        return
    if annotation in (int, float, str, bool, Any):
        yield annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield BaseModel  # which looks at its own values
    for argument in get_args(annotation):
        if not isinstance(argument, str | int | float):
            yield from _named(argument)
