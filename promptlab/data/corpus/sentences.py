"""Where the sentences of a text begin and end, by their marks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

Span = tuple[int, int]
"""First character, and the one behind the last."""

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[”』」]*\s*|\n")
_BEFORE = re.compile(r"(\w+)$")
_TITLES = frozenset(
    {
        "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "mt", "ft", "gen", "col", "sen",
        "rep", "gov", "lt", "capt", "sgt", "rev", "hon", "approx", "cf", "ca", "fig",
    }
)  # fmt: skip
"""Words whose full stop ends no sentence where a capital follows."""


def sentence_spans(text: str, within: Sequence[Span] = ()) -> list[Span]:
    """Divide a text into sentences.

    A sentence ends with its mark before white space, where no small letter follows, and with a
    line. Titles (*Dr.*) and initials (*J. K.*) end none.

    Args:
        text: The text.
        within: Spans that are never divided, such as names; sorted.

    Returns:
        The sentences' spans, without the white space around them.

    Example:
        >>> text = "St. John's is small. It has a port, e.g. for ships."
        >>> [text[start:stop] for start, stop in sentence_spans(text)]
        ["St. John's is small.", 'It has a port, e.g. for ships.']
    """
    spans = []
    begin = 0
    for end in [*_ends(text, within), len(text)]:
        start, stop = begin, end
        while start < stop and text[start].isspace():
            start += 1
        while stop > start and text[stop - 1].isspace():
            stop -= 1
        if start < stop:
            spans.append((start, stop))
        begin = end
    return spans


def _ends(text: str, within: Sequence[Span]) -> list[int]:
    """Where a sentence ends and the next one begins."""
    found = []
    starts = [start for start, _ in within]
    for match in _END.finditer(text):
        end = match.end()
        before = bisect_left(starts, end) - 1
        if before >= 0 and end < within[before][1]:
            continue
        if match[0][0] == "." and (not _begins(text, end) or _is_title(text, match.start())):
            continue
        if match[0][0] in "!?…" and not _begins(text, end):
            continue
        found.append(end)
    return found


def _begins(text: str, position: int) -> bool:
    """Whether a sentence may begin there: its first letter is no small one."""
    while position < len(text) and not text[position].isalnum():
        position += 1
    return position < len(text) and not text[position].islower()


def _is_title(text: str, stop: int) -> bool:
    """Whether the word before a full stop is a title or an initial."""
    word = _BEFORE.search(text, max(0, stop - 20), stop)
    if word is None:
        return False
    return word[1].lower() in _TITLES or (len(word[1]) == 1 and word[1].isupper())
