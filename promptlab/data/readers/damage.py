"""Signs that text was damaged before it came into a file."""

from __future__ import annotations

import re

from promptlab.data.readers.rows import Rows

_TWICE_ENCODED = re.compile("Ã[\u00a0-¿]|â€[™œ\u009d“”˜¦]|Â[\u00a0£°»«]")
"""What UTF-8 looks like that was read as Windows-1252 and saved again."""
_LOST = "\ufffd"


def damage_remarks(rows: Rows) -> list[str]:
    """A sentence for each kind of damage that some rows show, with the first of them."""
    found = []
    for what, pattern in (
        ("text such as Ã© or â€™: UTF-8 that was read as Windows-1252", _TWICE_ENCODED),
        ("the replacement character �: letters that are lost", re.compile(_LOST)),
    ):
        hit = [
            row
            for row in rows
            if any(isinstance(v, str) and pattern.search(v) for v in row.values.values())
        ]
        if hit:
            found.append(
                f"{rows.place(hit[0])}{f' and {len(hit) - 1:,} more' if len(hit) > 1 else ''}: "
                f"{what} before; export the file anew"
            )
    return found
