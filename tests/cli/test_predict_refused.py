"""What `promptlab predict` refuses, and that a failure leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptlab.errors import WorkError
from tests.helpers.predict_command import (  # noqa: F401
    TEXTS,
    best,
    done,
    lines,
    model,
    read_csv,
    refused,
    reviews,
    run,
)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"text": "a"}\n{"text": \n', "line 2"),
        ('{"text": "a"}\n[1]\n', "line 2: found a list"),
        ('{"text": "a"}\n{"txt": "b"}\n', "line 2: the column 'text' is missing"),
        ('{"text": "a"}\n{"text": " "}\n', "line 2: no text"),
        ('{"text": "a"}\n{"text": "a", "text": "b"}\n', "line 2: the key 'text' stands twice"),
        ('{"text": "' + "x" * 1_000_000 + '"}\n', "1,000,000 characters"),
        ("", "is empty"),
    ],
)
def test_a_bad_file_leaves_nothing(best: Path, tmp_path: Path, text: str, words: str) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text(text)
    assert words in refused(best, path, "--out", out, "--block", "1")
    assert not out.exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b'{"text": "a"}\n{"text": \n', "standard input, line 2"),
        (b'{"text": "a"}\n\n{"text": "\xff"}\n', "line 3, byte 11: not UTF-8"),
        (b'{"text": "a"}\n7\n', "line 2: found a number"),
        (b'{"text": "a"}\n{"text": 7, "text": 8}\n', "line 2: the key"),
        (b"\n\n", "holds no rows"),
        (b'{"text": "a"}\n{"text": "b", "new": 1}\n', "'new' comes up after the header"),
    ],
)
def test_bad_standard_input_leaves_nothing(
    best: Path, tmp_path: Path, stdin: bytes, words: str
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("kept")
    assert words in refused(best, "-", "--out", out, "--block", "1", stdin=stdin)
    assert out.read_text() == "kept"
    assert leftovers(tmp_path) == []


def test_standard_input_may_begin_with_a_byte_order_mark(best: Path) -> None:
    assert len(lines(done(best, "-", stdin=b'\xef\xbb\xbf{"text": "a"}').stdout)) == 1


def test_columns_of_the_result_must_be_free(best: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    for name in ("prediction", "unparsed", "score_positive"):
        path.write_text(f"text,{name}\na,b\n")
        assert f"already has a column {name!r}" in refused(best, path)


def test_out_must_be_another_file_in_a_folder_that_is_there(
    best: Path, reviews: Path, tmp_path: Path
) -> None:
    before = reviews.read_text()
    assert "is the input itself" in refused(best, reviews, "--out", reviews)
    assert reviews.read_text() == before
    assert "No such file" in refused(best, reviews, "--out", tmp_path / "none" / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in refused(best, reviews, "--out", tmp_path / "folder.csv")


def test_a_full_disk_is_told(best: Path, reviews: Path) -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("no /dev/full here")
    result = run(best, reviews, "--out", full, "--format", "csv")
    assert isinstance(result.exception, WorkError)
    assert "No space left" in str(result.exception)
    assert full.is_char_device()


def test_out_follows_a_link_and_takes_the_usual_rights(
    best: Path, reviews: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    done(best, reviews, "--out", link)
    assert link.is_symlink()
    assert len(read_csv(real)) == len(TEXTS)
    plain = tmp_path / "plain"
    plain.touch()
    assert real.stat().st_mode == plain.stat().st_mode
