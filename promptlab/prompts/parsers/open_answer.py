"""When two open answers are the same: as numbers, or as text but for case and punctuation."""

from __future__ import annotations

import re
import unicodedata

from promptlab.data.numeral import (
    CURRENCIES,
    find_numerals,
    format_number,
    parse_number,
    to_ascii_numbers,
)

NORMALIZATION = (
    "numbers are compared by value (1,000 = 1000.0, ½ = 0.5; a comma groups thousands); text "
    "without case, English articles before a word, quotation marks, sentence punctuation and "
    "double blanks; signs and symbols (+ - # $ % / and the like) count"
)
_MOST_TIMES = 16
_QUOTES = re.compile("[\"“”„«»`]|(?<!\\w)['‘’]|(?<![\\w])['’](?!\\w)|(?<=[^\\W\\d_])['’](?!\\w)")
_APOSTROPHE = re.compile("(?<=\\w)[‘’ʼ](?=\\w)")
_END = re.compile(
    r"(?<=\S)[.,;:?…]+(?=\s|$)|(?<=[^\W\d_])!+(?=\s|$)|(?<!\S)(?:[.,;:!?…–—]+|-)(?=\s)"
)
_DOTS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.)+[^\W\d_]?(?![^\W_])")
_BRACKETED = re.compile(r"(?<!\S)[(\[]([^\W\d_]+(?:[ -][^\W\d_]+)*)[)\]](?!\S)")
_ARTICLE = re.compile(r"(?<!\S)(?:an?|the)\s+(?=[^\W\d_]{2})")
_DECIMAL = re.compile(rf"[-+]?([{CURRENCIES}]?)[-+]?\d[\d,'\u00a0\u202f\u2009]*(?:\.\d+)?")


def normalize_answer(text: str) -> str:
    """The form in which equal answers are one text; `NORMALIZATION` says in words what it is.

    A text that is a number as a whole is its canonical number. Within a text plain numbers are
    written in one way, and all that may carry meaning is kept: ``-5`` is not ``5``, ``C++`` not
    ``C``, ``1/2`` not ``12``, ``m²`` not ``m2``, ``[0, 1)`` not ``(0, 1]``, ``5!`` not ``5``.
    """
    found = _simplified(text.strip())
    for _ in range(_MOST_TIMES):  # what stood within quotation marks may have some of its own
        text, found = found, _simplified(found)
        if text == found:
            break
    return found


def is_same_answer(one: str, other: str) -> bool:
    """Whether two open answers are the same."""
    return one == other or normalize_answer(one) == normalize_answer(other)


def _simplified(text: str) -> str:
    number = parse_number(_unquoted(text))
    if number is not None:
        return format_number(number)
    plain = unicodedata.normalize("NFC", _APOSTROPHE.sub("'", text)).casefold()
    plain = _DOTS.sub(lambda match: match[0].replace(".", ""), _with_plain_numbers(plain))
    plain = _END.sub("", _BRACKETED.sub(r"\1", _QUOTES.sub("", plain)))
    words = " ".join(_ARTICLE.sub("", " ".join(plain.split())).split())
    # "?" must not turn into the same empty text as "!".
    return words or " ".join(text.casefold().split())


def _unquoted(text: str) -> str:
    """A number without quotation marks around it or a full stop behind it."""
    text = re.sub(r"(?<=\d)[.,;:]$", "", text.strip())
    if len(text) > 2 and text[0] in "\"'`“‘" and text[-1] in "\"'`”’":
        return text[1:-1]
    return text


def _with_plain_numbers(text: str) -> str:
    """Numbers that are written with digits, groups and decimals alone in their canonical form."""
    plain = to_ascii_numbers(text)
    parts: list[str] = []
    place = 0
    for one in find_numerals(plain):
        said = plain[one.start : one.end]
        idle = re.match(r"[-+]?0\d", said) is not None
        form = _DECIMAL.fullmatch(said)
        if one.value is None or idle or form is None:
            continue
        sign = "-" if one.value < 0 else ""
        parts += [plain[place : one.start], sign, form[1], format_number(abs(one.value))]
        place = one.end
    return "".join([*parts, plain[place:]])
