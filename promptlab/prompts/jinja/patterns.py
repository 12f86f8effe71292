"""Regular expressions of users, checked and searched in this process within bounds.

Those of strangers are searched by `promptlab.prompts.jinja.isolated`, which can do it in a
process of its own.
"""

from __future__ import annotations

import re

import regex

from promptlab.errors import InputError
from promptlab.prompts.jinja.limits import seconds_left

_LONGEST = 10_000
"""Characters of a pattern."""
_UNROLLED = 100_000
"""Pieces of a pattern with what is repeated written out, as its compiler does: (x{300}){300}."""
_PATIENCE = 1.0
"""Seconds of one search."""
_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}")


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression of Python's `re` with a group, or a huge one.

    Raises:
        InputError: With what is wrong.
    """
    if len(pattern) > _LONGEST:
        raise InputError(
            f"parser regex: the pattern has {len(pattern):,} characters; at most {_LONGEST:,}"
        )
    if _unrolled(pattern) > _UNROLLED:
        raise InputError(
            f"parser regex: {_shown(pattern)} repeats so much that it cannot be compiled; write "
            "+ or * in place of a large number"
        )
    try:
        groups = re.compile(pattern).groups
        regex.compile(pattern)
    except Exception as error:  # the two raise eight kinds of error for what is no pattern
        said = str(error) or type(error).__name__
        raise InputError(
            f"parser regex: {_shown(pattern)} is no regular expression ({said[:200]})"
        ) from error
    if groups < 1:
        raise InputError(
            f"parser regex: {_shown(pattern)} has no group; put the answer in (brackets)"
        )


def search_pattern(pattern: str, text: str) -> str | None:
    """Group 1 of the first match in ``text``; ``None`` without a match, or where it has no part.

    Raises:
        InputError: The search takes too long or too much memory.
    """
    try:
        match = regex.search(pattern, text, timeout=min(_PATIENCE, max(0.01, seconds_left() * 2)))
    except (TimeoutError, MemoryError, RecursionError) as error:
        raise InputError(too_slow(pattern, text)) from error
    return None if match is None else match[1]


def too_slow(pattern: str, text: str) -> str:
    """What is told of a pattern that cannot decide in time."""
    return (
        f"parser regex: {_shown(pattern)} takes more than {_PATIENCE:g} s on a reply of "
        f"{len(text)} characters; write it without a repetition inside a repetition"
    )


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= 200 else f"{pattern[:200]!r} …"


def _unrolled(pattern: str) -> int:
    """How many pieces a pattern has when its repetitions are written out."""
    sizes, last, place = [0], 0, 0
    while place < len(pattern):
        step = 1
        match pattern[place]:
            case "\\":
                last, step = 1, 2
            case "[":
                last, step = 1, _set_length(pattern, place)
            case "(":
                sizes.append(0)
                last = 0
            case ")" if len(sizes) > 1:
                last = max(1, sizes.pop())
            case "{" if found := _REPEAT.match(pattern, place):
                last, step = last * max(0, min(int(found[1][:9]), _UNROLLED + 1) - 1), len(found[0])
            case _:
                last = 1
        sizes[-1] = min(sizes[-1] + last, _UNROLLED * 10)
        place += step
    return sum(sizes)


def _set_length(pattern: str, place: int) -> int:
    """The length of ``[...]`` that begins at ``place``."""
    end = place + 1 + pattern.startswith("^", place + 1)
    end += pattern.startswith("]", end)
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1 - place
