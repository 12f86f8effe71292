"""How large a value is: its characters, with everything inside of it counted as often as it stands.

A list that holds one text a hundred times is as large as a hundred texts: so large is what is
written, compared or hashed of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from promptlab.prompts.jinja.limit_errors import LimitExceeded

_ITEM = 8
"""What an item adds to its list, in characters: the reference to it."""
_PLAIN = 16
"""The size of what is no text and holds nothing."""
_DEEPEST = 50
"""How deep lists may stand in lists: what writes or compares them recurses in C."""
_MOST = 50_000_000
"""Where counting ends: no step may take so much."""
_VIEWS: tuple[type, ...] = (type({}.items()), type({}.keys()), type({}.values()))
_HOLDING: tuple[type, ...] = (list, tuple, dict, set, frozenset, range, Mapping, *_VIEWS)

Known = dict[int, tuple[Any, int, int]]
"""Size and depth of lists and the like by their identity; they are kept, so that it stays theirs.

Nothing in the sandbox changes a list, so that what was found once is right as long as it lives.
"""


def size_of(value: Any, known: Known) -> int:
    """The size of a value in characters.

    Args:
        value: Anything that a template can make.
        known: What was found before; what is found now is added.

    Returns:
        At least 1 for what is no text, the length of a text.

    Raises:
        Exceeded: Lists stand in lists too deep.
    """
    if isinstance(value, str | bytes):
        return len(value)
    return _extent(value, known)[0]


def _extent(value: Any, known: Known) -> tuple[int, int]:
    """Size and depth."""
    if isinstance(value, str | bytes):
        return len(value), 0
    if isinstance(value, int):
        return _PLAIN + value.bit_length() // 3, 0
    if not isinstance(value, _HOLDING):
        return _PLAIN, 0
    found = known.get(id(value))
    if found is None:
        size, depth = _sum_of(value, known)
        if depth > _DEEPEST:
            raise LimitExceeded(f"lists stand in lists more than {_DEEPEST} deep")
        found = known[id(value)] = value, size, depth
    return found[1:]


def _sum_of(value: Any, known: Known) -> tuple[int, int]:
    if isinstance(value, range):
        return len(value) * (_ITEM + _PLAIN), 1
    parts: Iterable[Any] = value
    if isinstance(value, Mapping):
        parts = (part for pair in value.items() for part in pair)
    elif isinstance(value, list | tuple) and set(map(type, value)) == {str}:
        return _PLAIN + _ITEM * len(value) + sum(map(len, value)), 1
    size, deepest = _PLAIN, 0
    for part in parts:
        inner, depth = _extent(part, known)
        size += _ITEM + inner
        deepest = max(deepest, depth)
        if size > _MOST:
            raise LimitExceeded("a list is too large")
    return size, deepest + 1
