"""Numbers as people and models write them in running text."""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(
    r"""
    (?<![^\W_])                                 # not inside a word: "H2O" holds no number
    (?P<sign>(?<![\w)\].])[-+\u2212](?=[$€£¥]?[.\d]))? # "10-5" is a difference, "= -5" has a sign
    [$€£¥]?
    (?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))
    (?P<fraction>\.\d+)?
    (?P<exponent>[eE][-+]?\d{1,3}(?!\w))?
    """,
    re.VERBOSE | re.ASCII,
)
_FINAL_ANSWER = "####"  # GSM8K's mark before the answer


def read_number(text: str) -> str | None:
    """The number after the last ``####`` (GSM8K's form), else the last number of ``text``.

    The canonical form has neither commas nor leading or trailing zeros: "$1,234.50" gives
    "1234.5". ``None`` when the text holds no number.
    """
    _, mark, answer = text.rpartition(_FINAL_ANSWER)
    if mark and (first := _NUMBER.search(answer)):
        return _canonical_number(first)
    last = None
    for match in _NUMBER.finditer(text):
        last = match
    return None if last is None else _canonical_number(last)


def _canonical_number(match: re.Match[str]) -> str:
    """Sign, digits and fraction without commas, leading or trailing zeros."""
    digits = match["digits"].replace(",", "") + (match["fraction"] or "")
    if match["exponent"]:
        digits = format(Decimal(digits + match["exponent"]), "f")
    whole, _, fraction = digits.partition(".")
    value = (whole.lstrip("0") or "0") + (f".{kept}" if (kept := fraction.rstrip("0")) else "")
    return f"-{value}" if match["sign"] in ("-", "\u2212") and value != "0" else value
