"""Which columns of a file are the label and the text, judged by their names and their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from promptlab.data.columns import find_chat_paths
from promptlab.data.label_column import label_key
from promptlab.data.labelled_file import LabelledFileKeywords
from promptlab.data.readers import Rows
from promptlab.data.readers.column_names import (
    FIELD_NAMES,
    ID_NAMES,
    LABEL_NAMES,
    TEXT_NAMES,
    plain_name,
)
from promptlab.errors import DataError

_LIKELY_LABELS = {
    "queue", "topic", "type", "tag", "department", "team", "intent", "priority", "emotion",
    "status", "verdict", "score", "grade", "overall", "gold", "y", "star", "rate", "response",
    "answers", "polarity", "stance", "tone", "urgency", "severity", "genre", "section", "group",
    "product", "language", "reason", "outcome", "decision", "is_duplicate", "spam", "toxic",
}  # fmt: skip
"""Names that a label's column often has, besides those that are always taken for it."""
_LIKELY_FIELDS = {
    "subject", "description", "summary", "abstract", "email", "mail", "post", "feedback", "note",
    "statement", "claim", "evidence", "transcript", "dialogue", "conversation", "paragraph",
    "article", "story", "instruction", "prompt", "problem", "reply", "request", "complaint",
}  # fmt: skip
_NO_TEXT = re.compile(
    r"[\d\W]*|https?://\S+|\S+@\S+\.\S+|\d{4}-\d\d-\d\d.*|[0-9a-f-]{16,}", re.IGNORECASE
)
"""Numbers, dates, addresses and hashes."""
_FEWEST_CHARACTERS = 12
_MOST_CLASSES = 12


@dataclass(frozen=True)
class _Column:
    """What a column's values look like."""

    name: str
    values: tuple[str, ...]
    classes: int

    @classmethod
    def of(cls, rows: Rows, name: str) -> _Column:
        values = rows.texts(name)
        there = tuple(value for value in values if value)
        return cls(name, there, len({label_key(value) for value in there}))

    @property
    def length(self) -> float:
        return mean(map(len, self.values)) if self.values else 0.0

    @property
    def has_few(self) -> bool:
        """Whether the values are classes: two or more, each on five rows on average."""
        return 2 <= self.classes <= max(len(self.values) / 5, 2) and self.length <= 40

    @property
    def is_prose(self) -> bool:
        """Whether most values are words."""
        prose = sum(_NO_TEXT.fullmatch(value) is None for value in self.values)
        return 2 * prose > len(self.values)

    @property
    def label_points(self) -> int:
        """How much speaks for this being the label."""
        name = plain_name(self.name)
        points = 4 if name == "label" else 3 if name in LABEL_NAMES else 0
        parts = set(re.split(r"[\W_]+", name))
        points += 2 if not points and parts & (_LIKELY_LABELS | set(LABEL_NAMES)) else 0
        points += 2 if self.has_few else 0
        return points - (4 if name in ID_NAMES or "id" in parts or "date" in parts else 0)

    @property
    def is_text(self) -> bool:
        """Whether this is a text by its name or its values."""
        name = plain_name(self.name)
        if not self.is_prose or "id" in re.split(r"[\W_]+", name):
            return False
        if name in (*TEXT_NAMES, *FIELD_NAMES) or name in _LIKELY_FIELDS:
            return True  # passages repeat where several questions are asked about each
        differs = 2 * self.classes > len(self.values)
        return differs and self.length >= _FEWEST_CHARACTERS


def guess_columns_of(rows: Rows, given: LabelledFileKeywords) -> LabelledFileKeywords:
    """The options with ``label`` and ``text`` or ``fields`` named.

    The label is the column for which name and values speak most (few values, or a usual name); the
    fields are the columns of prose. Raises `DataError` naming the columns and the options where
    that is not clear.
    """
    chosen = LabelledFileKeywords(**given)
    asked = [str(c) for c in (given.get("text"), *(given.get("fields") or ())) if c is not None]
    for named in (*asked, given.get("label")):
        if named is not None and str(named) not in rows.columns:
            raise DataError(
                f"{rows.path} has no column {str(named)!r}; its columns are {_list(rows.columns)}"
            )
    chats = find_chat_paths(rows)
    if chats is not None and not asked and chosen.get("label") is None:
        return LabelledFileKeywords(**{**chosen, "text": chats[0], "label": chats[1]})
    columns = _columns(rows, rows.columns)
    if chosen.get("label") is None:
        chosen["label"] = _label([c for c in columns if c.name not in asked], rows)
    if not asked:
        left = [c for c in columns if c.name not in (chosen["label"], given.get("id"))]
        texts = [c.name for c in left if c.is_text]
        if not texts and len(left) == 1:
            texts = [left[0].name]
        if not texts:
            raise DataError(
                f"{rows.path}: cannot tell which column is the text; besides the label "
                f"{chosen['label']!r} there are {_list([c.name for c in left]) or 'no columns'}. "
                "Name it: --text COLUMN, or --field COLUMN for each of several"
            )
        if len(texts) == 1 and plain_name(texts[0]) not in FIELD_NAMES:
            chosen["text"] = texts[0]
        else:
            chosen["fields"] = texts
    label = next(column for column in _columns(rows, [str(chosen["label"])]))
    if given.get("labels") is None and _is_open(label, chosen):
        chosen["labels"] = []
    return chosen


def _columns(rows: Rows, names: Sequence[str]) -> list[_Column]:
    return [_Column.of(rows, name) for name in names]


def _is_open(label: _Column, chosen: LabelledFileKeywords) -> bool:
    """Whether many different answers to questions are written ones, though some come twice."""
    fields = [str(name).lower() for name in (chosen.get("fields") or ())]
    asks = "answer" in label.name.lower() or any("question" in name for name in fields)
    return asks and label.classes > _MOST_CLASSES and label.classes * 6 > len(label.values)


def _label(columns: Sequence[_Column], rows: Rows) -> str:
    points = {column.name: column.label_points for column in columns}
    best = max(points.values(), default=0)
    winners = [name for name, found in points.items() if found == best]
    if best < 2 or len(winners) > 1:
        found = f"{_list(winners)} could all be it" if best >= 2 else "none looks like one"
        raise DataError(
            f"{rows.path}: cannot tell which column is the label ({found}); its columns are "
            f"{_list(rows.columns)}. Name it: --label COLUMN"
        )
    return winners[0]


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
