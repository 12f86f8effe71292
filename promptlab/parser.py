"""Parsers that read an answer out of a generated reply, or say that there is none.

``Parser.parse`` returns ``None`` for a reply it cannot read. Such a reply is recorded as
unparsed and counted; it is never turned into a default answer.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import regex

from promptlab.errors import InputError
from promptlab.hidden_reasoning import split_reasoning
from promptlab.label import canonical_label, canonical_labels
from promptlab.number import read_number
from promptlab.numeral import Decimal, check_decimal
from promptlab.spans import read_spans, write_spans

_NEGATION = re.compile(
    r"(?:\bnot|n't|\bno|\bnever|\bneither|\bnor) (?:(?:an?|the|very|really) )?[\"'*]*$"
)
_JOIN = re.compile(r"[\s\"'*()]*(?:(?:[/|,&]|\b(?:or|and)\b)[\s\"'*()]*)+")
_LONGEST_NEGATION = 24  # characters
_MOST_SECONDS = 1.0  # for one search of a user's pattern


class Parser(ABC):
    """Reads one answer out of one reply. Immutable, and equal when its settings are.

    A parser of your own is a subclass with `read` and `settings`.
    """

    type: ClassVar[str]

    def parse(self, reply: str) -> str | None:
        """The answer in canonical form, or ``None`` when the reply is unparsed.

        Hidden reasoning is left out, so that no answer is ever read in it (`split_reasoning`).
        """
        answer = split_reasoning(reply).answer
        return None if answer is None else self.read(answer)

    def read(self, answer: str) -> str | None:
        """What `parse` gives for a reply without hidden reasoning."""
        raise NotImplementedError(f"{type(self).__name__} has no `read`")

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Plain data from which `parser_from_settings` builds an equal parser."""


@dataclass(frozen=True)
class ChoiceParser(Parser):
    """Reads a label from the first clear match of one of its words, whole words, any case.

    A word negated just before ("not positive") is no clear match; a reply whose first match is
    joined to another label's ("positive or negative") is ambiguous, hence unparsed. ``choices``
    holds each label with its words; where several words fit at one place the longest wins.
    """

    choices: tuple[tuple[str, tuple[str, ...]], ...]
    type: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        named = tuple((canonical_label(label), words) for label, words in self.choices)
        object.__setattr__(self, "choices", named)
        if len(self.choices) < 2:
            raise InputError("parser choice: 'choices' needs at least two labels, each with words")
        canonical_labels((label for label, _ in named), "parser choice: 'choices'")
        owner: dict[str, str] = {}
        for label, words in self.choices:
            if not words:
                raise InputError(f"parser choice: label {label!r} has no words; give at least one")
            for word in words:
                if not _folded(word):
                    raise InputError(f"parser choice: label {label!r} has an empty word; remove it")
                if owner.setdefault(_folded(word), label) != label:
                    raise InputError(
                        f"parser choice: {word!r} stands for both {owner[_folded(word)]!r} and "
                        f"{label!r}; give each word to one label"
                    )

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {_folded(word): label for label, words in self.choices for word in words}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = sorted(self._labels, key=len, reverse=True)
        return re.compile("|".join(map(_whole_word, words)))

    def read(self, answer: str) -> str | None:
        """The label of the first clear match; ``None`` without one, or when two are joined."""
        text = _folded(answer)
        clear: re.Match[str] | None = None
        for match in self._pattern.finditer(text):
            if clear is None:
                before = max(0, match.start() - _LONGEST_NEGATION)
                if _NEGATION.search(text, before, match.start()) is None:
                    clear = match
            elif self._labels[match.group()] != self._labels[clear.group()]:
                joined = _JOIN.fullmatch(text, clear.end(), match.start())
                return None if joined else self._labels[clear.group()]
        return None if clear is None else self._labels[clear.group()]

    def settings(self) -> dict[str, Any]:
        """``type`` and ``choices``."""
        return {"type": self.type, "choices": {label: [*words] for label, words in self.choices}}


@dataclass(frozen=True)
class NumberParser(Parser):
    """Reads the number that a reply gives for its answer (`read_number` says how).

    ``decimal`` is the sign before decimals, *point* (1,234.5) or *comma* (1.234,5). The canonical
    form has a point and no groups: "$1,234.50" gives "1234.5".
    """

    decimal: Decimal = "point"
    type: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        check_decimal(self.decimal)

    def read(self, answer: str) -> str | None:
        """The canonical number, or ``None`` when the reply gives none, or more than one."""
        return read_number(answer, self.decimal)

    def settings(self) -> dict[str, Any]:
        """``type``, and ``decimal`` where it is the comma."""
        return {"type": self.type, **({"decimal": "comma"} if self.decimal == "comma" else {})}


@dataclass(frozen=True)
class TextParser(Parser):
    """Takes the whole reply up to the first stop string, stripped; an empty rest is unparsed."""

    stop: tuple[str, ...] = ()
    type: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if not all(self.stop):
            raise InputError("parser text: 'stop' holds an empty string; remove it")

    def read(self, answer: str) -> str | None:
        """The stripped text, or ``None`` when nothing is left of it."""
        # Leading blanks go first: models often begin with the newline that is also the stop.
        text = answer.lstrip()
        ends = [end for stop in self.stop if (end := text.find(stop)) >= 0]
        return text[: min(ends, default=len(text))].strip() or None

    def settings(self) -> dict[str, Any]:
        """``type`` and, when there are any, the ``stop`` strings."""
        return {"type": self.type, **({"stop": list(self.stop)} if self.stop else {})}


@dataclass(frozen=True)
class RegexParser(Parser):
    """Takes group 1 of the first match of ``pattern`` (Python's `re` syntax), stripped.

    A pattern that cannot decide within a second raises `InputError`: nested repetitions can take
    longer than anybody waits.
    """

    pattern: str
    type: ClassVar[str] = "regex"

    def __post_init__(self) -> None:
        try:
            groups = re.compile(self.pattern).groups
            regex.compile(self.pattern)
        except (re.error, regex.error, OverflowError, RecursionError) as error:
            raise InputError(
                f"parser regex: {self.pattern!r} is no regular expression ({error})"
            ) from error
        if groups < 1:
            raise InputError(
                f"parser regex: {self.pattern!r} has no group; put the answer in (brackets)"
            )

    def read(self, answer: str) -> str | None:
        """Group 1, or ``None`` without a match or when the group is empty."""
        try:
            match = regex.search(self.pattern, answer, timeout=_MOST_SECONDS)
        except TimeoutError as error:
            raise InputError(
                f"parser regex: {self.pattern!r} takes more than {_MOST_SECONDS:g} s on a reply of "
                f"{len(answer)} characters; write it without a repetition inside a repetition"
            ) from error
        return None if match is None else (match[1] or "").strip() or None

    def settings(self) -> dict[str, Any]:
        """``type`` and ``pattern``."""
        return {"type": self.type, "pattern": self.pattern}


@dataclass(frozen=True)
class JsonParser(Parser):
    """Takes the value of ``key`` in the first JSON object of the reply that has it.

    Text around the object is allowed. Text is taken stripped, other values as JSON; ``null``,
    an empty text and broken JSON are unparsed.
    """

    key: str
    type: ClassVar[str] = "json"

    def read(self, answer: str) -> str | None:
        """The value as text, or ``None``."""
        decoder = json.JSONDecoder()
        start = answer.find("{")
        while start >= 0:
            try:
                found, _ = decoder.raw_decode(answer, start)
            except (ValueError, RecursionError):
                found = {}
            if isinstance(found, dict) and self.key in found:
                return _json_text(found[self.key])
            start = answer.find("{", start + 1)
        return None

    def settings(self) -> dict[str, Any]:
        """``type`` and ``key``."""
        return {"type": self.type, "key": self.key}


@dataclass(frozen=True)
class SpansParser(Parser):
    """Reads ``phrase -> TYPE`` lines, or the word ``none``; spans of other types are dropped.

    Without ``types`` every type is kept. A reply with no such line at all is unparsed.
    """

    types: tuple[str, ...] = ()
    type: ClassVar[str] = "spans"

    def read(self, answer: str) -> str | None:
        """The spans in canonical lines, or ``None``."""
        spans = read_spans(answer)
        if spans is None:
            return None
        return write_spans(span for span in spans if not self.types or span.type in self.types)

    def settings(self) -> dict[str, Any]:
        """``type`` and, when they are restricted, the ``types``."""
        return {"type": self.type, **({"types": list(self.types)} if self.types else {})}


def _folded(text: str) -> str:
    """``text`` in one case, with single blanks and straight apostrophes."""
    return " ".join(text.casefold().replace("\u2019", "'").split())


def _whole_word(word: str) -> str:
    """A pattern for ``word`` that does not match inside a longer word or number."""
    before = r"(?<!\w)" if _spaced(word[0]) else ""
    after = r"(?!\w)" if _spaced(word[-1]) else ""
    # "1" must match neither "1.5" nor "1,000".
    digit = r"(?![.,]\d)" if word[-1].isdigit() else ""
    return before + re.escape(word) + after + digit


def _spaced(character: str) -> bool:
    """Whether words in this character's script are set apart by blanks (not so from CJK on)."""
    return (character.isalnum() or character == "_") and ord(character) < 0x2E80


def _json_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None else json.dumps(value, ensure_ascii=False)
