"""Kinds of candidates: each declares its dimensions, and fits candidates into predictors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.candidates.base import Kind, KindSettings, Trial, kind_names, kind_schema

__all__ = [
    "Kind",
    "KindSettings",
    "Trial",
    "kind_names",
    "kind_schema",
]

_HOMES = {
    "Kind": "promptlab.candidates.base",
    "KindSettings": "promptlab.candidates.base",
    "Trial": "promptlab.candidates.base",
    "kind_names": "promptlab.candidates.base",
    "kind_schema": "promptlab.candidates.base",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
