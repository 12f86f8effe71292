"""A prompt between words and token ids: learned segments cut its words into stretches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptlab.models.encoding import Encoding
from promptlab.prompts.prompt import Segment, Slot, Text


@dataclass(frozen=True)
class EncodedSides:
    """``before`` and ``after`` are token ids, ``left`` and ``right`` the words next to the slot.

    Without learned segments all is words. ``before`` ends with the last learned segment left of
    the slot, ``after`` begins with the first one right of it.
    """

    before: tuple[int, ...]
    left: Text
    right: Text
    after: tuple[int, ...]


EncodedSegment = Text | tuple[int, ...]
"""Words, or the token ids of a learned segment."""


def left_side(
    stretches: Sequence[EncodedSegment], encoding: Encoding
) -> tuple[tuple[int, ...], Text]:
    """Ids up to the last learned segment, and the words after it."""
    last = max((i for i, s in enumerate(stretches) if not isinstance(s, Text)), default=-1)
    words = Text.join(s for s in stretches[last + 1 :] if isinstance(s, Text))
    return _ids(stretches[: last + 1], encoding), words


def right_side(
    stretches: Sequence[EncodedSegment], encoding: Encoding
) -> tuple[Text, tuple[int, ...]]:
    """The words before the first learned segment, and the ids from it on."""
    first = next((i for i, s in enumerate(stretches) if not isinstance(s, Text)), len(stretches))
    words = Text.join(s for s in stretches[:first] if isinstance(s, Text))
    return (words.rstrip() if first < len(stretches) else words), _ids(stretches[first:], encoding)


def _ids(stretches: Sequence[EncodedSegment], encoding: Encoding) -> tuple[int, ...]:
    """Ids of all stretches. White space before a learned segment is no word and is left out."""
    ids: tuple[int, ...] = ()
    for index, stretch in enumerate(stretches):
        if not isinstance(stretch, Text):
            ids += stretch
            continue
        ends = index + 1 < len(stretches)
        text = stretch.rstrip() if ends else stretch
        if text.text:
            ids += encoding.encode(text)
    return ids


def split_segments(
    segments: Sequence[Segment], ids: Sequence[tuple[int, ...]]
) -> list[EncodedSegment]:
    """Words and learned segments of one side of the slot; ``ids`` are the learned ones'."""
    learned = iter(ids)
    return [
        segment if isinstance(segment, Text) else next(learned)
        for segment in segments
        if not isinstance(segment, Slot)
    ]


MARK = "\ue000{}\ue001"
"""Stands for a learned segment while a chat template is applied (a private-use character)."""


def mask_learned(segments: Sequence[Segment]) -> Text:
    """The words with a mark for every learned segment."""
    learned = iter(range(len(segments)))
    return Text.join(
        _without_marks(s) if isinstance(s, Text) else Text(MARK.format(next(learned)))
        for s in segments
    )


def unmask_learned(text: Text, ids: Sequence[tuple[int, ...]]) -> list[EncodedSegment]:
    """`mask_learned` text as stretches; mark number n stands for ``ids[n]``."""
    found: list[EncodedSegment] = []
    at = 0
    for match in re.finditer("\ue000(\\d+)\ue001", text.text):
        found += [text.slice(at, match.start()), ids[int(match[1])]]
        at = match.end()
    return [*found, text.slice(at)]


def _without_marks(text: Text) -> Text:
    """The text without the characters of marks."""
    found, at = [], 0
    for match in re.finditer("[\ue000\ue001]", text.text):
        found.append(text.slice(at, match.start()))
        at = match.end()
    return Text.join([*found, text.slice(at)])
