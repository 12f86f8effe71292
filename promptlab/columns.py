"""Which columns of a data file are the fields and which is the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptlab.errors import DataError
from promptlab.example import Example
from promptlab.readers import Row, Rows, text_of

TEXT_NAMES = ("text", "sentence", "review", "body", "content", "comment", "document", "message",
              "tweet", "utterance", "headline", "input")  # fmt: skip
"""A column with one of these names becomes the field ``text``."""

FIELD_NAMES = ("premise", "hypothesis", "passage", "question", "context", "sentence1",
               "sentence2", "word", "country", "query", "title")  # fmt: skip
"""A column with one of these names becomes a field of the same name."""

LABEL_NAMES = ("label", "labels", "target", "class", "category", "sentiment", "stars", "rating",
               "answer", "output")  # fmt: skip
"""A column with one of these names may be the label; ``label`` goes before the others."""


@dataclass(frozen=True)
class Columns:
    """The chosen columns: field name by column name, and the label's column if there is one."""

    fields: Mapping[str, str]
    label: str | None = None

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields' names, in the order of the columns."""
        return tuple(self.fields.values())

    def examples(self, rows: Rows, *, prefix: str = "") -> list[Example]:
        """Examples from rows; the id is the row's number, from 1, padded with zeros.

        White space around fields and labels is dropped; without a label column labels are None.
        Raises `DataError` with the line of a row that lacks a column or its label, or has no
        text in any field.
        """
        width = len(str(len(rows)))
        found = []
        for number, row in enumerate(rows, start=1):
            fields = {field: _value(rows, row, c) for c, field in self.fields.items()}
            if not any(fields.values()):
                raise DataError(f"{rows.place(row)}: no text in {', '.join(self.fields)}")
            label = None if self.label is None else _value(rows, row, self.label)
            if label == "":
                raise DataError(
                    f"{rows.place(row)}: the label (column {self.label!r}) is empty; label the row "
                    "or remove it"
                )
            found.append(Example(f"{prefix}{number:0{width}}", fields, label))
        return found


def choose_columns(
    columns: Sequence[str],
    *,
    source: str,
    text: str | None = None,
    label: str | None = None,
    fields: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
) -> Columns:
    """Decide what each of ``columns`` is; what the caller names is never guessed.

    ``text`` names the one column that becomes the field ``text``, ``fields`` several columns that
    keep their names, ``rename`` maps column to field. The rule for the rest: the label is the
    column called ``label``, else the only one out of `LABEL_NAMES`, else the other one of two
    columns when one is out of `TEXT_NAMES`. The fields are all columns out of `FIELD_NAMES` and
    the only one out of `TEXT_NAMES`; without any, the only column left. Anything else raises
    `DataError` with the names of the columns.
    """
    for name in (text, label, *(fields or ()), *(rename or {})):
        if name is not None and name not in columns:
            raise DataError(f"{source} has no column {name!r}; its columns are {_list(columns)}")
    if text is not None and fields is not None:
        raise DataError("give either text (one column) or fields (several), not both")
    asked = [*([text] if text else []), *(fields or ())]
    label = label or _guess_label([c for c in columns if c not in asked], columns, source)
    if label in asked:
        raise DataError(f"{source}: the column {label!r} cannot be both label and field")
    if text is not None:
        chosen = {text: "text"}
    elif fields is not None:
        chosen = {name: name for name in fields}
    else:
        chosen = _guess_fields([c for c in columns if c != label], rename or {}, source)
    chosen |= {c: field for c, field in (rename or {}).items() if c in chosen}
    if not chosen:
        raise DataError(f"{source}: no field is named; its columns are {_list(columns)}")
    names = list(chosen.values())
    if len(set(names)) < len(names):
        raise DataError(f"{source}: two columns would become the same field: {_list(names)}")
    return Columns(chosen, label)


def _guess_label(left: Sequence[str], columns: Sequence[str], source: str) -> str:
    known = [c for c in left if _plain(c) in LABEL_NAMES]
    exact = [c for c in known if _plain(c) == "label"]
    texts = [c for c in columns if _plain(c) in TEXT_NAMES]
    others = [c for c in left if c not in texts]
    if len(exact or known) == 1:
        return (exact or known)[0]
    if not known and len(columns) == 2 and len(others) == 1:
        return others[0]
    found = f"{_list(known)} could all be it" if known else "none is called label"
    raise DataError(
        f"{source}: cannot tell which column is the label ({found}); its columns are "
        f"{_list(columns)}. Name it (label=...)"
    )


def _guess_fields(left: Sequence[str], rename: Mapping[str, str], source: str) -> dict[str, str]:
    if rename:
        return {c: c for c in left if c in rename}
    texts = [c for c in left if _plain(c) in TEXT_NAMES]
    chosen = {c: _plain(c) for c in left if _plain(c) in FIELD_NAMES}
    if len(texts) == 1:
        return {texts[0]: "text"} | chosen
    if not texts and chosen:
        return chosen
    if not texts and len(left) == 1:
        return {left[0]: left[0]}
    found = f"{_list(texts)} could all be it" if texts else "no name is a usual one"
    raise DataError(
        f"{source}: cannot tell which column is the text ({found}); besides the label there are "
        f"{_list(left) or 'no columns'}. Name it (text=... or fields=...)"
    )


def _plain(name: str) -> str:
    return name.strip().lower()


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _value(rows: Rows, row: Row, column: str) -> str:
    if column not in row.values:
        raise DataError(f"{rows.place(row)}: the column {column!r} is missing")
    value = row.values[column]
    if isinstance(value, bytes):
        raise DataError(f"{rows.place(row)}: the column {column!r} holds bytes, not text")
    return text_of(value).strip()
