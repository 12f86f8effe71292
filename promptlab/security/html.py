"""Small tables for notebooks: every text in them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from promptlab.security.untrusted_text import sanitize

_LONGEST_CELL = 500


def html_facts(title: str, facts: Mapping[str, Any]) -> str:
    """A titled table of names and values, for ``_repr_html_``.

    Args:
        title: What stands above the table.
        facts: Values by name, shown as text.

    Returns:
        HTML in which every text is escaped, without secrets, and cut where it is long.
    """
    rows = "".join(
        f"<tr><th>{_cell(name)}</th><td>{_cell(value)}</td></tr>" for name, value in facts.items()
    )
    return f"<p><b>{_cell(title)}</b></p><table>{rows}</table>"


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A titled table with a head, for ``_repr_html_``; escaped as in `html_facts`."""
    head = "".join(f"<th>{_cell(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<p><b>{_cell(title)}</b></p><table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    text = sanitize("" if value is None else str(value), longest=_LONGEST_CELL)
    return escape(text).replace("\n", "<br>")
