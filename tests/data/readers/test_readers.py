"""Data files, good and bad: every fault names the file and the line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.readers import Rows, read_rows, text_of
from promptlab.errors import DataError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def values(rows: Rows) -> list[dict[str, Any]]:
    return [dict(row.values) for row in rows]


def test_csv_with_quotes_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"one,\ntwo",x\n\n"he said ""yes""",y\n')
    rows = read_rows(path)
    assert rows.columns == ("text", "label")
    assert values(rows) == [
        {"text": "one,\ntwo", "label": "x"},
        {"text": 'he said "yes"', "label": "y"},
    ]
    assert [row.line for row in rows] == [2, 5]
    assert rows.place(rows[1]) == f"{path}, line 5"


@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_with_another_delimiter(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path, "a.csv", f"text{mark}label\r\na, b{mark}x\r\n")
    assert values(read_rows(path)) == [{"text": "a, b", "label": "x"}]


def test_an_unnamed_column_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", ",text\n0,a\n1,b\n")
    assert values(read_rows(path)) == [{"text": "a"}, {"text": "b"}]


def test_tsv_takes_stray_quotes_as_plain_characters(tmp_path: Path) -> None:
    loose = write(tmp_path, "a.tsv", 'sentence\tlabel\n"so" bad\t0\nsays "yes\t1\n')
    assert [row["sentence"] for row in values(read_rows(loose))] == ['"so" bad', 'says "yes']
    quoted = write(tmp_path, "b.tsv", 'sentence\tlabel\n"a ""b"" c"\t0\n')
    assert values(read_rows(quoted)) == [{"sentence": 'a "b" c', "label": "0"}]


def test_jsonl_and_json(tmp_path: Path) -> None:
    lines = '{"text": "a\u2028b", "n": 1}\n\n{"text": "c", "extra": NaN}\r\n'
    rows = read_rows(write(tmp_path, "a.jsonl", lines))
    assert rows.columns == ("text", "n", "extra")
    assert values(rows) == [{"text": "a\u2028b", "n": 1}, {"text": "c", "extra": None}]
    assert [row.line for row in rows] == [1, 3]
    assert values(read_rows(write(tmp_path, "a.json", lines))) == values(rows)
    array = '\n[{"text": "a",\n  "n": 1}\n , {"text": "b"}]\n'
    rows = read_rows(write(tmp_path, "b.json", array))
    assert values(rows) == [{"text": "a", "n": 1}, {"text": "b"}]
    assert [row.line for row in rows] == [2, 4]


def test_parquet_and_arrow_with_class_names(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    features = {"label": {"_type": "ClassLabel", "names": ["no", "yes"]}}
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(tmp_path / "file.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(tmp_path / "stream.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("a.parquet", "file.arrow", "stream.arrow"):
        rows = read_rows(tmp_path / name)
        assert values(rows) == [{"text": "a", "label": "yes"}, {"text": "b", "label": "no"}]
        assert rows.place(rows[1]).endswith("row 2")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "a.csv", "text,label\nnaïve,x\n".encode(encoding))
    assert values(read_rows(path)) == [{"text": "naïve", "label": "x"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,label\n", "holds no rows"),
        ("a.jsonl", "\n\n", "holds no rows"),
        ("a.csv", "text,label\na,b\nc,d,e\n", r"line 3: 3 values for 2 columns \(text, label\)"),
        ("a.csv", "text,label\na,b\nc\n", "line 3: 1 value for 2 columns"),
        ("a.csv", "text,text\na,b\n", "line 1: the column 'text' stands more than once"),
        ("a.csv", ",\na,b\n", "no column has a name"),
        ("a.csv", 'text,label\na,b\n"open,x\n', "line 3: unexpected end of data"),
        ("a.csv", 'text,label\n"a"b,x\n', "line 2: .* expected after"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2, column 7: not valid JSON"),
        ("a.jsonl", '{"a": 1}\n[1, 2]\n', "line 2: found a list, every record must be"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "line 1: the key 'a' stands twice"),
        ("a.jsonl", '{"a": "\\ud83d"}\n', r"line 1: holds '\\ud83d', half of a character"),
        ("a.jsonl", "[" * 100_000, "line 1: JSON that cannot be read"),
        ("a.json", '[{"a": 1},\n 7]', "line 2: found a number"),
        ("a.json", '[{"a": 1},\n {"a": }]', "line 2, column 8: not valid JSON"),
        ("a.parquet", "no parquet", "is no readable Parquet file"),
        ("a.arrow", "no arrow at all", "is no readable Arrow file"),
        ("a.csv", "a,b\n1,2\nx\0,y\n", "line 3: holds a zero byte"),
        ("a.xlsx", "x", "ends in '.xlsx'; data files end in .csv"),
    ],
)
def test_faults_name_the_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError, match=message) as caught:
        read_rows(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_rows(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_rows(tmp_path / "folder.csv")


def test_another_encoding_is_named_with_its_mend(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\nfine,x\ncafé,y\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"line 3, byte 4 of the line: 0xE9 .*iconv -f WINDOWS"):
        read_rows(path)


@pytest.mark.parametrize("bad_first", [False, True])
def test_mixed_encodings(tmp_path: Path, bad_first: bool) -> None:
    good, bad = "naïve,x\n".encode(), "café,y\n".encode("cp1252")
    body = bad + good if bad_first else good + bad
    path = write(tmp_path, "a.csv", b"text,label\n" + body)
    line = 2 if bad_first else 3
    with pytest.raises(DataError, match=rf"line {line}, byte 4 .* the file mixes encodings"):
        read_rows(path)


def test_utf16_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text\nab\n".encode("utf-16") + b"\0")
    with pytest.raises(DataError, match="byte order mark of UTF-16-LE, but byte"):
        read_rows(path)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_megabyte_in_one_field(tmp_path: Path, name: str) -> None:
    long = "x" * 1_048_576
    text = f"text,label\n{long},y\n" if name == "a.csv" else json.dumps({"text": long}) + "\n"
    path = write(tmp_path, name, text)
    with pytest.raises(DataError, match=r"'text' holds 1,048,576 characters, the limit is 100,000"):
        read_rows(path)
    assert len(read_rows(path, max_chars=2_000_000)) == 1
    assert csv.field_size_limit() == 131_072


def test_text_of() -> None:
    given = [None, float("nan"), "a", True, 3.0, 2.5, 7, ["é", 1]]
    assert [text_of(v) for v in given] == ["", "", "a", "true", "3", "2.5", "7", '["é", 1]']


def test_a_file_whose_records_are_all_empty_by_one_delimiter_is_one_column(tmp_path: Path) -> None:
    assert values(read_rows(write(tmp_path, "marks.csv", ";;\n;\n"))) == [{";;": ";"}]
