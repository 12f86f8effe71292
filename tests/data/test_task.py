"""Tasks: columns, splits, draws and the data faults that are refused."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from promptlab.data.columns import choose_columns
from promptlab.data.example import Example
from promptlab.data.readers import read_rows
from promptlab.data.splits import plan_sizes
from promptlab.data.task import FEW_SHOT_SEEDS, Task
from promptlab.errors import DataError


def table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def ids(examples: Sequence[Example]) -> set[str]:
    return {e.id for e in examples}


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """100 rows, a third of them bad."""
    rows = [(f"review {n}", "bad" if n % 3 == 0 else "good") for n in range(100)]
    return table(tmp_path / "reviews.csv", ("body", "stars"), rows)


def test_splits_are_seeded_stratified_and_disjoint(reviews: Path) -> None:
    task = Task.from_file(reviews)
    assert (task.name, task.labels, task.fields, task.metric) == (
        "reviews",
        ("bad", "good"),
        ("text",),
        "accuracy",
    )
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 20,
        "dev": 30,
        "test": 50,
    }
    for split in task.splits.values():
        share = Counter(e.label for e in split)["bad"] / len(split)
        assert abs(share - 0.34) < 0.03
    every = set.union(*(ids(split) for split in task.splits.values()))
    assert len(every) == 100
    assert all(len(i) == 3 for i in every)
    assert Task.from_file(reviews) == task
    assert Task.from_file(reviews, seed=21).dev != task.dev
    assert task.fingerprint == Task.from_file(reviews).fingerprint
    assert task.fingerprint != Task.from_file(reviews, seed=21).fingerprint


def test_ids_are_row_numbers(reviews: Path) -> None:
    task = Task.from_file(reviews)
    assert all(e.fields["text"] == f"review {int(e.id) - 1}" for e in task.test)


def test_splits_do_not_depend_on_the_order_of_rows(tmp_path: Path, reviews: Path) -> None:
    rows = [tuple(row.values.values()) for row in read_rows(reviews)]
    turned = table(tmp_path / "turned.csv", ("body", "stars"), rows[::-1])

    def texts(task: Task) -> list[str]:
        return [e.fields["text"] for e in task.test]

    assert texts(Task.from_file(turned)) == texts(Task.from_file(reviews))


def test_sizes_as_numbers_shares_and_rest(reviews: Path) -> None:
    task = Task.from_file(reviews, train=12, dev=0.2)
    assert [len(split) for split in task.splits.values()] == [12, 20, 68]
    small = Task.from_file(reviews, train=12, dev=20, test=40)
    assert [len(split) for split in small.splits.values()] == [12, 20, 40]
    # with test's size given, a larger train leaves test and dev as they are
    large = Task.from_file(reviews, train=30, dev=20, test=40)
    assert (large.test, large.dev) == (small.test, small.dev)
    assert ids(small.train) < ids(large.train)


def test_the_same_text_never_stands_in_two_splits(tmp_path: Path) -> None:
    rows = [
        (f"{'  SAME ' if copy else 'same '}text {n // 4}", "xy"[n // 4 % 2])
        for copy in range(2)
        for n in range(200)
    ]
    task = Task.from_file(table(tmp_path / "a.csv", ("text", "label"), rows))
    places: dict[str, set[str]] = {}
    for name, split in task.splits.items():
        for e in split:
            places.setdefault(" ".join(e.fields["text"].lower().split()), set()).add(name)
    assert len(places) == 50
    assert all(len(found) == 1 for found in places.values())
    assert sum(map(len, task.splits.values())) == 400


def test_few_shot_draws(reviews: Path) -> None:
    task = Task.from_file(reviews, train=40)
    drawn = task.draw(4, seed=42)
    assert Counter(e.label for e in drawn) == {"bad": 4, "good": 4}
    assert drawn == task.draw(4, seed=42)
    assert ids(drawn) < ids(task.draw(8, seed=42))
    assert len({frozenset(ids(task.draw(4, seed))) for seed in FEW_SHOT_SEEDS}) == 5
    few = Task.from_file(reviews, train=40, k=4, seed=13)
    assert few.train == task.draw(4)
    assert (few.dev, few.test) == (task.dev, task.test)
    with pytest.raises(DataError, match=r"k=20 .* train has 14 of the class 'bad'"):
        task.draw(20)
    with pytest.raises(DataError, match="k is 0"):
        task.draw(0)


def test_open_answers(tmp_path: Path) -> None:
    rows = [(f"what is {n}?", n) for n in range(40)]
    path = table(tmp_path / "a.csv", ("question", "answer"), rows)
    task = Task.from_file(path, dev=10, test=20)
    assert (task.labels, task.fields, task.metric) == ((), ("question",), "exact_match")
    assert [len(split) for split in task.splits.values()] == [10, 10, 20]
    assert len(task.draw(3)) == 3
    some = [(f"what is {n}?", n % 4) for n in range(40)]
    path = table(tmp_path / "b.csv", ("question", "answer"), some)
    assert Task.from_file(path).labels == ("0", "1", "2", "3")
    assert Task.from_file(path, labels=()).labels == ()


@pytest.mark.parametrize(
    ("columns", "fields", "label"),
    [
        (("text", "label"), {"text": "text"}, "label"),
        (("id", "Review", "Label"), {"Review": "text"}, "Label"),
        (("body", "stars"), {"body": "text"}, "stars"),
        (("sentence", "mood"), {"sentence": "text"}, "mood"),
        (("label", "category", "text"), {"text": "text"}, "label"),
        (
            ("premise", "hypothesis", "label", "idx"),
            {"premise": "premise", "hypothesis": "hypothesis"},
            "label",
        ),
        (
            ("question", "answer", "passage"),
            {"question": "question", "passage": "passage"},
            "answer",
        ),
        (("utterance 1", "label"), {"utterance 1": "utterance 1"}, "label"),
    ],
)
def test_guessed_columns(columns: Sequence[str], fields: dict[str, str], label: str) -> None:
    chosen = choose_columns(columns, source="a.csv")
    assert (dict(chosen.fields), chosen.label) == (fields, label)


def test_named_columns() -> None:
    columns = ("a", "b", "c")
    chosen = choose_columns(columns, source="x", text="a", label="c")
    assert (dict(chosen.fields), chosen.label) == ({"a": "text"}, "c")
    chosen = choose_columns(columns, source="x", fields=("a", "b"), label="c", rename={"b": "q"})
    assert chosen.field_names == ("a", "q")
    chosen = choose_columns(columns, source="x", label="c", rename={"b": "q"})
    assert chosen.field_names == ("q",)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (("text", "class", "category"), {}, "which column is the label .'class', 'category' could"),
        (("text", "a", "b"), {}, "which column is the label .none is called label.*'text', 'a'"),
        (("review", "body", "label"), {}, "which column is the text .'review', 'body' could"),
        (("a", "b", "label"), {}, "which column is the text .no name is a usual one.*'a', 'b'"),
        (
            ("text", "label"),
            {"text": "txt"},
            "has no column 'txt'; its columns are 'text', 'label'",
        ),
        (("text", "label"), {"label": "text", "text": "text"}, "both label and field"),
        (("a", "b", "label"), {"fields": ("a", "b"), "rename": {"a": "b"}}, "the same field"),
    ],
)
def test_ambiguous_columns(columns: Sequence[str], options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose_columns(columns, source="a.csv", **options)  # type: ignore[arg-type]


def test_faults_name_the_line(tmp_path: Path) -> None:
    def fails(rows: list[tuple[str, str]], message: str, **options: object) -> None:
        path = table(tmp_path / "a.csv", ("text", "label"), rows)
        with pytest.raises(DataError, match=message):
            Task.from_file(path, **options)  # type: ignore[arg-type]

    good = [(f"text {n}", "xy"[n % 2]) for n in range(20)]
    fails([*good, ("text", " ")], r"a\.csv, line 22: the label \(column 'label'\) is empty")
    fails([*good, (" ", "x")], r"a\.csv, line 22: no text in text")
    fails([(t, "x") for t, _ in good], "every row has the label 'x'; a task needs two classes")
    fails(good, "has 20 rows, too few for train 10 [+] dev 10 [+] test 10 = 30", train=10, dev=10,
          test=10)  # fmt: skip
    fails(good[:4], "has 4 rows, too few|would get 1 of 4 rows")
    fails([*good, ("text", "z")], "the class 'z' has 1 different rows, but 3 splits need")
    fails([*good, ("text", "z")], r"line 22: the label 'z' is none of x, y", labels=("x", "y"))
    fails(good, "give at least two", labels=("x",))
    fails(good, "dev is 0; give a number of rows, or a share", dev=0)
    fails(good, "train is 2.5", train=2.5)
    fails(good, "give either text", text="text", fields=("text",))


def test_a_row_without_its_column(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 1}\n{"label": 0}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: the column 'text' is missing"):
        Task.from_file(path)


def test_values_become_text(tmp_path: Path) -> None:
    rows = [{"text": f" {n} ", "label": n % 2 == 0} for n in range(30)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = Task.from_file(path)
    assert task.labels == ("false", "true")
    assert all(e.fields["text"] == str(int(e.id) - 1) for e in task.train)


def test_files_of_their_own(tmp_path: Path) -> None:
    def part(name: str, start: int, count: int) -> Path:
        rows = [(f"text {n}", "xy"[n % 2]) for n in range(start, start + count)]
        return table(tmp_path / f"{name}.csv", ("text", "label"), rows)

    train, dev, test = part("train", 0, 50), part("dev", 50, 20), part("test", 70, 30)
    task = Task.from_files(train=train, dev=dev, test=test, name="own")
    assert [len(split) for split in task.splits.values()] == [50, 20, 30]
    assert {e.id.split("-")[0] for e in task.dev} == {"dev"}
    without = Task.from_files(train=train, test=test)
    assert [len(split) for split in without.splits.values()] == [35, 15, 30]
    assert {e.id.split("-")[0] for e in without.dev} == {"train"}
    sampled = Task.from_files(train=train, test=test, sizes={"train": 10, "dev": 8, "test": 12})
    assert [len(split) for split in sampled.splits.values()] == [10, 8, 12]
    assert Counter(e.label for e in sampled.test) == {"x": 6, "y": 6}

    shared = part("shared", 45, 10)
    told = Task.from_files(train=train, dev=dev, test=shared)
    assert [len(split) for split in told.splits.values()] == [45, 15, 10]
    assert any(
        "train.csv: 5 of its 50 rows have a text that also stands in" in r for r in told.remarks
    )
    with pytest.raises(DataError, match=r"train\.csv: 5 of its rows also stand in .*shared\.csv"):
        Task.from_files(train=train, test=shared, overlap="refuse")


def test_a_task_made_by_hand_is_checked() -> None:
    def example(number: str, text: str, label: str) -> Example:
        return Example(number, {"text": text}, label)

    a, b = example("1", "a", "x"), example("2", "b", "y")
    task = Task("t", (a,), (b,), (), labels=("x", "y"))
    assert task.fingerprint == Task("other", (a,), (b,), (), labels=("x", "y")).fingerprint
    with pytest.raises(DataError, match="the id '1' stands twice"):
        Task("t", (a,), (example("1", "c", "x"),), (), labels=("x", "y"))
    with pytest.raises(DataError, match="has the text of one in train"):
        Task("t", (a,), (example("3", "A ", "x"),), (), labels=("x", "y"))
    with pytest.raises(DataError, match="label 'x', the labels are p, q"):
        Task("t", (a,), (b,), (), labels=("p", "q"))
    with pytest.raises(DataError, match="lacks 'passage'"):
        Task("t", (a,), (b,), (), fields=("passage",))


def test_plan_defaults_are_capped() -> None:
    def sizes(splits: Sequence[str], **given: int) -> dict[str, int | None]:
        return plan_sizes(splits, given, rows=10_000, classes=2, source="x")

    assert sizes(("train", "dev", "test")) == {"test": 1000, "dev": 500, "train": None}
    assert sizes(("train", "dev", "test"), train=9) == {"dev": 500, "train": 9, "test": None}
    assert sizes(("train", "dev")) == {"dev": 500, "train": None}
    assert sizes(("test",)) == {"test": None}
