"""A corpus as a stream: what is read, what is left out and counted, what is refused."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.data.corpus import reader as module
from promptlab.data.corpus.reader import CorpusProgress, CorpusReader
from promptlab.errors import DataError


def test_every_line_of_a_text_is_a_document(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_bytes("\ufeffOne.\r\n\n  Two.  \nCafe\u0301".encode())
    reader = CorpusReader(file)
    assert list(reader) == ["One.", "Two.", "Caf\u00e9"]
    assert reader.documents == 3 and not reader.left_out
    assert reader.position == reader.size


def test_json_lines_give_their_field_and_what_is_broken_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "corpus.jsonl"
    records = ['{"body": "One."}', '{"body": "Tw', "[1]", '{"text": "no"}', '{"body": ["no"]}']
    half = json.dumps({"body": "\ud800"})
    file.write_text("\n".join([*records, half, '{"body": "Six."}', ""]))
    reader = CorpusReader(file, "body")
    assert list(reader) == ["One.", "Six."]
    assert reader.left_out == {
        "of broken JSON": 2,
        "without a text in the field": 3,
    }


def test_the_fields_that_there_are_are_told(tmp_path: Path) -> None:
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"title": "a", "body": "b"}\n')
    reader = CorpusReader(file)
    assert list(reader) == []
    told = "1 without a text in the field 'text' (the first object has title, body)"
    assert reader.describe_left_out() == told


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_packed_files_are_unpacked_as_they_are_read(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / f"corpus.jsonl{ending}"
    file.write_bytes(pack(b'{"text": "One."}\n' * 2_000))
    reader = CorpusReader(file)
    assert list(reader) == ["One."] * 2_000
    file.write_bytes(pack(b'{"text": "One."}\n' * 2_000)[:-9])
    with pytest.raises(DataError, match=r"cannot be read|is damaged after"):
        list(CorpusReader(file))


def test_lines_that_are_no_text_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    good = b"A line that is read.\n" * 4_000
    file.write_bytes(good + b"caf\xe9\nzero\0byte\nlast\n")
    reader = CorpusReader(file)
    assert sum(1 for _ in reader) == 4_001
    assert reader.left_out == {"that are no UTF-8": 1, "with a zero byte": 1}


def test_a_line_of_any_length_takes_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 100)
    file = tmp_path / "corpus.txt"
    file.write_text("short\n" + "x" * 350 + "\n" + "y" * 100 + "\nlast\n" + "z" * 200)
    reader = CorpusReader(file)
    assert list(reader) == ["short", "last"]
    assert reader.left_out == {"of more than 100 bytes": 3}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"PK\x03\x04rest", "no text but a zip archive"),
        ("a.txt", b"%PDF-1.7", "no text but a PDF"),
        ("a", b"\x1f\x8b\x08", "packed by gzip, without the ending"),
        ("a.txt", "One.".encode("utf-16"), "UTF-16"),
        ("a.txt", b"abc\0def", "zero bytes"),
        ("a.bin.gz", gzip.compress(b"\0\1\2"), "zero bytes"),
        ("a.txt.gz", b"plain", "cannot be read"),
        ("a.txt", b"", "is empty"),
        ("a.csv", b"text\nOne.\n", "found '.csv'"),
        ("a.parquet", b"PAR1", "found '.parquet'"),
        ("a.txt", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
    ],
)
def test_what_is_no_corpus_is_refused_at_once(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        CorpusReader(tmp_path / name)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such corpus"):
        CorpusReader(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is no file"):
        CorpusReader(tmp_path)


def test_progress_is_told_in_words() -> None:
    assert str(CorpusProgress("reading", 0, 0, 0)) == "reading: 0 %, 0 sentences"
