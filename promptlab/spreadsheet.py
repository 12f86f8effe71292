"""Cells that a spreadsheet would run as formulas, made into text."""

from __future__ import annotations

import re
from typing import Any

_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with; some spreadsheets take the full-width signs, too."""
_CONTROLS = ("\t", "\r", "\n")
_INVISIBLE = "\ufeff\u200b\u2060\0"
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


def spreadsheet_safe(value: Any) -> Any:
    """``value`` as it may stand in a CSV file that somebody opens in a spreadsheet.

    Text that begins with ``=``, ``+``, ``-`` or ``@`` (also after white space), or with a tab or
    a line end, gets an apostrophe before it, so that it is shown and not run. Numbers, also those
    written as text such as ``"-1.5"``, and all other values stay what they are.
    """
    if not isinstance(value, str) or not _is_run(value):
        return value
    return f"'{value}"


def _is_run(text: str) -> bool:
    bare = text.strip().strip(_INVISIBLE).strip()
    if _NUMBER.fullmatch(bare):
        return False
    return bare.startswith(_STARTS) or text.startswith(_CONTROLS)
