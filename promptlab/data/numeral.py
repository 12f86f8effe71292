"""Numerals in running text: where one stands, and exactly which number it is."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal, get_args

from promptlab.errors import InputError

Decimal = Literal["point", "comma"]
"""Which sign stands before the decimals; the other one then groups thousands and nothing else."""
NumeralKind = Literal["number", "aside", "unreadable"]
"""An *aside* is a number that names or numbers something: (in brackets), 5th, step 2, out of 10."""

_MOST_DIGITS = 400
FRACTION_WORDS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4,
    "fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "seventh": 7, "sevenths": 7,
    "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10,
}  # fmt: skip
SMALL_NUMBERS = {
    "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9,
}  # fmt: skip
_SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "mn": 10**6, "billion": 10**9,
    "bn": 10**9, "trillion": 10**12, "k": 10**3, "m": 10**6, "b": 10**9,
}  # fmt: skip
_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_NAMED = re.compile(
    r"(?:\b(?:steps?|equations?|eq\.|questions?|problems?|examples?|figures?|fig\.|tables?|"
    r"chapters?|sections?|pages?|lines?|parts?|cases?|rules?|notes?|options?|methods?|points?|"
    r"footnotes?|out\s+of|" + _MONTHS + r"(?:\s+\d{1,2}(?:st|nd|rd|th)?,?)?)\s*[(#]?\s*|#)$",
    re.IGNORECASE,
)
_MONTH = re.compile(rf"\s*(?:of\s+)?{_MONTHS}(?![\w])", re.IGNORECASE)
_DATE = re.compile(r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4})(?!\d)")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)", re.IGNORECASE)
_SCALE = re.compile(
    r"\s?(dozen|hundred|thousand|million|billion|trillion|mn|bn)(?![^\W_])|(k)(?![^\W_])",
    re.IGNORECASE,
)
_MONEY_SCALE = re.compile(r"([kmb]|bn)(?![^\W_])", re.IGNORECASE)
_POWER = re.compile(r"\^\(?([-+]?\d{1,6})\)?")
_TEN = re.compile(r"\s?(?:[*×·x]|times)\s?10\^\(?([-+]?\d{1,6})\)?", re.IGNORECASE)
_OVER = re.compile(r"\s?/\s?(\d+)(?![\d.,]*\d)")
_MIXED = re.compile(r"(?:\s+|\s+and\s+)(\d+)/(\d+)(?![\d/])")
_AND_PART = re.compile(r"\s+and\s+(?:a|one)[ -](half|third|quarter)(?!\w)", re.IGNORECASE)
_LIST_ITEM = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]+(?=\S)", re.MULTILINE)
_MINUS_WORD = re.compile(r"(?:^|[^\w\s])\s*(minus|negative)\s+$|\b(minus|negative)\s+$", re.I)
_BLANK = "[ \u00a0\u202f\u2009]"
CURRENCIES = "$€£¥₹₩₽¢"


@dataclass(frozen=True)
class Numeral:
    """A numeral from ``start`` to ``end``; ``value`` is ``None`` where it is not readable."""

    start: int
    end: int
    value: Fraction | None
    kind: NumeralKind = "number"


def check_decimal(decimal: str) -> None:
    """Raise `InputError` for an unknown convention."""
    if decimal not in get_args(Decimal):
        raise InputError(f"decimal is {decimal!r}; it is point (1,234.5) or comma (1.234,5)")


def to_ascii_numbers(text: str) -> str:
    """``text`` with numbers of other scripts, typographic signs and LaTeX written in ASCII."""
    text = "".join(_ascii(character, text, place) for place, character in enumerate(text))
    text = re.sub(r"(?<=\d)([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+)", lambda m: "^" + _compatible(m[1]), text)
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[‐‑‒–−﹣－]", "-", text)
    text = re.sub(r"(?<=\d)[’ʼ‘](?=\d)", "'", text)
    text = re.sub(r"(?<=\d)٫(?=\d)", ".", re.sub(r"(?<=\d)٬(?=\d)", ",", text))
    return _without_latex(text) if "\\" in text or "{" in text else _without_stars(text)


def find_numerals(text: str, decimal: Decimal = "point") -> list[Numeral]:
    """The numerals of a text from `to_ascii_numbers`, in order, each with what belongs to it.

    Signs, groups of thousands (comma, blank, apostrophe, underscore), decimals, exponents, powers,
    fractions and words such as *million* belong to a numeral. What has the form of no number
    (12,34 where commas group thousands, 1.2.3, 3:30, 2024-01-05) is one that is unreadable.
    """
    listed = _list_numbers(text)
    found: list[Numeral] = []
    for match in _clump(decimal).finditer(text):
        if found and match.start() < found[-1].end:
            continue
        found.append(_numeral(text, match, decimal, listed))
    return found


def parse_number(text: str, decimal: Decimal = "point") -> Fraction | None:
    """The number that a text is as a whole, ``None`` if it is more than that, or none.

    A currency or a unit is more than that.
    """
    plain = to_ascii_numbers(text).strip()
    if any(sign in plain for sign in CURRENCIES):
        return None
    found = find_numerals(plain, decimal)
    if len(found) != 1 or (found[0].start, found[0].end) != (0, len(plain)):
        return None
    return found[0].value


def format_number(value: Fraction) -> str:
    """The canonical form of a number: decimals without idle zeros, else a fraction."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")


@lru_cache
def _clump(decimal: Decimal) -> re.Pattern[str]:
    """Digits that belong together, whether or not they are a number."""
    point = r"\." if decimal == "point" else ","
    return re.compile(
        rf"(?<![^\W_])(?<![^\W\d_]-)(?<![\d^_])(?<!\d[.,:])"
        rf"(?:\d{{1,3}}(?:{_BLANK}\d{{3}})+(?![\d_]|{_BLANK}\d{{1,2}}\b|\.\d{{3}}\b)"
        rf"(?:{point}\d+)?(?![.,'_/]?\d)"
        rf"|\d+(?:[.,'_:]\d+)*|{point}\d+)"
    )


@lru_cache
def _form(decimal: Decimal) -> re.Pattern[str]:
    """What a number without sign looks like."""
    comma, point = (",", r"\.") if decimal == "point" else (r"\.", ",")
    groups = "|".join(rf"\d{{1,3}}(?:{mark}\d{{3}})+" for mark in (comma, _BLANK, "'", "_"))
    indian = rf"\d{{1,2}}(?:{comma}\d{{2}})+{comma}\d{{3}}"
    return re.compile(rf"(?P<whole>{groups}|{indian}|\d+|(?={point}\d))(?:{point}(?P<part>\d+))?")


def _numeral(text: str, match: re.Match[str], decimal: Decimal, listed: frozenset[int]) -> Numeral:
    start, end = match.span()
    form = _form(decimal).fullmatch(match[0])
    start, sign, money = _signed(text, start)
    if ":" in match[0] or _DATE.match(text, match.start()):
        return Numeral(start, max(end, _date_end(text, match.start())), None, "aside")
    if form is None or len(match[0]) > _MOST_DIGITS:
        return Numeral(start, end, None, "unreadable")
    digits = re.sub(r"\D", "", form["whole"]) or "0"
    value = Fraction(int(digits + (form["part"] or "")), 10 ** len(form["part"] or ""))
    found = _grown(text, Numeral(start, end, value), money)
    if found.value is not None:
        found = replace(found, value=sign * found.value)
    return replace(found, kind=_kind(text, found, match.start() in listed))


def _signed(text: str, start: int) -> tuple[int, int, bool]:
    """Where a numeral begins with its sign and currency, the sign, and whether it is money."""
    place, money = start, False
    if text[place - 1 : place] in CURRENCIES and place:
        place, money = place - 1, True
    before = text[:place].rstrip(" ")
    blank = len(before) < place
    last, further = before[-1:], before[:-1].rstrip()
    if last in ("-", "+"):
        # "10-5" is a difference and "- 5" an item of a list; "= - 5" and "-5" have a sign.
        operand = before[-2:-1].isalnum() or before[-2:-1] in tuple(")]}%")
        spaced = blank or (before[-2:-1] == " " and further[-1:].isdigit() and blank)
        if not operand and (not blank or further[-1:] in tuple("=([{:^")):
            return len(before) - 1, -1 if last == "-" else 1, money
        if spaced:
            return place, 1, money
    if place >= 1 and text[place - 1 : place] in ("-", "+") and not money:
        return place, 1, money
    word = _MINUS_WORD.search(text, max(0, place - 24), place)
    if word is not None and not re.search(r"\d[^\w.!?\n]*$", text[: word.start()]):
        return word.start(1) if word[1] else word.start(2), -1, money
    return place, 1, money


def _grown(text: str, found: Numeral, money: bool) -> Numeral:
    """With exponent, power, fraction, mixed number and scale word."""
    value, end = found.value, found.end
    assert value is not None
    if match := re.compile(r"[eE]([-+]?\d{1,3})(?!\w)").match(text, end):
        value, end = value * Fraction(10) ** int(match[1]), match.end()
    elif match := _TEN.match(text, end):
        if abs(int(match[1])) > _MOST_DIGITS:
            return Numeral(found.start, match.end(), None, "unreadable")
        value, end = value * Fraction(10) ** int(match[1]), match.end()
    elif match := _POWER.match(text, end):
        power = _power(value, int(match[1]))
        if power is None or text[match.end() : match.end() + 1] == "^":
            return Numeral(found.start, match.end(), None, "unreadable")
        value, end = power, match.end()
    if (
        (match := _MIXED.match(text, end))
        and value.denominator == 1
        and 0 < int(match[1]) < int(match[2])
    ):
        return Numeral(found.start, match.end(), value + Fraction(int(match[1]), int(match[2])))
    if match := _AND_PART.match(text, end):
        return Numeral(
            found.start, match.end(), value + Fraction(1, FRACTION_WORDS[match[1].casefold()])
        )
    if match := _OVER.match(text, end):
        if re.compile(r"\s?/\s?\d").match(text, match.end()) or not int(match[1]):
            return Numeral(found.start, match.end(), None, "unreadable")
        return Numeral(found.start, match.end(), value / int(match[1]))
    scale = _MONEY_SCALE if money else _SCALE
    if match := scale.match(text, end) or _SCALE.match(text, end):
        word = next(filter(None, match.groups())).casefold()
        value, end = value * _SCALES[word], match.end()
    return Numeral(found.start, end, value)


def _kind(text: str, found: Numeral, listed: bool) -> NumeralKind:
    if found.value is None:
        return "unreadable"
    before = text[max(0, found.start - 24) : found.start]
    named = _NAMED.search(before) is not None
    numbered = _ORDINAL.match(text, found.end) is not None or _MONTH.match(text, found.end)
    inside = _within_brackets(text, found)
    return "aside" if listed or named or numbered or inside else "number"


def _date_end(text: str, start: int) -> int:
    """Where a date in digits ends that begins there; ``start`` if none does."""
    match = _DATE.match(text, start)
    return start if match is None else match.end()


def _within_brackets(text: str, found: Numeral) -> bool:
    """Whether a numeral stands in brackets within its line."""
    line = text.rfind("\n", 0, found.start) + 1
    before = text[max(line, found.start - 300) : found.start]
    return before.count("(") > before.count(")") or before.count("[") > before.count("]")


def _list_numbers(text: str) -> frozenset[int]:
    """Where the numbers of a list stand that counts its lines from 1 on."""
    places: list[int] = []
    expected = 1
    for match in _LIST_ITEM.finditer(text):
        if int(match[1]) == expected:
            places.append(match.start(1))
            expected += 1
        elif int(match[1]) == 1:
            places.append(match.start(1))
            expected = 2
    return frozenset(places if len(places) > 1 else ())


def _power(base: Fraction, exponent: int) -> Fraction | None:
    """A power of up to so many digits."""
    size = max(abs(base.numerator), base.denominator).bit_length() * abs(exponent)
    if size > 3.33 * _MOST_DIGITS or (not base and exponent < 0):
        return None
    return Fraction(base**exponent)


def _ascii(character: str, text: str, place: int) -> str:
    """Digits and fractions as ASCII, full-width signs as plain ones; all else as it is."""
    if character.isascii():
        return character
    kind = unicodedata.decomposition(character)
    if kind.startswith("<fraction>"):
        spaced = " " if text[place - 1 : place].isdigit() else ""
        return spaced + unicodedata.normalize("NFKC", character).replace("⁄", "/")
    if character == "⁄":
        return "/"
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    return (
        _compatible(character) if kind.startswith(("<wide>", "<noBreak>", "<small>")) else character
    )


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("−", "-")


_LATEX: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|displaystyle|big|Big|bigl|bigr)\b", ""),
        (r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}",
         r" \1 "),
        (r"(?<=\d)\{([,.])\}(?=\d)", r"\1"),
        (r"\\!", ""),
        (r"(?<=\d)\\[,;: ](?=\d{3})|(?<=\d)~(?=\d{3})", " "),
        (r"(?<=\d)\s*\\[dtc]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}", r" \1/\2"),
        (r"\\[dtc]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}", r"\1/\2"),
        (r"(?<=\d)\s*\\[dtc]?frac\s*(\d)\s*(\d)", r" \1/\2"),
        (r"\\[dtc]?frac\s*(\d)\s*(\d)", r"\1/\2"),
        (r"\^\s*\{\s*([-+]?\d+)\s*\}", r"^\1"),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree", "°"),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "÷"),
        (r"\\(?:approx|equiv|eq)(?![a-zA-Z])", "="),
        (r"\\([$%#&_])", r"\1"),
        (r"\\[()\[\]]|\$\$", " "),
        (r"\\(?:quad|qquad|[,;: ])", " "),
    )
)  # fmt: skip


def _without_latex(text: str) -> str:
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return _without_stars(text)


def _without_stars(text: str) -> str:
    """Python's power as a power; stars and underscores that emphasise a number are left out."""
    text = re.sub(r"(?<=\d)\*\*(?=[-(]?\d)", "^", text)
    return re.sub(r"\*\*|__|`", "", text)
