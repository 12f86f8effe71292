"""Labelled examples: tasks, splits, columns, data sets, and readers of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.data.builtin import data_set_facts, data_set_names
    from promptlab.data.readers import read_rows

__all__ = [
    "data_set_facts",
    "data_set_names",
    "read_rows",
]

_HOMES = {
    "data_set_facts": "promptlab.data.builtin",
    "data_set_names": "promptlab.data.builtin",
    "read_rows": "promptlab.data.readers",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
