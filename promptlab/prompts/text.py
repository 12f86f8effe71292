"""Text that knows which of its characters came from data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CharacterRange = tuple[int, int]


@dataclass(frozen=True)
class Text:
    """Text of a prompt; ``data_ranges`` are the characters (start, end) that came from data.

    A model's control tokens (``<|im_end|>``, ``[MASK]``, ``</s>``) mean what they mean where a
    template's author wrote them, and are words like any other where data did.
    """

    text: str
    data_ranges: tuple[CharacterRange, ...] = ()

    @classmethod
    def from_data(cls, text: str) -> Text:
        """Words that came from data: fields, demonstrations, passages, earlier replies."""
        return cls(text, ((0, len(text)),) if text else ())

    @classmethod
    def join(cls, texts: Iterable[Text]) -> Text:
        """The texts as one."""
        parts = list(texts)
        if len(parts) == 1:
            return parts[0]
        spans: list[CharacterRange] = []
        length = 0
        for part in parts:
            spans.extend((start + length, end + length) for start, end in part.data_ranges)
            length += len(part.text)
        return cls("".join(part.text for part in parts), _merged(spans))

    def __add__(self, other: Text) -> Text:
        """Both as one text."""
        return Text.join((self, other))

    def __len__(self) -> int:
        """The number of characters."""
        return len(self.text)

    def slice(self, start: int, end: int | None = None) -> Text:
        """The characters from ``start`` to ``end`` (the end of the text)."""
        end = len(self.text) if end is None else min(end, len(self.text))
        spans = ((max(a, start) - start, min(b, end) - start) for a, b in self.data_ranges)
        return Text(self.text[start:end], tuple((a, b) for a, b in spans if a < b))

    def lstrip(self) -> Text:
        """Without the white space at its beginning."""
        return self.slice(len(self.text) - len(self.text.lstrip()))

    def rstrip(self) -> Text:
        """Without the white space at its end."""
        return self.slice(0, len(self.text.rstrip()))

    def strip(self) -> Text:
        """Without the white space at both ends."""
        return self.lstrip().rstrip()


def _merged(spans: Sequence[CharacterRange]) -> tuple[CharacterRange, ...]:
    """Neighbouring spans joined, empty ones dropped."""
    found: list[CharacterRange] = []
    for start, end in spans:
        if start == end:
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)
