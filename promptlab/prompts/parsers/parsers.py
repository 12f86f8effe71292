"""Parsers that read an answer out of a generated reply, or say that there is none.

``Parser.parse`` returns ``None`` for a reply it cannot read. Such a reply is recorded as
unparsed and counted; it is never turned into a default answer.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from promptlab.data.label import canonical_label, canonical_labels
from promptlab.data.numeral import Decimal, check_decimal
from promptlab.data.spans import read_spans, write_spans
from promptlab.errors import InputError
from promptlab.prompts.jinja.isolated import check_pattern, search_pattern
from promptlab.prompts.parsers.choice import ChoiceReader
from promptlab.prompts.parsers.hidden_reasoning import split_reasoning
from promptlab.prompts.parsers.number import read_number

_WRAPPED = re.compile(
    r"\s*<(answer|final_answer|output|response|solution)>(.*)</\1>\s*", re.IGNORECASE | re.DOTALL
)


class Parser(ABC):
    """Reads one answer out of one reply. Immutable, and equal when its settings are.

    A parser of your own is a subclass with `read` and `settings`.

    Example:
        >>> class YesNoParser(Parser):
        ...     type = "yes_no"
        ...     def read(self, answer):
        ...         word = answer.strip().lower()
        ...         return word if word in ("yes", "no") else None
        ...     def settings(self):
        ...         return {"type": self.type}
        >>> YesNoParser().parse("<think>Perhaps no?</think> Yes")
        'yes'
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
        """Plain data from which `from_settings` builds an equal parser."""

    @staticmethod
    def from_settings(settings: Mapping[str, Any]) -> Parser:
        """A shipped parser from plain data, as study files and templates hold it.

        Args:
            settings: ``type`` (choice, number, text, regex, json or spans) and the parser's keys.

        Raises:
            InputError: Naming the key, for an unknown type or key, a missing key or a wrong value.

        Example:
            >>> Parser.from_settings({"type": "number", "decimal": "comma"})
            NumberParser(decimal='comma')
        """
        return parser_from_settings(settings)


@dataclass(frozen=True)
class ChoiceParser(Parser):
    """Reads the label that a reply states by one of its words.

    What is marked as the answer wins over what is chosen, that over what "it is", and that over a
    mention; the last statement wins over the first (`ChoiceReader.read`). `ChoiceWords` says how
    words are found, and told from articles and denials. What is ambiguous is unparsed.

    Args:
        choices: Each label with the words that stand for it.

    Raises:
        InputError: For fewer than two labels, or a word that stands for two of them.

    Example:
        >>> parser = ChoiceParser((("positive", ("good",)), ("negative", ("bad",))))
        >>> parser.parse("It is not bad. The answer is: good.")
        'positive'
        >>> parser.parse("good or bad") is None
        True
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
    def _choices(self) -> ChoiceReader:
        return ChoiceReader.from_labels(self.choices)

    def read(self, answer: str) -> str | None:
        """The label that is stated, ``None`` for none or several."""
        return self._choices.read(answer)

    def settings(self) -> dict[str, Any]:
        """``type`` and ``choices``."""
        return {"type": self.type, "choices": {label: [*words] for label, words in self.choices}}


@dataclass(frozen=True)
class NumberParser(Parser):
    """Reads the number that a reply gives for its answer (`read_number` says how).

    The canonical form has a point and no groups: "$1,234.50" gives "1234.5". A marked answer
    (``#### 42`` as in GSM8K, a box, "the answer is") goes before the last number.

    Args:
        decimal: The sign before decimals, *point* (1,234.5) or *comma* (1.234,5).

    Raises:
        InputError: For another convention.

    Example:
        >>> NumberParser().parse("3 + 4 = 7, so she has 7 apples left. #### 7")
        '7'
        >>> NumberParser().parse("I cannot say.") is None
        True
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
    """Takes the whole reply up to the first stop string, stripped; an empty rest is unparsed.

    A full stop as stop string ends a sentence: it does not stand within "3.5" or "U.S". Tags such
    as ``<answer>…</answer>`` around all of it are left out.

    Args:
        stop: Strings that end the answer.

    Raises:
        InputError: For an empty stop string.

    Example:
        >>> TextParser(stop=(".",)).parse("It costs 3.5 euros. Anything else?")
        'It costs 3.5 euros'
    """

    stop: tuple[str, ...] = ()
    type: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if not all(self.stop):
            raise InputError("parser text: 'stop' holds an empty string; remove it")

    def read(self, answer: str) -> str | None:
        """The stripped text, or ``None`` when nothing is left of it."""
        # Leading blanks go first: models often begin with the newline that is also the stop.
        wrapped = _WRAPPED.fullmatch(answer)
        text = (wrapped[2] if wrapped else answer).lstrip()
        ends = [end for stop in self.stop if (end := _stop(text, stop)) >= 0]
        return text[: min(ends, default=len(text))].strip() or None

    def settings(self) -> dict[str, Any]:
        """``type`` and, when there are any, the ``stop`` strings."""
        return {"type": self.type, **({"stop": list(self.stop)} if self.stop else {})}


@dataclass(frozen=True)
class RegexParser(Parser):
    """Takes group 1 of the first match of ``pattern`` (Python's `re` syntax), stripped.

    Args:
        pattern: A regular expression with at least one group.

    Raises:
        InputError: For no valid pattern, and for one that cannot decide within a second: nested
            repetitions can take longer than anybody waits.

    Example:
        >>> RegexParser(r"is (\\w+)").parse("The capital is Rome.")
        'Rome'
    """

    pattern: str
    type: ClassVar[str] = "regex"

    def __post_init__(self) -> None:
        check_pattern(self.pattern)

    def read(self, answer: str) -> str | None:
        """Group 1, or ``None`` without a match or when the group is empty."""
        return (search_pattern(self.pattern, answer) or "").strip() or None

    def settings(self) -> dict[str, Any]:
        """``type`` and ``pattern``."""
        return {"type": self.type, "pattern": self.pattern}


@dataclass(frozen=True)
class JsonParser(Parser):
    """Takes the value of ``key`` in the last JSON object of the reply that has it.

    Text around the object is allowed, and so are objects before it, such as a draft or the form
    that was asked for. Text is taken stripped, other values as JSON; ``null``, an empty text, NaN
    and broken JSON are unparsed.

    Args:
        key: The key whose value is the answer.

    Example:
        >>> JsonParser("label").parse('Sure: {"label": "positive", "score": 0.9}')
        'positive'
    """

    key: str
    type: ClassVar[str] = "json"

    def read(self, answer: str) -> str | None:
        """The value as text, or ``None``."""
        decoder = json.JSONDecoder(parse_constant=_no_number)
        value: Any = None
        start = answer.find("{")
        while start >= 0:
            end = start + 1
            try:
                found, whole = decoder.raw_decode(answer, start)
            except (ValueError, RecursionError):
                found = {}
            if isinstance(found, dict) and self.key in found:
                value, end = found[self.key], whole
            start = answer.find("{", end)
        return _json_text(value)

    def settings(self) -> dict[str, Any]:
        """``type`` and ``key``."""
        return {"type": self.type, "key": self.key}


@dataclass(frozen=True)
class SpansParser(Parser):
    """Reads ``phrase -> TYPE`` lines, or the word ``none``; spans of other types are dropped.

    A reply with no such line at all is unparsed.

    Args:
        types: The types that are kept; without any, every type.

    Example:
        >>> SpansParser(("LOC",)).parse("Rome -> LOC\\nAnna -> PER")
        'Rome -> LOC'
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


def _stop(text: str, stop: str) -> int:
    """Where a stop string stands, -1 without it."""
    if stop != ".":
        return text.find(stop)
    match = re.search(r"\.(?!\w)", text)
    return -1 if match is None else match.start()


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _json_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None else json.dumps(value, ensure_ascii=False)


def parser_from_settings(settings: Mapping[str, Any]) -> Parser:
    """Build a shipped parser from plain data, as study files and templates hold it.

    Args:
        settings: ``type``, and the keys of that parser: *choice* needs ``choices`` (words by
            label), *regex* ``pattern``, *json* ``key``; *number* may have ``decimal``, *text*
            ``stop`` and *spans* ``types``.

    Returns:
        The parser; its own ``settings()`` build an equal one.

    Raises:
        InputError: Naming the key, for an unknown type or key, a missing key or a wrong value.

    Example:
        >>> parser_from_settings({"type": "regex", "pattern": "([0-9]+) apples"}).parse("7 apples")
        '7'
    """
    if not isinstance(settings, Mapping):
        raise InputError(f"parser: expected a mapping with a 'type', found {settings!r}")
    kind = settings.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise InputError(f"parser: 'type' must be one of {', '.join(_KEYS)}; found {kind!r}")
    required, optional = _KEYS[kind]
    for key in settings:
        if key not in {"type", *required, *optional}:
            known = ", ".join(["type", *required, *optional])
            raise InputError(f"parser {kind}: unknown key {key!r}; it knows {known}")
    for key in required:
        if key not in settings:
            raise InputError(f"parser {kind}: the key {key!r} is missing")
    match kind:
        case "choice":
            return ChoiceParser(_read_choices(settings["choices"]))
        case "number":
            return NumberParser(_read_text("number", "decimal", settings.get("decimal", "point")))  # type: ignore[arg-type]
        case "text":
            return TextParser(_read_texts("text", "stop", settings.get("stop", ())))
        case "regex":
            return RegexParser(_read_text("regex", "pattern", settings["pattern"]))
        case "json":
            return JsonParser(_read_text("json", "key", settings["key"]))
        case _:
            return SpansParser(_read_texts("spans", "types", settings.get("types", ())))


# type -> (required keys, optional keys)
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "choice": (("choices",), ()),
    "number": ((), ("decimal",)),
    "text": ((), ("stop",)),
    "regex": (("pattern",), ()),
    "json": (("key",), ()),
    "spans": ((), ("types",)),
}


def _read_choices(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, Mapping):
        raise InputError(f"parser choice: 'choices' must map labels to words; found {value!r}")
    labels = canonical_labels(value, "parser choice: 'choices'")
    return tuple(
        (label, _read_texts("choice", label, words))
        for label, words in zip(labels, value.values(), strict=True)
    )


def _read_texts(kind: str, key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence):
        raise InputError(f"parser {kind}: {key!r} must be text or a list of texts; found {value!r}")
    return tuple(_read_text(kind, key, item) for item in value)


def _read_text(kind: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        # YAML reads yes, no, on, off and bare numbers as something else than text.
        raise InputError(f"parser {kind}: {key!r} must be text; found {value!r} (put it in quotes)")
    return value
