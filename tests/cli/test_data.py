"""``promptlab data``: list, show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.app import app
from promptlab.data.builtin import DATASETS
from promptlab.data.task import Task
from promptlab.errors import DataError, InputError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments])


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, DataError), (result.exception, result.output)
    return str(result.exception)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    lines = [f"film number {n},{('bad', 'good')[n % 2]}" for n in range(40)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_a_seed_that_no_library_takes_is_refused(reviews: Path, seed: int) -> None:
    result = run("show", str(reviews), f"--seed={seed}")
    assert result.exit_code == 2
    assert "Invalid value for '--seed'" in result.output
    with pytest.raises(InputError, match="a seed is a whole number from 0 to 4294967295"):
        Task.from_file(reviews, seed=seed)
    with pytest.raises(InputError, match="a seed is a whole number from 0 to 4294967295"):
        Task.from_file(reviews).draw(1, seed)


def test_list_gives_the_pinned_data_sets() -> None:
    rows = document("list")
    assert [row["name"] for row in rows] == list(DATASETS)
    assert rows[0]["labels"] == ["negative", "positive"]
    assert rows[0]["cached"] is False  # in the tests' own cache folder
    printed = run("list").stdout.splitlines()
    assert len(printed) == 1 + len(rows)


def test_show_counts_labels_and_splits(reviews: Path) -> None:
    row = document("show", str(reviews), "--n", "2")
    task = Task.from_file(reviews)
    assert row["fingerprint"] == task.fingerprint
    assert {split: found["rows"] for split, found in row["splits"].items()} == {
        split: len(examples) for split, examples in task.splits.items()
    }
    labels = [found["labels"] for found in row["splits"].values()]
    assert sum(found["good"] for found in labels) == 20
    assert [e["id"] for e in row["examples"]] == [e.id for e in task.train[:2]]
    assert row["fields"] == ["text"]


def test_show_prints_splits_and_examples(reviews: Path) -> None:
    out = run("show", str(reviews), "--n", "1").stdout
    assert "reviews, 40 rows" in out
    assert "film number" in out
    assert "film number" not in run("show", str(reviews), "--n", "0").stdout


def test_show_takes_columns_and_a_seed(tmp_path: Path, reviews: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(reviews.read_text().replace("text,label", "story,verdict"))
    row = document("show", str(path), "--text", "story", "--label", "verdict")
    assert row["fields"] == ["text"]
    row = document("show", str(path), "--field", "story", "--label", "verdict", "--seed", "21")
    assert row["fields"] == ["story"]
    assert row["fingerprint"] != document("show", str(reviews))["fingerprint"]


def test_show_open_answers(tmp_path: Path) -> None:
    path = tmp_path / "capitals.jsonl"
    lines = [json.dumps({"country": f"land {n}", "label": f"town {n}"}) for n in range(20)]
    path.write_text("\n".join(lines))
    row = document("show", str(path))
    assert row["labels"] == []
    assert row["splits"]["train"]["labels"] == {}
    assert "open answers" in run("show", str(path)).stdout


def test_show_writes_control_characters_out(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    rows = [
        {"text": f"\x1b[2Jline {n}\nnext\u202e [bold]x[/bold]", "label": "ab"[n % 2]}
        for n in range(20)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    out = run("show", str(path)).stdout
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2Jline" in out
    assert "⏎next" in out
    assert "[bold]x[/bold]" in out


def test_show_names_place_and_mend_of_bad_input(tmp_path: Path, reviews: Path) -> None:
    one = tmp_path / "one.csv"
    one.write_text(reviews.read_text().replace("good", "bad"))
    assert "every row has the label 'bad'" in refused("show", str(one))
    assert "'nope'" in refused("show", str(reviews), "--text", "nope")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "a", "label": "b"}\n{"text": \n')
    assert f"{broken}, line 2" in refused("show", str(broken))
    assert "such file" in refused("show", str(tmp_path / "none.csv"))
    assert "limit is 5" in refused("show", str(reviews), "--max-chars", "5")
    assert run("show", str(reviews), "--n", "-1").exit_code == 2
