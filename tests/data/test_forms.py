"""How people's files are written: read rightly, or refused with the key that mends it."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import zipfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.readers import FileFormat, read_rows
from promptlab.data.task import Task
from promptlab.errors import DataError

WORDS = ["warm", "slow", "bright", "dull", "sharp", "kind", "lost", "plain", "rich", "thin"]


def texts(count: int) -> list[str]:
    return [f"{WORDS[n % 10]} {WORDS[n // 10 % 10]} film {n}" for n in range(count)]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    path = folder / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def labelled(folder: Path, labels: list[Any], name: str = "a.csv") -> Path:
    """A file with one text a label; the first labels come again until there are sixty."""
    rows = [(text, labels[n % len(labels)]) for n, text in enumerate(texts(60))]
    path = folder / name
    if name.endswith(".jsonl"):
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return path


def values(path: Path, **form: Any) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_rows(path, form=FileFormat(**form))]


# Delimiters, headers, quotes, line ends


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\ntext;label\na, b;x\nc;y\n",
        '"sep=;"\r\ntext;label\r\na, b;x\r\nc;y\r\n',
        "text|label\na, b|x\nc|y\n",
        "text\tlabel\na, b\tx\nc\ty\n",
        'text, label\n"a, b", x\nc, y\n',
        'text, label\n "a, b", "x"\n "c", "y"\n',
        'text,label\r"a, b",x\rc,y\r',
        'text,label\r\n"a, b",x\nc,y\r\n',
        'text,label\n"a, b",x\n,\nc,y\n,,\n,\n',
        'text,label,,\n"a, b",x,,\nc,y,,\n,,,\n',
        'text,label\n"a, b",x\n\ufefftext,label\nc,y\n',
    ],
)
def test_one_table_in_many_writings(tmp_path: Path, content: str) -> None:
    found = [
        {name: value.strip() for name, value in row.items()}
        for row in values(write(tmp_path, "a.csv", content))
    ]
    assert found == [{"text": "a, b", "label": "x"}, {"text": "c", "label": "y"}]


def test_a_semicolon_file_with_a_comma_in_its_header(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "Name, first;label\nAda, Countess;x\nBlaise;y\n")
    assert values(path)[0] == {"Name, first": "Ada, Countess", "label": "x"}
    both = write(tmp_path, "b.csv", "a;b,c;d\n1;2,3;4\n")
    with pytest.raises(DataError, match=r'commas .* or semicolons .*say which .delimiter: ","'):
        read_rows(both)
    assert values(both, delimiter=";") == [{"a": "1", "b,c": "2,3", "d": "4"}]
    with pytest.raises(DataError, match="delimiter is '::'; give one character"):
        FileFormat(delimiter="::")
    assert FileFormat(delimiter="tab").delimiter == "\t"


def test_a_table_under_the_wrong_ending(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "text;label\na, b;x\n")
    assert values(path) == [{"text": "a, b", "label": "x"}]


def test_rows_left_out_are_told(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, "a.csv", "text,label\na,x\n,\n,\ntext,label\nb,y\n"))
    assert rows.remarks[0].endswith("2 rows without any value left out")
    assert "line 5: the header stands again" in rows.remarks[1]
    unnamed = read_rows(write(tmp_path, "b.csv", ",text,\n0,a,note\n1,b,\n"))
    assert unnamed.remarks[0].endswith("column 3 has no name and is left out")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a fine film,good\nso dull,bad\nvery fine,good\nawful,bad\n", "'good' is a value of col"),
        ("0,a fine film\n1,dull\n1,fine\n", "'0' is a number"),
        ("what a lovely evening\nso very dull\nnice\n", "'what a lovely evening' is a sentence"),
    ],
)
def test_a_missing_header(tmp_path: Path, content: str, reason: str) -> None:
    path = write(tmp_path, "a.csv", content)
    with pytest.raises(DataError, match=f"line 1: .*reads like a row.*{reason}.*header: false"):
        read_rows(path)
    rows = read_rows(path, form=FileFormat(header=False))
    assert rows.columns[0] == "1"
    assert len(rows) == content.count("\n")
    assert len(read_rows(path, form=FileFormat(header=True))) == len(rows) - 1


def test_column_numbers_name_columns(tmp_path: Path) -> None:
    lines = [f"{text},{'good' if n % 2 else 'bad'}" for n, text in enumerate(texts(60))]
    path = write(tmp_path, "a.csv", "\n".join(lines))
    task = Task.from_file(path, header=False, text=1, label=2)
    assert (task.labels, sum(map(len, task.splits.values()))) == (("bad", "good"), 60)


@pytest.mark.parametrize("header", ["What did you like best about it?,Score", "0,1", "2019,2020"])
def test_headers_that_are_headers(tmp_path: Path, header: str) -> None:
    rows = read_rows(write(tmp_path, "a.csv", f"{header}\nthe pool,5\nthe view,4\n"))
    assert len(rows) == 2


def test_a_quote_that_swallows_rows(tmp_path: Path) -> None:
    lines = [f"{text},{'good' if n % 2 else 'bad'}" for n, text in enumerate(texts(40))]
    lines[9] = '"never closed,good'
    lines[19] = 'a 5",bad'
    path = write(tmp_path, "a.csv", "text,label\n" + "\n".join(lines))
    with pytest.raises(DataError, match=r"line 11: .* runs over 11 lines, 9 of which.*quotes: fal"):
        read_rows(path)
    assert len(read_rows(path, form=FileFormat(quotes=False))) == 40
    letter = '"Dear all,\nthe pool, the view\nand the food, too\nwere fine",good'
    assert (
        len(read_rows(write(tmp_path, "b.csv", "text,label\n" + "\n".join([*lines[:8], letter]))))
        == 9
    )


# Bytes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "LFS po"),
        ("a.parquet", "version https://git-lfs.github.com/spec/v1\noid\n", "git lfs pull"),
        ("a.csv", "/annex/objects/SHA256E-s9--0.csv\n", "git annex get"),
        ("a.csv", "<!DOCTYPE html>\n<html><body>sign in</body>", "is a web page"),
        ("a.csv", b"PAR1....PAR1", "is a Parquet file; rename it"),
        ("a.xlsx", b"PK\x03\x04", "Excel: File, Save As, CSV UTF-8"),
        ("a.csv.gz", b"\x1f\x8bbroken", "cannot be unpacked"),
        ("a.csv.gz", b"text,label\n", "is not compressed"),
    ],
)
def test_files_that_are_something_else(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_rows(write(tmp_path, name, content))


def test_packed_files(tmp_path: Path) -> None:
    plain = b"text,label\na,x\nb,y\n"
    write(tmp_path, "a.csv.gz", gzip.compress(plain))
    write(tmp_path, "b.csv.bz2", bz2.compress(plain))
    write(tmp_path, "c.csv", gzip.compress(plain))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("inner/rows.csv", plain)
        archive.writestr("__MACOSX/._rows.csv", b"x")
        archive.writestr("readme.txt", b"x")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("one.csv", plain)
        archive.writestr("two.csv", plain)
    with zipfile.ZipFile(tmp_path / "f.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", b"<x/>")
    for name in ("a.csv.gz", "b.csv.bz2", "c.csv", "d.zip"):
        assert len(read_rows(tmp_path / name)) == 2
    with pytest.raises(DataError, match=r"holds 2 data files \(one.csv, two.csv\); unpack it"):
        read_rows(tmp_path / "e.zip")
    with pytest.raises(DataError, match="Excel workbook under another name"):
        read_rows(tmp_path / "f.csv")


def test_encodings_by_name(tmp_path: Path) -> None:
    quotes = "text,label\n“fine” – café,x\nb,y\n"
    path = write(tmp_path, "a.csv", quotes.encode("cp1252"))
    with pytest.raises(DataError, match=r"line 2, byte 1 .*encoding: windows-1252"):
        read_rows(path)
    assert values(path, encoding="windows-1252")[0]["text"] == "“fine” – café"
    wide = write(tmp_path, "b.csv", quotes.encode("utf-16-le"))
    with pytest.raises(DataError, match="encoding: utf-16-le"):
        read_rows(wide)
    assert values(wide, encoding="utf-16-le")[0]["text"] == "“fine” – café"
    utf8 = write(tmp_path, "c.csv", quotes)
    with pytest.raises(DataError, match="is UTF-8, in which 'latin-1' would read wrong letters"):
        read_rows(utf8, form=FileFormat(encoding="latin-1"))
    with pytest.raises(DataError, match="'rot13', which is no text encoding"):
        FileFormat(encoding="rot13")


def test_text_that_was_damaged_before_is_told(tmp_path: Path) -> None:
    rows = read_rows(
        write(tmp_path, "a.csv", "text,label\ncafÃ©,x\nok,y\nitâ€™s,x\nlost \ufffd,y\n")
    )
    assert "line 2 and 1 more: text such as Ã©" in rows.remarks[0]
    assert "line 5: the replacement character" in rows.remarks[1]


# JSON and Parquet


@pytest.mark.parametrize(
    "content",
    [
        '{"data": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]}',
        '{"version": 1,\n "data": [\n  {"text": "a", "label": "x"},\n{"text": "b", "label": "y"}]}',
        '{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}',
        '{"text": ["a", "b"],\n "label": ["x", "y"]}',
        '{\n "text": "a",\n "label": "x"\n}\n{\n "text": "b",\n "label": "y"}\n',
        '[{"text": "a", "label": "x"},\n {"text": "b", "label": "y"}]',
        '{"text": "a", "label": "x"}\r{"text": "b", "label": "y"}\r',
        '\ufeff{"text": "a", "label": "x"}\n\ufeff{"text": "b", "label": "y"}\n',
    ],
)
@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson"])
def test_json_of_every_form(tmp_path: Path, content: str, ending: str) -> None:
    found = values(write(tmp_path, f"a.{ending}", content))
    assert found == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


def test_json_documents_with_two_lists(tmp_path: Path) -> None:
    rows = '[{"text": "a"}, {"text": "b"}]'
    path = write(tmp_path, "a.json", f'{{"train": {rows}, "test": {rows}}}')
    with pytest.raises(DataError, match=r"'train', 'test'; say which .*records: train"):
        read_rows(path)
    assert len(values(path, records="test")) == 2
    with pytest.raises(DataError, match="records is 'dev', but no list stands there"):
        values(path, records="dev")
    python = write(tmp_path, "b.jsonl", "{'text': 'a'}\n")
    with pytest.raises(
        DataError, match=r"line 1, column 2: not valid JSON: .*Python's own writing"
    ):
        read_rows(python)


def test_parquet_of_many_types(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table(
        {
            "text": pa.array(["a", "b", "c"]).dictionary_encode(),
            "raw": pa.array([b"caf\xc3\xa9", None, b"x"]),
            "price": pa.array([Decimal("1.00"), Decimal("2.50"), None]),
            "day": pa.array([date(2024, 1, 2), None, date(2024, 1, 3)]),
            "label": pa.array([1.0, 0.0, None]),
            "__index_level_0__": pa.array([0, 1, 2]),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    rows = read_rows(tmp_path / "a.parquet")
    assert rows.columns == ("text", "raw", "price", "day", "label")
    from promptlab.data.readers import text_of

    assert [text_of(v) for v in rows[0].values.values()] == ["a", "café", "1", "2024-01-02", "1"]
    assert [text_of(v) for v in rows[1].values.values()] == ["b", "", "2.5", "", "0"]
