"""A prompt between words and token ids: learned segments cut its words into stretches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptlab.models.encoding import Encoding
from promptlab.prompt import Segment, Slot, Text


@dataclass(frozen=True)
class Pieces:
    """``before`` and ``after`` are token ids, ``left`` and ``right`` the words next to the slot.

    Without learned segments all is words. ``before`` ends with the last learned segment left of
    the slot, ``after`` begins with the first one right of it.
    """

    before: tuple[int, ...]
    left: str
    right: str
    after: tuple[int, ...]


Stretch = str | tuple[int, ...]
"""Words, or the token ids of a learned segment."""


def left_side(stretches: Sequence[Stretch], encoding: Encoding) -> tuple[tuple[int, ...], str]:
    """Ids up to the last learned segment, and the words after it."""
    last = max((i for i, s in enumerate(stretches) if not isinstance(s, str)), default=-1)
    words = "".join(s for s in stretches[last + 1 :] if isinstance(s, str))
    return _ids(stretches[: last + 1], encoding), words


def right_side(stretches: Sequence[Stretch], encoding: Encoding) -> tuple[str, tuple[int, ...]]:
    """The words before the first learned segment, and the ids from it on."""
    first = next((i for i, s in enumerate(stretches) if not isinstance(s, str)), len(stretches))
    words = "".join(s for s in stretches[:first] if isinstance(s, str))
    return (words.rstrip() if first < len(stretches) else words), _ids(stretches[first:], encoding)


def _ids(stretches: Sequence[Stretch], encoding: Encoding) -> tuple[int, ...]:
    """Ids of all stretches. White space before a learned segment is no word and is left out."""
    ids: tuple[int, ...] = ()
    for index, stretch in enumerate(stretches):
        if not isinstance(stretch, str):
            ids += stretch
            continue
        ends = index + 1 < len(stretches)
        text = stretch.rstrip() if ends else stretch
        if text:
            ids += encoding.one(text)
    return ids


def stretches(segments: Sequence[Segment], ids: Sequence[tuple[int, ...]]) -> list[Stretch]:
    """Words and learned segments of one side of the slot; ``ids`` are the learned ones'."""
    learned = iter(ids)
    return [
        segment.text if isinstance(segment, Text) else next(learned)
        for segment in segments
        if not isinstance(segment, Slot)
    ]


MARK = "\ue000{}\ue001"
"""Stands for a learned segment while a chat template is applied (a private-use character)."""


def marked(segments: Sequence[Segment]) -> str:
    """The words with a mark for every learned segment."""
    learned = iter(range(len(segments)))
    return "".join(
        s.text.translate({0xE000: None, 0xE001: None})
        if isinstance(s, Text)
        else MARK.format(next(learned))
        for s in segments
    )


def unmarked(text: str, ids: Sequence[tuple[int, ...]]) -> list[Stretch]:
    """`marked` text as stretches; mark number n stands for ``ids[n]``."""
    parts = re.split("\ue000(\\d+)\ue001", text)
    return [ids[int(part)] if i % 2 else part for i, part in enumerate(parts)]
