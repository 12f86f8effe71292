"""The number that a reply gives for its answer."""

from __future__ import annotations

import re
from fractions import Fraction

from promptlab.data.numeral import (
    FRACTION_WORDS,
    SMALL_NUMBERS,
    Decimal,
    Numeral,
    check_decimal,
    find_numerals,
    format_number,
    to_ascii_numbers,
)
from promptlab.prompts.parsers.answer_cue import (
    MarkedAnswer,
    find_marked_answers,
    truncate_at_next_example,
)

_OPERATOR = re.compile(
    r"[\s()]*(?:[-+*×·÷/^]|\bx\b|\b(?:plus|minus|times|divided\s+by|multiplied\s+by|over)\b)[\s()$]*",
    re.IGNORECASE,
)
_OTHER_BASE = re.compile(r"(?<![\w.])0[xob][0-9a-f]+\b", re.IGNORECASE)
"""Hexadecimal, octal and binary numbers are none that an answer is compared with."""
_RANGE = re.compile(r"\s*(?:-|\bto\b|\bthrough\b|\bbis\b)\s*", re.IGNORECASE)
_LIST = re.compile(r"\s*(?:[,;]\s*(?:and|or)\b|\b(?:and|or)\b|&|\|)\s*", re.IGNORECASE)
_COMMA = re.compile(r"\s*[,;]\s*")
_EQUALS = re.compile(r"\s*=\s*[$€£]?\s*")
_EXPRESSION = re.compile(r"^\s*[*^÷×]|\\(?:sqrt|pi|infty|log|ln|sin|cos|tan)\b|\^[A-Za-z({]|[πθ√∞]")
_UNIT = re.compile(r"[\s\w%°$€£¥₹/.^\-²³'\"()\\]*", re.UNICODE)
_UNKNOWN = re.compile(
    r"\b(?:not|cannot|can't|unknown|undefined|undetermined|unclear|impossible|none|no|neither|"
    r"n/?a|infinite|infinity)\b",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,60})\*\*")
_PRONOUN = re.compile(
    r"\b((?:this|that|the|each|every|any|no|which|another|other|only|last|first|next|right|"
    r"correct|wrong|new)\s+)one\b|\bone(?=\s+(?:of|who|that|which|can|could|should|must|may|has|"
    r"and\s+only|by\s+one)\b)|\b(?:no|any|some|every)\s?one\b",
    re.IGNORECASE,
)
_HALVES = re.compile(
    r"\b(a|one|two|three|four|five|six|seven|eight|nine)[\s-](hal(?:f|ves)|thirds?|quarters?|"
    r"fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?)\b(?!\s+(?:one|time|step))",
    re.IGNORECASE,
)


def read_number(text: str, decimal: Decimal = "point") -> str | None:
    r"""The number that a reply gives for its answer, in canonical form.

    A marked answer wins over any other number: in ``\boxed{}``, behind ``####``, in ``<answer>``,
    after "the answer is" or "Answer:" (the last mark that holds a number), else the number that
    stands in bold in the last line. Without a mark it is the last number that does not merely name
    or number something: in brackets, 5th, step 2, out of 10, a date, the number of a list's line.
    Number words are read where there are no digits. Times of day, ranges, lists of numbers and
    expressions without a result are ambiguous, hence unparsed. Units, currencies and percent
    signs are left off, *thousand* and *million* are multiplied.

    Args:
        text: The reply, or a label.
        decimal: The sign before decimals: *point* reads 1,234 as 1234, *comma* as 1.234. The other
            sign groups thousands and nothing else, so that 12,34 is no number to *point*. Blanks
            and apostrophes group thousands for both.

    Returns:
        Decimals without idle zeros ("-1234.5"), or a fraction in lowest terms where they would not
        end ("1/3"). ``None`` when the text gives no number, or more than one.

    Example:
        >>> read_number(r"He has \boxed{30} dollars left of a $50.00 bill.")
        '30'
    """
    check_decimal(decimal)
    text = _OTHER_BASE.sub(" ", text)
    own = truncate_at_next_example(text)
    value = _stated(own, decimal) if own != text else None
    if value is None:
        value = _stated(text, decimal)
    return None if value is None else format_number(value)


def _stated(text: str, decimal: Decimal) -> Fraction | None:
    for statement in reversed(find_marked_answers(text)):
        found = _of_statement(statement, decimal)
        if not isinstance(found, _Nothing):
            return found
    if (found := _bold(text, decimal)) is not None:
        return found
    plain = to_ascii_numbers(text)
    found_all = find_numerals(plain, decimal)
    if not found_all:
        plain = _with_digits(plain)
        found_all = find_numerals(plain, decimal)
    return _last(plain, found_all)


class _Nothing:
    """A mark behind which no number stands."""


def _of_statement(statement: MarkedAnswer, decimal: Decimal) -> Fraction | _Nothing | None:
    plain = to_ascii_numbers(statement.text)
    if statement.exact:
        return _whole(plain, find_numerals(plain, decimal)) if plain.strip() else _Nothing()
    found = find_numerals(plain, decimal)
    if not found:
        plain = _with_digits(plain)
        found = find_numerals(plain, decimal)
    if found:
        return _first(plain, found)
    return None if _UNKNOWN.search(plain) else _Nothing()


def _whole(plain: str, found: list[Numeral]) -> Fraction | None:
    """The number of a text that holds it and its unit, or an equation with it on the right."""
    if not found:
        worded = _with_digits(plain)
        found = find_numerals(worded, "point")
        return _whole(worded, found) if found else None
    if _EXPRESSION.search(plain):
        return None
    if re.search(r"\d[xyzn]\b|\\[a-zA-Z]", plain):
        return None
    return _first(plain, found)


def _first(plain: str, found: list[Numeral]) -> Fraction | None:
    """The first number, or what an expression that begins there is said to equal."""
    strong = [n for n, one in enumerate(found) if one.kind != "aside"]
    if not strong:
        return _only({one.value for one in found})
    place = strong[0]
    if place + 1 < len(found) and _joint(plain, found, place) == "operator":
        while place + 1 < len(found) and _joint(plain, found, place) == "operator":
            place += 1
        if place + 1 >= len(found) or _joint(plain, found, place) != "equals":
            return None
        place += 1
        while place + 1 < len(found) and _joint(plain, found, place) == "equals":
            place += 1
    if place + 1 < len(found) and _joint(plain, found, place) in ("operator", "range", "list"):
        return None
    if _EXPRESSION.search(plain[found[place].end : found[place].end + 12]):
        return None
    return found[place].value


def _last(plain: str, found: list[Numeral]) -> Fraction | None:
    """The last number, if it stands for itself."""
    strong = [n for n, one in enumerate(found) if one.kind != "aside"]
    if not strong:
        return _only({one.value for one in found})
    place = strong[-1]
    joints = [_joint(plain, found, n) for n in (place - 1, place) if 0 <= n < len(found) - 1]
    if any(joint in ("operator", "range", "list") for joint in joints):
        return None
    if re.search(r"(?:[\w)]\s*\*|[\^÷×√π±])\s*$|\\[a-zA-Z]+\{?$", plain[: found[place].start]):
        return None
    if re.match(r"\s?(?:[π√∞]|\\(?:pi|sqrt|infty))", plain[found[place].end :]):
        return None
    return found[place].value


def _only(values: set[Fraction | None]) -> Fraction | None:
    return next(iter(values)) if len(values) == 1 else None


def _joint(plain: str, found: list[Numeral], place: int) -> str | None:
    """How a numeral and the next one hang together."""
    before, after = found[place], found[place + 1]
    gap = plain[before.end : after.start]
    if _EQUALS.fullmatch(gap):
        return "equals"
    if not gap and plain[after.start : after.start + 1] in "-+":
        return "operator"
    if _OPERATOR.fullmatch(gap):
        return "operator"
    if _RANGE.fullmatch(gap):
        return "range"
    if _LIST.fullmatch(gap):
        return "list"
    if _COMMA.fullmatch(gap) and (
        any(
            0 <= other < len(found) - 1
            and (
                _COMMA.fullmatch(_gap(plain, found, other))
                or _LIST.fullmatch(_gap(plain, found, other))
            )
            for other in (place - 1, place + 1)
        )
        or (
            plain[: before.start].rstrip()[-1:] in ("(", "[", "{")
            and plain[after.end :].lstrip()[:1] in (")", "]", "}")
        )
    ):
        return "list"
    return None


def _gap(plain: str, found: list[Numeral], place: int) -> str:
    return plain[found[place].end : found[place + 1].start]


def _bold(text: str, decimal: Decimal) -> Fraction | None:
    """The number in bold in the last line that says something."""
    line = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    spans = [match[1] for match in _BOLD.finditer(line)]
    found = [find_numerals(to_ascii_numbers(span), decimal) for span in spans]
    numbers = [one for row in found for one in row]
    if len(numbers) != 1 or numbers[0].kind != "number":
        return None
    return numbers[0].value


def _with_digits(text: str) -> str:
    """Number words as digits, but for "one" where it stands for something."""
    from text_to_num import alpha2digit

    if not any(character.isalpha() for character in text):
        return text
    text = _PRONOUN.sub(lambda match: f"{match[1] or ''}it", text)
    text = _HALVES.sub(_fraction, text)
    text = re.sub(r"\ba\s+dozen\b", "12", text, flags=re.IGNORECASE)
    return str(alpha2digit(text, "en", threshold=0))


def _fraction(match: re.Match[str]) -> str:
    return f"{SMALL_NUMBERS[match[1].casefold()]}/{FRACTION_WORDS[match[2].casefold()]}"
