"""Which of several choices a reply states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from promptlab.prompts.parsers import choice_cue as cue
from promptlab.prompts.parsers.answer_cue import find_marked_answers, truncate_at_next_example
from promptlab.prompts.parsers.choice_mention import (
    FOLLOWS,
    OPENING,
    ChoiceWords,
    Mention,
    plain_reply,
)

_PASSED = "\0"
"""A statement that says nothing."""


@dataclass(frozen=True)
class ChoiceReader:
    """Labels and their words (`ChoiceWords`), to be read in replies."""

    words: ChoiceWords

    @classmethod
    def from_labels(cls, choices: Sequence[tuple[str, Sequence[str]]]) -> ChoiceReader:
        """The choices of labels with their words."""
        return cls(ChoiceWords(tuple((w, label) for label, words in choices for w in words)))

    def read(self, reply: str) -> str | None:
        """The label that a reply states, ``None`` for none or several.

        What is marked as the answer comes first (a box, "Answer:", "the answer is", "B is
        correct"), then what is chosen or stands by itself (a verb such as *pick*; a line or a
        sentence of its own; the reply's first word; after "on second thought"), then what "it
        is", then any mention. Of marked and chosen labels the last one counts, of the others all
        must agree. Questions, lists of choices ("A, B or C"), what is only supposed ("if the
        answer is A") and what is denied ("not A", "A is wrong") are passed over; a mark with two
        joined labels, or one that says that there is none, leaves the reply unparsed. What comes
        before an example that the model invents counts, if it states a label.
        """
        own = truncate_at_next_example(reply)
        if own != reply and (found := self._read(own)) is not None:
            return found
        return self._read(reply)

    def _read(self, reply: str) -> str | None:
        text = plain_reply(reply)
        seen = _ReplyMentions(text, tuple(self.words.mentions(text)))
        for level in (seen.marked_labels, seen.chosen_labels):
            for found in reversed(level()):
                if found != _PASSED:
                    return found
        for stated in (seen.it_is_labels(), seen.mentioned_labels()):
            if stated:
                return next(iter(stated)) if len(stated) == 1 else None
        return None


@dataclass(frozen=True)
class _ReplyMentions:
    """A reply and its mentions."""

    text: str
    mentions: tuple[Mention, ...]

    @cached_property
    def _places(self) -> dict[int, int]:
        """The number of the mention that begins at a place."""
        return {one.start: number for number, one in enumerate(self.mentions)}

    @cached_property
    def _sentences(self) -> list[tuple[int, int, bool]]:
        """Where sentences that say something begin and end, and whether they are questions."""
        found = []
        for match in cue.SENTENCE.finditer(self.text):
            said = match[0].strip()
            if said:
                found.append((*match.span(), said[-1] in ("?", "？")))
        return found

    @cached_property
    def _asked(self) -> frozenset[int]:
        """The mentions that stand in questions, by their place."""
        questions = [(start, end) for start, end, asked in self._sentences if asked]
        return frozenset(
            one.start
            for one in self.mentions
            if any(start <= one.start < end for start, end in questions)
        )

    @cached_property
    def _entries(self) -> frozenset[int]:
        """Mentions that head the entries of a list of choices ("A. Rome"), by their place."""
        found: dict[int, str] = {}
        for one in self.mentions:
            match = cue.ENTRY.match(self.text, one.end)
            line = self.text[self.text.rfind("\n", 0, one.start) + 1 : one.start]
            heads = not line.strip(" \t*_\"'`([{#>-•")
            if match is not None and (heads or match["mark"] == ":"):
                found[one.start] = one.label
        return frozenset(found if len(set(found.values())) > 1 else ())

    def marked_labels(self) -> list[str | None]:
        """Labels of what is marked as the answer, in order; `None` for two, or for none at all."""
        found: list[tuple[int, str | None]] = []
        for one in find_marked_answers(self.text):
            start = one.end - len(one.text)
            found.append((one.start, self._of(one.start, start, one.end, exact=one.exact)))
        for match in cue.NAMED.finditer(self.text):
            end = self._end(match.end())
            found.append((match.start(), self._of(match.start(), match.end(), end)))
        for place, mention in enumerate(self.mentions):
            if mention.denied or mention.start in self._asked or self._is_supposed(mention.start):
                continue
            if cue.AFFIRMED.match(self.text, mention.end):
                two = place and self._is_joined(self.mentions[place - 1], mention)
                found.append((mention.start, None if two else mention.label))
        return [label for _, label in sorted(found, key=lambda pair: pair[0])]

    def chosen_labels(self) -> list[str | None]:
        """Labels that are chosen by a verb, stand by themselves or begin the reply, in order."""
        found: list[tuple[int, str | None]] = []
        for match in cue.CHOSEN.finditer(self.text):
            if cue.NOT_CHOSEN.search(self.text, max(0, match.start() - 24), match.start()):
                continue
            first = self._at(match.end())
            if first is not None and cue.LED.match(self.text, first.end):
                found.append((match.start(), self._unless_joined(first)))
        for number, (start, end, asked) in enumerate(self._sentences):
            first = None if asked else self._at(self._led(start))
            if first is None or first.end > end or first.start in self._entries:
                continue
            rest = self.text[first.end : end].strip(" \t\r\n*_\"'`()[]{}.!:。！$#>-")
            if not rest or (not number and cue.LED.match(self.text, first.end)):
                found.append((start, None if self._follows(first) else self._unless_joined(first)))
        return [label for _, label in sorted(found, key=lambda pair: pair[0])]

    def it_is_labels(self) -> set[str]:
        """Labels of what "it is"."""
        found = set()
        for match in cue.IT_IS.finditer(self.text):
            first = self._at(match.end())
            if first is None or first.start in self._asked or self._is_supposed(match.start()):
                continue
            label = self._unless_joined(first)
            if label not in (None, _PASSED) and FOLLOWS.match(self.text, first.end):
                found.add(str(label))
        return found

    def mentioned_labels(self) -> set[str]:
        """Labels that are mentioned, but for questions and lists of choices."""
        listed: set[int] = set()
        for place, (one, other) in enumerate(zip(self.mentions, self.mentions[1:], strict=False)):
            if one.label != other.label and (self._is_joined(one, other) or self._follows(other)):
                listed |= {place, place + 1}
        return {
            one.label
            for place, one in enumerate(self.mentions)
            if place not in listed
            and not one.denied
            and one.start not in self._asked | self._entries
        }

    def _of(self, place: int, start: int, end: int, *, exact: bool = False) -> str | None:
        """The label of a marked stretch; `_PASSED` where it says nothing."""
        said = self.text[start:end]
        if not said.strip() or said.rstrip()[-1] in "?？" or self._is_supposed(place):
            return _PASSED
        inside = [one for one in self.mentions if start <= one.start and one.end <= end]
        plain = [one for one in inside if not one.denied]
        if not plain:
            return None if not inside and (exact or cue.NONE.search(said)) else _PASSED
        if exact and len({one.label for one in plain}) > 1:
            return None
        return self._unless_joined(plain[0])

    def _unless_joined(self, first: Mention) -> str | None:
        """A mention's label; `None` when it is joined to another one, `_PASSED` when denied."""
        if first.denied:
            return _PASSED
        for other in self.mentions[self._places[first.start] + 1 :]:
            if other.label != first.label:
                return None if not other.denied and self._is_joined(first, other) else first.label
        return first.label

    def _follows(self, first: Mention) -> bool:
        """Whether a mention goes on with a list of choices."""
        place = self._places[first.start]
        before = self.mentions[place - 1] if place else first
        earlier = self.mentions[place - 2] if place > 1 else before
        if earlier.label != before.label and self._is_joined(earlier, before):
            return False  # what comes after "positive, negative" is no part of that list
        return (
            before.label != first.label
            and not before.denied
            and cue.LISTED.fullmatch(self.text, before.end, first.start) is not None
        )

    def _is_joined(self, one: Mention, other: Mention) -> bool:
        return cue.JOIN.fullmatch(self.text, one.end, other.start) is not None

    def _is_supposed(self, place: int) -> bool:
        return cue.SUPPOSED.search(self.text, max(0, place - 60), place) is not None

    def _end(self, start: int) -> int:
        """Where a sentence ends, a question mark included."""
        match = cue.SENTENCE_END.match(self.text, start)
        end = min(len(self.text), start + 2000) if match is None else match.end()
        return end + 1 if self.text[end : end + 1] in ("?", "？") else end

    def _led(self, start: int) -> int:
        match = cue.LEAD.match(self.text, start)
        return start if match is None else match.end()

    def _at(self, place: int) -> Mention | None:
        """The mention that begins at a place, quotation marks and brackets before it left out."""
        for _ in range(12):
            if not self.text[place : place + 1] or self.text[place] not in OPENING | {
                " ",
                "$",
                "\n",
            }:
                break
            place += 1
        number = self._places.get(place)
        return None if number is None else self.mentions[number]
