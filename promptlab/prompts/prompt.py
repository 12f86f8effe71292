"""A prompt: text, learned segments and one answer slot, which models score and continue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from promptlab.compat.earlier_names import earlier_names
from promptlab.security.html import html_facts

__all__ = [
    "CharacterRange",
    "Prompt",
    "Segment",
    "Slot",
    "Soft",
    "Text",
    "Trigger",
    "TriggerFiller",
]


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


@dataclass(frozen=True)
class Slot:
    """The place where the answer stands."""


@dataclass(frozen=True)
class Soft:
    """``count`` learned vectors; ``init`` are words to start from, ``id`` names shared vectors."""

    count: int
    init: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Trigger:
    """``count`` vocabulary tokens that a search has still to find."""

    count: int


Segment = Text | Slot | Soft | Trigger


@earlier_names(going_on="continued_with", spelled="with_trigger_words", is_words="is_text_only")
@dataclass(frozen=True)
class Prompt:
    """An ordered sequence of segments with exactly one `Slot`.

    Args:
        segments: `Text`, `Slot`, `Soft` and `Trigger` segments.
        chat: Whether the model's chat template is used: everything before the slot becomes the
            user's turn, and the answer opens the assistant's.
        shortened: The fields that were cut to fit the context window.
        prefill: What the assistant has said already (reasoning whose conclusion is asked for): the
            answer goes on from there. It is text alone: no control token is read in it.
        turns: (role, text) of a conversation before the user's turn, roles *system*, *user* and
            *assistant*; text alone, too.
        cut_tokens: How many tokens were cut from it to fit the window.

    Example:
        >>> prompt = Prompt((Text("It was "), Slot(), Text(".")))
        >>> prompt.left, prompt.right
        ('It was ', '.')
        >>> prompt.fill("great")
        'It was great.'
    """

    segments: tuple[Segment, ...]
    chat: bool = False
    shortened: tuple[str, ...] = field(default=())
    prefill: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    cut_tokens: int = field(default=0, compare=False)

    @cached_property
    def slot(self) -> int:
        """Index of the answer slot among the segments."""
        return next(i for i, segment in enumerate(self.segments) if isinstance(segment, Slot))

    @property
    def left(self) -> str:
        """The words before the slot (learned segments left out)."""
        return self.sides[0].text

    @property
    def right(self) -> str:
        """The words after the slot (learned segments left out)."""
        return self.sides[1].text

    @cached_property
    def sides(self) -> tuple[Text, Text]:
        """`left` and `right`, with what of them came from data."""
        before, after = self.segments[: self.slot], self.segments[self.slot + 1 :]
        return _words(before), _words(after)

    @cached_property
    def is_text_only(self) -> bool:
        """Whether the prompt consists of words alone, without soft or trigger segments."""
        return not any(isinstance(segment, Soft | Trigger) for segment in self.segments)

    @cached_property
    def learned_tokens(self) -> int:
        """Soft and trigger tokens of the prompt."""
        return sum(s.count for s in self.segments if isinstance(s, Soft | Trigger))

    def continued_with(self, said: str) -> Prompt:
        """The prompt after ``said``, which the model has answered or is made to say, at its slot.

        What stood after the slot is dropped. With ``chat`` it becomes the assistant's prefill.
        """
        if self.chat:
            return replace(self, prefill=self.prefill + said)
        before = self.segments[: self.slot]
        if said and before and isinstance(before[-1], Text):
            before = (*before[:-1], before[-1] + Text.from_data(said))
        elif said:
            before = (*before, Text.from_data(said))
        return replace(self, segments=(*before, Slot()))

    def with_trigger_words(self, words: Iterable[str]) -> Prompt:
        """The same prompt with the ``words`` of its trigger segments, in order, in their places."""
        spelling = TriggerFiller(words)
        return replace(self, segments=tuple(made for s in self.segments for made in spelling(s)))

    def fill(self, answer: str) -> str:
        """The prompt as a reader sees it with ``answer`` in the slot."""
        if self.prefill:
            answer = f"\n\n[assistant] {self.prefill}{answer}"
        said = [f"[{role}] {words}\n\n" for role, words in self.turns]
        opened = "[user] " if said else ""
        shown = "".join(_shown(segment, answer) for segment in self.segments)
        return "".join(said) + opened + shown

    def __str__(self) -> str:
        return self.fill("{mask}")

    def _repr_html_(self) -> str:
        return html_facts("Prompt (chat)" if self.chat else "Prompt", {"text": str(self)})


class TriggerFiller:
    """Puts words in the places of trigger segments, a blank apart from what stands beside them.

    It is given the segments (or a template's pieces) one after the other.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = iter(words)
        self._last = ""
        self._after = False

    def __call__(self, piece: Any) -> list[Any]:
        """What becomes of a piece; what is no trigger stays, perhaps after a blank."""
        if isinstance(piece, Trigger):
            word = next(self._words).strip(" ")
            gap = " " if self._last and not self._last.isspace() else ""
            self._last, self._after = word[-1:], True
            return [Text(gap + word)]
        text = piece.text if isinstance(piece, Text) else "x"
        gap = " " if self._after and text[:1].isalnum() else ""
        self._last, self._after = text[-1:] or self._last, self._after and not text
        return [Text(gap), piece] if gap else [piece]


def _words(segments: tuple[Segment, ...]) -> Text:
    return Text.join(segment for segment in segments if isinstance(segment, Text))


def _shown(segment: Segment, answer: str) -> str:
    match segment:
        case Text(text=text):
            return text
        case Slot():
            return answer
        case Soft(count, init, name):
            detail = f' "{init}"' if init is not None else ""
            shared = f" #{name}" if name is not None else ""
            return f"{{soft:{count}{shared}{detail}}}"
        case Trigger(count):
            return f"{{trigger:{count}}}"


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
