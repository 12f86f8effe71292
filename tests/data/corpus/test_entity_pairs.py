"""Pairs: which columns, which are left out, and where they stand in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptlab.data.corpus.entity_pairs import (
    EntityPair,
    EntityPairs,
    PairLocator,
    read_entity_pairs,
)
from promptlab.errors import DataError


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", "country,label\nPoland,Warsaw\n", ("country", "label")),
        ("a.tsv", "label\tcountry\nWarsaw\tPoland\n", ("country", "label")),
        ("a.csv", "id,subject,object\n1,Poland,Warsaw\n", ("subject", "object")),
        ("a.csv", "country,city\nPoland,Warsaw\n", ("country", "city")),
        (
            "a.jsonl",
            json.dumps({"uuid": "x", "obj_label": "Warsaw", "sub_label": "Poland", "n": 1}),
            ("sub_label", "obj_label"),
        ),
    ],
)
def test_columns_are_found(
    tmp_path: Path, name: str, content: str, columns: tuple[str, str]
) -> None:
    (tmp_path / name).write_text(content)
    found = read_entity_pairs(tmp_path / name)
    assert (found.subject, found.object) == columns
    assert found.pairs == (EntityPair("Poland", "Warsaw"),)


def test_columns_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("country,city,river\nPoland,Warsaw,Vistula\n")
    with pytest.raises(DataError, match="cannot tell the subjects' column"):
        read_entity_pairs(file)
    found = read_entity_pairs(file, subject="city", object="river")
    assert found.pairs == (EntityPair("Warsaw", "Vistula"),)
    with pytest.raises(DataError, match="has no column 'town'; its columns are country, city"):
        read_entity_pairs(file, subject="town")


def test_pairs_that_cannot_be_told_apart_are_left_out_and_counted() -> None:
    texts = [
        ("Poland", "Warsaw"),
        (" Poland ", "Warsaw"),
        ("Monaco", "Monaco"),
        ("France", ""),
        ("-", "Rome"),
        ("Mexico", "Mexico City"),
        ("France", "Paris"),
        ("France", "Lyon"),
    ]
    found = EntityPairs.from_texts(texts)
    assert [pair.object for pair in found.pairs] == ["Warsaw", "Mexico City", "Paris", "Lyon"]
    assert found.left_out == {
        "repeated": 1,
        "whose subject and object are the same": 1,
        "without a subject or an object": 2,
    }
    assert found.nested == 1
    assert "1 with one name inside of the other" in found.describe()
    kept = found.without(["France"], "of test")
    assert len(kept.pairs) == 2 and kept.left_out["of test"] == 2
    with pytest.raises(DataError, match="all 2 pairs are of test"):
        kept.without(["Poland", "Mexico"], "of test")


def test_no_pair_at_all_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("country,city\nMonaco,Monaco\nSan Marino,San Marino\n")
    with pytest.raises(DataError, match=r"there is no pair .* \(2 whose subject and object"):
        read_entity_pairs(file)


def test_case_may_make_pairs_equal() -> None:
    texts = [("Poland", "Warsaw"), ("POLAND", "warsaw"), ("Monaco", "MONACO")]
    assert len(EntityPairs.from_texts(texts).pairs) == 3
    assert len(EntityPairs.from_texts(texts, ignore_case=True).pairs) == 1


def test_neighbouring_mentions_are_occurrences_in_both_orders() -> None:
    pairs = EntityPairs.from_texts([("France", "Paris"), ("Poland", "Warsaw"), ("France", "Lyon")])
    locator = PairLocator(pairs)
    text = "Paris is in France, France has Lyon, not Warsaw."
    found = locator.occurrences(locator.matcher.find(text))
    assert [
        (o.pair, text[o.subject.start : o.subject.stop], o.subject.start, o.object.start)
        for o in found
    ] == [(0, "France", 12, 0), (2, "France", 20, 31)]


def test_an_entity_may_be_subject_and_object() -> None:
    pairs = EntityPairs.from_texts([("France", "Paris"), ("Paris", "Seine")])
    locator = PairLocator(pairs)
    assert locator.subjects & locator.objects
    text = "France, Paris, Seine"
    found = locator.occurrences(locator.matcher.find(text))
    assert [(o.pair, o.subject.start, o.object.start) for o in found] == [(0, 0, 8), (1, 8, 15)]
