"""Cells that a spreadsheet would run as formulas, made into text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from promptlab.security.redaction import hide_secrets
from promptlab.security.untrusted_text import make_printable

_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with; some spreadsheets take the full-width signs, too."""
_CONTROLS = ("\t", "\r", "\n")
_QUOTES = '"\u201c\u201d\u201e'
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


def spreadsheet_safe(value: Any) -> Any:
    """``value`` as it may stand in a CSV file that somebody opens in a spreadsheet.

    Text that begins with ``=``, ``+``, ``-`` or ``@`` (also after white space, quotation marks and
    what nobody sees), or with a tab or a line end, gets an apostrophe before it, so that it is
    shown and not run. Numbers, also those written as text such as ``"-1.5"``, and all other values
    stay what they are.

    Args:
        value: A cell.

    Returns:
        The cell, or the text with an apostrophe before it.

    Example:
        >>> pl.batch.spreadsheet_safe("=1+1"), pl.batch.spreadsheet_safe("-1.5")
        ("'=1+1", '-1.5')
    """
    if not isinstance(value, str) or not _is_run(value):
        return value
    return f"'{value}"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV for people: no cell is run, none holds a secret or an unseen character.

    Args:
        columns: The names of the columns.
        rows: The cells of every row; ``None`` is an empty cell, numbers stay what they are.

    Returns:
        The text of a CSV file.

    Example:
        >>> from promptlab.files.spreadsheet import csv_text
        >>> csv_text(["prompt", "accuracy"], [["=now()", 0.5]])
        "prompt,accuracy\\r\\n'=now(),0.5\\r\\n"
    """
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    return spreadsheet_safe(make_printable(hide_secrets(str(value))))


def _is_run(text: str) -> bool:
    bare = text.strip()
    if _NUMBER.fullmatch(bare):
        return False
    start = next((place for place, sign in enumerate(bare) if _is_seen(sign)), len(bare))
    return bare[start:].startswith(_STARTS) or text.startswith(_CONTROLS)


def _is_seen(sign: str) -> bool:
    """Whether it is more than white space, a quotation mark, or what nobody sees."""
    return sign.isprintable() and not sign.isspace() and sign not in _QUOTES
