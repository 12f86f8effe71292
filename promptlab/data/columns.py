"""Which columns of a data file are the fields and which is the label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptlab.data.example import Example
from promptlab.data.label_column import label_texts
from promptlab.data.readers import Row, Rows
from promptlab.data.readers.column_names import (
    FIELD_NAMES,
    ID_NAMES,
    LABEL_NAMES,
    TEXT_NAMES,
    plain_name,
)
from promptlab.errors import DataError


@dataclass(frozen=True)
class Columns:
    """The chosen columns: field name by column name, and those of the label and the ids, if any.

    ``renamed`` is what single labels of the file are called (None: their rows are left out).
    """

    fields: Mapping[str, str]
    label: str | None = None
    id: str | None = None
    renamed: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields' names, in the order of the columns."""
        return tuple(self.fields.values())

    def to_examples(
        self,
        rows: Rows,
        *,
        prefix: str = "",
        ids: Sequence[str] | None = None,
        mend: str = "write some, remove the row, or leave such rows out (empty: drop)",
    ) -> list[Example]:
        """Examples from rows; the id is one of ``ids``, else the row's number, padded with zeros.

        Without a label column labels are None. Raises `DataError` with the line of a row that
        lacks a column, or has no text in any field; ``mend`` is what can be done about that.
        """
        width = len(str(len(rows)))
        columns = [_field_texts(rows, column) for column in self.fields]
        names = tuple(self.fields.values())
        labels = None if self.label is None else label_texts(rows, self.label)
        found = []
        for index, values in enumerate(zip(*columns, strict=True)):
            if not any(values):
                place = rows.place(rows[index])
                raise DataError(f"{place}: no text in {', '.join(self.fields)}; {mend}")
            name = f"{index + 1:0{width}}" if ids is None else ids[index]
            fields = dict(zip(names, values, strict=True))
            label = None if labels is None else labels[index]
            found.append(Example(f"{prefix}{name}", fields, label))
        return found

    def rows_with_text(self, rows: Rows) -> Rows:
        """The rows that have text in some field; a remark says how many have none."""
        columns = [_field_texts(rows, column) for column in self.fields]
        texts = zip(*columns, strict=True)
        kept = tuple(row for row, values in zip(rows, texts, strict=True) if any(values))
        gone = len(rows) - len(kept)
        if not gone:
            return rows
        remark = f"{rows.path}: {gone:,} {'row' if gone == 1 else 'rows'} without text left out"
        return replace(rows, rows=kept, remarks=(*rows.remarks, remark))

    def join_label_lists(self, rows: Rows, join: str) -> Rows:
        """The rows with lists of labels as one text, ``join`` between them."""
        if self.label is None:
            return rows
        labels = label_texts(rows, self.label, join=join)
        joined = tuple(
            replace(row, values={**row.values, self.label: label})
            for row, label in zip(rows, labels, strict=True)
        )
        return replace(rows, rows=joined)

    def row_ids(self, rows: Rows) -> list[str] | None:
        """The ids of all rows as the id column has them; None where it lacks or repeats one."""
        if self.id is None:
            return None
        found = rows.texts(self.id)
        return found if all(found) and len(set(found)) == len(found) else None


def choose_columns(
    columns: Sequence[str],
    *,
    source: str,
    text: str | None = None,
    label: str | None = None,
    fields: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    id: str | None = None,
) -> Columns:
    """Decide what each of ``columns`` is; what the caller names is never guessed.

    ``text`` names the one column that becomes the field ``text``, ``fields`` several columns that
    keep their names, ``rename`` maps column to field, ``id`` names the column of the rows' ids
    (else the one called id; ``""`` for none). The rule for the rest: the label is the column called
    ``label``, else the only one out of `LABEL_NAMES`, else the other one of two columns when one is
    out of `TEXT_NAMES`. The fields are all columns out of `FIELD_NAMES` and the only one out of
    `TEXT_NAMES`; without any, the only column left. Anything else raises `DataError` with the
    names of the columns.
    """
    for name in (text, label, id or None, *(fields or ()), *(rename or {})):
        if name is not None and name not in columns:
            raise DataError(f"{source} has no column {name!r}; its columns are {_list(columns)}")
    if text is not None and fields is not None:
        raise DataError("give either text (one column) or fields (several), not both")
    asked = [*([text] if text else []), *(fields or ())]
    numbering = [c for c in columns if plain_name(c) in ID_NAMES and c not in (*asked, label)]
    named_id = (id or None) if id is not None else (numbering[0] if len(numbering) == 1 else None)
    if named_id is not None and len(columns) > 1:
        columns = [c for c in columns if c != named_id]
    label = label or _guess_label([c for c in columns if c not in asked], columns, source)
    if label in asked:
        raise DataError(f"{source}: the column {label!r} cannot be both label and field")
    if text is not None:
        chosen = {text: "text"}
    elif fields is not None:
        chosen = {name: name for name in fields}
    else:
        chosen = _guess_fields([c for c in columns if c != label], rename or {}, source)
    chosen |= {c: named for c, named in (rename or {}).items() if c in chosen}
    if not chosen:
        raise DataError(f"{source}: no field is named; its columns are {_list(columns)}")
    names = list(chosen.values())
    if len(set(names)) < len(names):
        raise DataError(f"{source}: two columns would become the same field: {_list(names)}")
    return Columns(chosen, label, named_id)


def add_nested_columns(rows: Rows, names: Iterable[str | None]) -> Rows:
    """The rows with a column for each of ``names`` that is a path into nested values.

    ``meta.stars`` is the key ``stars`` of the object in ``meta``, ``messages.-1.content`` the
    content of the last message. Names of real columns stay what they are.
    """
    wanted = [
        name
        for name in dict.fromkeys(names)
        if name and name not in rows.columns and name.split(".")[0] in rows.columns and "." in name
    ]
    if not wanted:
        return rows
    made = tuple(
        replace(row, values={**row.values, **{name: _inner(rows, row, name) for name in wanted}})
        for row in rows
    )
    return replace(rows, columns=(*rows.columns, *wanted), rows=made)


def _inner(rows: Rows, row: Row, path: str) -> Any:
    first, *rest = path.split(".")
    value = row.values.get(first)
    for part in rest:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif (
            isinstance(value, list)
            and part.lstrip("-").isdecimal()
            and -len(value) <= int(part) < len(value)
        ):
            value = value[int(part)]
        elif value is None:
            return None
        else:
            raise DataError(f"{rows.place(row)}: the column {first!r} holds nothing at {path!r}")
    return value


def _guess_label(left: Sequence[str], columns: Sequence[str], source: str) -> str:
    known = [c for c in left if plain_name(c) in LABEL_NAMES]
    exact = [c for c in known if plain_name(c) == "label"]
    texts = [c for c in columns if plain_name(c) in TEXT_NAMES]
    others = [c for c in left if c not in texts]
    if len(exact or known) == 1:
        return (exact or known)[0]
    if not known and len(columns) == 2 and len(others) == 1:
        return others[0]
    found = f"{_list(known)} could all be it" if known else "none is called label"
    raise DataError(
        f"{source}: cannot tell which column is the label ({found}); its columns are "
        f"{_list(columns)}. Name it: --label on the command line, label in Python and study files"
    )


def _guess_fields(left: Sequence[str], rename: Mapping[str, str], source: str) -> dict[str, str]:
    if rename:
        return {c: c for c in left if c in rename}
    texts = [c for c in left if plain_name(c) in TEXT_NAMES]
    chosen = {c: plain_name(c) for c in left if plain_name(c) in FIELD_NAMES}
    if len(texts) == 1:
        return {texts[0]: "text"} | chosen
    if not texts and chosen:
        return chosen
    if not texts and len(left) == 1:
        return {left[0]: left[0]}
    found = f"{_list(texts)} could all be it" if texts else "no name is a usual one"
    raise DataError(
        f"{source}: cannot tell which column is the text ({found}); besides the label there are "
        f"{_list(left) or 'no columns'}. Name it: --text (or --field, more than once) on the "
        "command line, text (or fields) in Python and study files"
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _field_texts(rows: Rows, column: str) -> list[str]:
    """A field of every row as text. Raises `DataError` for what no prompt can read."""
    for row in rows:
        value = row.values.get(column)
        if type(value) is not str:
            _check_field(rows, row, column, value)
    return rows.texts(column)


def _check_field(rows: Rows, row: Row, column: str, value: Any) -> None:
    """Raise `DataError` where a column is missing, or holds bytes or chat messages."""
    if column not in row.values:
        raise DataError(f"{rows.place(row)}: the column {column!r} is missing")
    if isinstance(value, bytes):
        raise DataError(f"{rows.place(row)}: the column {column!r} holds bytes, not text")
    if isinstance(value, list) and value and all(_is_message(item) for item in value):
        turns = [item.get("role", item.get("from")) for item in value]
        key = "content" if "content" in value[0] else "value"
        raise DataError(
            f"{rows.place(row)}: the column {column!r} holds chat messages "
            f"({', '.join(map(str, turns[:4]))}{', …' if len(turns) > 4 else ''}); name the ones "
            f"to read: text: {column}.{_first_user(turns)}.{key}, label: {column}.-1.{key}"
        )


def find_chat_paths(rows: Rows) -> tuple[str, str] | None:
    """Where the first user's message and the last reply stand, if a column holds chats."""
    for column in rows.columns:
        value = rows[0].values.get(column) if len(rows) else None
        if isinstance(value, list) and len(value) > 1 and all(_is_message(item) for item in value):
            turns = [item.get("role", item.get("from")) for item in value]
            key = "content" if "content" in value[0] else "value"
            return f"{column}.{_first_user(turns)}.{key}", f"{column}.-1.{key}"
    return None


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and (
        {"role", "content"} <= set(value) or {"from", "value"} <= set(value)
    )


def _first_user(turns: Sequence[Any]) -> int:
    return next((i for i, turn in enumerate(turns) if turn in ("user", "human")), 0)
