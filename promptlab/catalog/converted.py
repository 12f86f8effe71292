"""A template of another tool's file, as an entry of the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Converted:
    """A template under its new full name: its ``entry`` and its task's keys, or ``why`` not."""

    name: str
    entry: Mapping[str, Any]
    about: Mapping[str, Any]
    why: str = ""
