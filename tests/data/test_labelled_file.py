"""Labels, texts and ids as people's files hold them: one reading, or a fault with its mend."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.readers import FileFormat, read_rows
from promptlab.data.task import Task
from promptlab.errors import DataError, DataWarning
from promptlab.study.proposal.proposal import propose_study

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


# Labels


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (
            ["positive", "negative", "Positive ", "positive", "NEGATIVE", "negative"],
            ("negative", "positive"),
        ),
        ([1, "1.0", 0, "1", "0.0", 0, 1], ("0", "1")),
        (["not_spam", "spam", "not spam", "not-spam", "spam", "not_spam"], ("not_spam", "spam")),
        (["yes", "no", "“yes”".strip("“”") + ".", "yes", "no", "no\u200b"], ("no", "yes")),
        (["café", "bar", "cafe\u0301", "café", "bar"], ("bar", "café")),
        (["'yes'", "yes", "no", "yes", "no"], ("no", "yes")),
    ],
)
def test_labels_that_mean_the_same(
    tmp_path: Path, labels: list[Any], classes: tuple[str, ...]
) -> None:
    task = Task.from_file(labelled(tmp_path, labels))
    assert task.labels == classes
    assert any("read as one class" in remark for remark in task.remarks)


def test_labels_of_json_types(tmp_path: Path) -> None:
    path = labelled(tmp_path, [True, "true", False, "False", True, False], "a.jsonl")
    assert Task.from_file(path).labels == ("false", "true")
    path = labelled(tmp_path, [1, 1.0, "1", 2, 2.0], "b.jsonl")
    assert Task.from_file(path).labels == ("1", "2")
    path = labelled(tmp_path, [["a"], ["b"]], "c.jsonl")
    assert Task.from_file(path).labels == ("a", "b")


def test_codes_keep_their_zeros_and_signs_their_meaning(tmp_path: Path) -> None:
    assert Task.from_file(labelled(tmp_path, ["007", "042"])).labels == ("007", "042")
    assert Task.from_file(labelled(tmp_path, ["A", "A-", "A+"])).labels == ("A", "A+", "A-")
    assert Task.from_file(labelled(tmp_path, ["-1", "1", "0"])).labels == ("-1", "0", "1")
    assert Task.from_file(labelled(tmp_path, ["C", "C++", "C#"])).labels == ("C", "C#", "C++")
    assert Task.from_file(labelled(tmp_path, ["1.0", "2.0"])).labels == ("1.0", "2.0")


def test_labels_merge_rename_and_leave_out(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["pos", "positive", "neg", "N/A", ""])
    with pytest.raises(
        DataError, match=r"line 5: the label .* is 'N/A' .and 11 rows more., whi.*nul"
    ):
        Task.from_file(path)
    task = Task.from_file(
        path, labels={"pos": "positive", "neg": "negative", "N/A": None, "": None}
    )
    assert task.labels == ("positive", "negative")
    assert sum(map(len, task.splits.values())) == 36
    assert any("24 rows left out" in remark for remark in task.remarks)
    with pytest.raises(DataError, match="labels names 'Postive', which is no value of the column"):
        Task.from_file(path, labels={"Postive": "positive"})
    apart = labelled(tmp_path, ["A", "a", "b", "A", "a", "b"], "b.csv")
    assert Task.from_file(apart).labels == ("A", "b")
    assert Task.from_file(apart, labels={"A": "A", "a": "a"}).labels == ("A", "a", "b")
    given = labelled(tmp_path, ["Yes", "no ", "YES", "no"], "c.csv")
    assert Task.from_file(given, labels=["no", "yes"]).labels == ("no", "yes")
    with pytest.raises(DataError, match=r"line 2: the label 'Yes' is none of a, b; .*mapping"):
        Task.from_file(given, labels=["a", "b"])


@pytest.mark.parametrize("word", ["NaN", "nan", "n/a", "NULL", "None", "#N/A", "<NA>", ""])
def test_words_for_nothing_are_no_class(tmp_path: Path, word: str) -> None:
    path = labelled(tmp_path, ["good", "bad", "good", "bad", word])
    with pytest.raises(
        DataError, match=r"line 6: the label \(column 'label'\) is .*labels: \{.*null"
    ):
        Task.from_file(path)
    assert Task.from_file(path, labels={word: None}).labels == ("bad", "good")
    if word:
        assert Task.from_file(path, labels={word: word}).labels == tuple(
            sorted(["bad", "good", word])
        )
    assert "none" in Task.from_file(labelled(tmp_path, ["good", "none"], "b.csv")).labels


def test_truth_in_several_ways(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["yes", "no", "true", "0", "1"])
    with pytest.raises(DataError, match=r"says yes and no in several ways: .*labels: \{"):
        Task.from_file(path)
    mended = {"true": "yes", "1": "yes", "0": "no"}
    assert Task.from_file(path, labels=mended).labels == ("yes", "no")


def test_a_slip_of_the_pen_is_told(tmp_path: Path) -> None:
    rows = [(text, "positive" if n % 2 else "negative") for n, text in enumerate(texts(80))]
    rows += [("an odd one", "postive"), ("another odd one", "postive"), ("a third", "postive")]
    path = table(tmp_path, ("text", "label"), rows)
    (told,) = Task.from_file(path).remarks
    assert "line 82: the label 'postive' (3 of 83 rows) looks like 'positive'" in told
    assert '{"postive": "positive"}' in told


def test_lists_objects_and_messages_are_no_class(tmp_path: Path) -> None:
    lists = labelled(tmp_path, [["a", "b"], ["b"], ["a"]], "a.jsonl")
    with pytest.raises(DataError, match=r"line 1: the label .* is a list of 2: a, b\. .*join: "):
        Task.from_file(lists)
    joined = Task.from_file(lists, join=", ")
    assert joined.labels == ()
    assert {e.label for e in joined.train} <= {"a, b", "b", "a"}
    printed = labelled(tmp_path, ["['a', 'b']", "['b']"], "b.csv")
    with pytest.raises(DataError, match=r"line 2: the label .* is a list of 2: a, b"):
        Task.from_file(printed)
    named = [{"name": "good", "by": 1}, {"name": "bad", "by": 2}]
    objects = labelled(tmp_path, named, "c.jsonl")
    with pytest.raises(DataError, match=r"line 1: .* is an object .*label: label\.name"):
        Task.from_file(objects)
    assert Task.from_file(objects, label="label.name").labels == ("bad", "good")


def test_chat_messages(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": "Sort it."},
                    {"role": "user", "content": text},
                    {"role": "assistant", "content": "good" if n % 2 else "bad"},
                ]
            }
        )
        for n, text in enumerate(texts(60))
    ]
    path = write(tmp_path, "a.jsonl", "\n".join(lines))
    with pytest.raises(DataError, match=r"text: messages\.1\.content, label: messages\.-1\.con"):
        Task.from_file(path)
    proposed = propose_study(path).document["task"]
    assert (proposed["text"], proposed["label"]) == ("messages.1.content", "messages.-1.content")
    with pytest.raises(DataError, match=r"label: messages\.-1\.content"):
        Task.from_file(path, text="messages", label="messages.-1.content")
    task = Task.from_file(path, text="messages.1.content", label="messages.-1.content")
    assert task.labels == ("bad", "good")
    assert task.train[0].fields["text"] in texts(60)


def test_a_thousand_classes(tmp_path: Path) -> None:
    rows = [(f"{text} {n}", f"c{n % 1000}") for n, text in enumerate(texts(10_000))]
    path = table(tmp_path, ("text", "label"), rows)
    task = Task.from_file(path)
    assert len(task.labels) == 1000
    assert {name: len(part) for name, part in task.splits.items()} == {
        "train": 8000,
        "dev": 1000,
        "test": 1000,
    }


def test_rare_classes(tmp_path: Path) -> None:
    rows = [(text, "ab"[n % 2]) for n, text in enumerate(texts(60))] + [("x", "c"), ("y", "d")]
    path = table(tmp_path, ("text", "label"), rows)
    with pytest.raises(
        DataError, match=r"2 classes have too few .*'c' \(1\), 'd' \(1\).*min_rows: 3"
    ):
        Task.from_file(path)
    task = Task.from_file(path, min_rows=3)
    assert task.labels == ("a", "b")
    assert "2 classes with fewer than 3 different texts are left out with 2 rows" in task.remarks[0]
    assert Task.from_file(path, labels={"c": "a", "d": None}).labels == ("a", "b")


# Texts


def test_rows_without_text(tmp_path: Path) -> None:
    rows = [(text, "ab"[n % 2]) for n, text in enumerate(texts(60))] + [(" ", "a"), ("N/A", "b")]
    path = table(tmp_path, ("text", "label"), rows)
    with pytest.raises(DataError, match=r"line 62: no text in text; .*empty: drop"):
        Task.from_file(path)
    left_out, missing = Task.from_file(path, empty="drop").remarks
    assert left_out.endswith("1 row without text left out")
    assert "line 63: all the text is a word for a missing value" in missing


def test_one_rule_for_white_space_whatever_the_way_in(tmp_path: Path) -> None:
    made = Example("1", {"text": " dull\r\nfilm\u00a0\ufeff"}, " bad ")
    assert (made.fields["text"], made.label) == ("dull\nfilm", "bad")
    rows = [(f"  {text} ", f" {'ab'[n % 2]}\t") for n, text in enumerate(texts(60))]
    path = table(tmp_path, ("text", "label"), rows)
    read = Task.from_file(path)
    assert {(e.fields["text"], e.label) for e in read.train} <= {
        (Example("1", {"text": text}, label).fields["text"], label.strip()) for text, label in rows
    }


def test_repeats_stay_together_and_are_told(tmp_path: Path) -> None:
    rows = [(text, "ab"[n % 2]) for n, text in enumerate(texts(60))]
    rows += [(text.upper() + " ", label) for text, label in rows[:20]] + [
        ("Warm  warm film 0", "b")
    ]
    path = table(tmp_path, ("text", "label"), rows)
    task = Task.from_file(path)
    copies, contradictory = task.warnings
    assert "21 of 81 examples repeat the text of another one (60 different texts)" in copies
    assert "1 text has contradictory labels: 'warm warm film 0' is " in contradictory
    homes: dict[str, set[str]] = {}
    for split, examples in task.splits.items():
        for example in examples:
            homes.setdefault(example.fields["text"].casefold(), set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())


# Ids


def test_ids_of_the_file(tmp_path: Path) -> None:
    rows = [(f"T-{n:04}", text, "ab"[n % 2]) for n, text in enumerate(texts(60))]
    path = table(tmp_path, ("id", "text", "label"), rows)
    task = Task.from_file(path)
    assert {e.id for e in task.train} <= {row[0] for row in rows}
    assert all(e.fields["text"].endswith(f"film {int(e.id[2:])}") for e in task.test)
    assert task.fields == ("text",)
    numbered = Task.from_file(path, id="")
    assert {e.id for e in numbered.train} <= {f"{n:02}" for n in range(1, 61)}
    with path.open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow(("T-0001", "one more", "a"))
    assert "repeats them" in Task.from_file(path).remarks[0]
    with pytest.raises(DataError, match="'id' lacks some ids or repeats them; name another one"):
        Task.from_file(path, id="id")


def test_labels_that_look_like_several_are_told(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["art", "law", "art|law", "sea|law", "sea", "art|sea"])
    (told,) = Task.from_file(path).remarks
    assert "line 4: the label 'art|law' (30 rows are like it) looks like several labels" in told
    names = labelled(tmp_path, ["Springfield, Ohio", "Paris, Texas"], "b.csv")
    assert not Task.from_file(names).remarks


def test_hidden_labels_are_no_class(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    features = {"label": {"_type": "ClassLabel", "names": ["no", "yes"]}}
    table = pa.table({"text": texts(40), "label": [0, 1, 1, -1] * 10})
    table = table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 4: the label .* is empty .and 9 rows more"):
        Task.from_file(tmp_path / "a.parquet")
    assert Task.from_file(tmp_path / "a.parquet", labels={"": None}).labels == ("no", "yes")


def test_python_is_warned(tmp_path: Path) -> None:
    path = labelled(tmp_path, ["good", "bad", "Good", "good"])
    with pytest.warns(DataWarning, match="the label 'good' is also written 'Good'"):
        Task.from_file(path)


def test_fields_that_are_nested_are_told(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": {"title": text}, "label": "ab"[n % 2]})
        for n, text in enumerate(texts(60))
    ]
    path = write(tmp_path, "a.jsonl", "\n".join(lines))
    (told,) = Task.from_file(path).remarks
    assert "line 1: the column 'text' holds an object, which prompts read as JSON" in told
    task = Task.from_file(path, text="text.title")
    assert not task.remarks and task.train[0].fields["text"] in texts(60)
