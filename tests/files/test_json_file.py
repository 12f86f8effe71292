"""JSON files that somebody else may have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptlab.errors import InputError
from promptlab.files.json_file import check_file, read_json, read_object


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not valid JSON .*line 1 column 1"),
        (b"{oops", "is not valid JSON"),
        (b'{"a": NaN}', "holds NaN, which is no number"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": ' * 100_000, "is nested too deeply"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a": "\xff"}', "is no text in UTF-8"),
        (b'{"a": "\\ud800"}', "is no text in UTF-8"),
        (b"9" * 5000, "is not valid JSON"),
    ],
)
def test_what_is_no_document_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told) as caught:
        read_json(path, mend="learn it anew")
    assert str(path) in str(caught.value)


def test_numbers_that_are_none_where_they_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": [0.0, Infinity]}')
    assert read_object(path, allow_nan=True) == {"a": [0.0, float("inf")]}


@pytest.mark.parametrize(("content", "sort"), [("[]", "a list"), ("null", "null"), ("3", "number")])
def test_an_object_is_wanted(content: str, sort: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"holds .*{sort} and not an object"):
        read_object(path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lost").symlink_to(tmp_path / "none")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").open("wb").truncate(2**28)
    for name, told in (
        ("pipe", "is a pipe, no file"),
        ("loop", "cannot be read"),
        ("lost", "is a link that leads nowhere"),
        ("zero", "is a device, no file"),
        ("none", "there is no file"),
        (".", "is a folder, no file"),
        ("a\0b", "cannot be read"),
        ("x" * 300, "cannot be read"),
        ("large", r"has 268 MB and at most 134 MB are read"),
    ):
        with pytest.raises(InputError, match=told):
            check_file(tmp_path / name, 2**27)
