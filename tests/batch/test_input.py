"""Which column of a file is which field, and which is the label."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.batch.input import match_columns
from promptlab.errors import DataError


def test_columns_are_matched_by_name_or_by_what_is_usual() -> None:
    def match(columns: str, fields: str = "text", **options: Any) -> dict[str, str]:
        found = match_columns(columns.split(), fields.split(), source="x.csv", **options)
        return {field: column for column, field in found.fields.items()}

    assert match("id text label") == {"text": "text"}
    assert match("id Text label") == {"text": "Text"}
    assert match("id review label") == {"text": "review"}
    assert match("story label") == {"text": "story"}
    assert match("story") == {"text": "story"}
    assert match("a b c", asked={"text": "b"}) == {"text": "b"}
    assert match("Premise b hypothesis", "premise hypothesis") == {
        "premise": "Premise",
        "hypothesis": "hypothesis",
    }
    for columns, fields in (("a b", "text"), ("text body", "premise hypothesis")):
        with pytest.raises(DataError, match="--column"):
            match(columns, fields)
    with pytest.raises(DataError, match="no column 'z'"):
        match("a b", asked={"text": "z"})
    with pytest.raises(DataError, match="reads 'text'"):
        match("a b", asked={"txt": "a"})
    with pytest.raises(DataError, match="of its own"):
        match("a b", "premise hypothesis", asked={"premise": "a", "hypothesis": "a"})


@pytest.mark.parametrize(
    ("columns", "label", "expected"),
    [
        ("text label", None, "label"),
        ("text Label stars", None, "Label"),
        ("text stars", None, "stars"),
        ("text stars class", None, None),
        ("text mine", None, None),
        ("text mine", "mine", "mine"),
    ],
)
def test_the_label_column_is_found(columns: str, label: str | None, expected: str | None) -> None:
    found = match_columns(columns.split(), ["text"], source="x.csv", label=label)
    assert found.label == expected
