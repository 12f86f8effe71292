"""Failures in groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.evaluation import FailureLog, cluster_failures
from promptlab.evaluation.failure import Failure
from promptlab.evaluation.failure_log import write_lines

FOOD = ["the soup was cold", "cold soup and stale bread", "a soup without salt", "bread and soup"]
FILMS = ["a dull film plot", "the film drags on", "plot holes in the film", "film without a plot"]


def miss(number: int, text: str, expected: str | None = "a", **changes: Any) -> Failure:
    made = Failure(str(number), {"text": text}, f"{text} {{mask}}", expected, "b")
    return Failure(**vars(made) | changes)


def misses() -> list[Failure]:
    texts = [text for pair in zip(FOOD, FILMS, strict=True) for text in pair]
    return [miss(number, text) for number, text in enumerate(texts)]


def test_words_tell_the_groups_apart() -> None:
    found = cluster_failures(misses(), 2)
    assert [len(cluster.failures) for cluster in found] == [4, 4]
    by_word = {cluster.words[0]: cluster for cluster in found}
    assert set(by_word) == {"film", "soup"}
    assert {one.fields["text"] for one in by_word["soup"].failures} == set(FOOD)
    assert by_word["film"].confusion == ("a", "b") and by_word["film"].confused == 4
    assert cluster_failures(misses(), 2) == found  # the same each time
    chosen = cluster_failures(misses())
    assert 2 <= len(chosen) <= 8 and sum(len(c.failures) for c in chosen) == 8


def test_few_or_empty_texts() -> None:
    assert cluster_failures([]) == []
    for texts in (["one"], ["", ""], ["the", "of", "12"], ["same words"] * 9):
        (cluster,) = cluster_failures([miss(n, text) for n, text in enumerate(texts)])
        assert cluster.title == "all failures" and len(cluster.failures) == len(texts)
    mixed = cluster_failures([*misses(), miss(8, ""), miss(9, "42")], 2)
    assert mixed[-1].title == "without telling words" and len(mixed[-1].failures) == 2
    assert len(cluster_failures(misses(), 99)) == 8
    with pytest.raises(pl.InputError, match="0 groups"):
        cluster_failures(misses(), 0)
    with pytest.raises(pl.InputError, match="not by 'colour'"):
        cluster_failures(misses(), by="colour")  # type: ignore[arg-type]


def test_many_failures_are_grouped_in_few_dimensions() -> None:
    words = [f"{'soup' if n % 2 else 'film'} word{chr(97 + n % 26)}{chr(97 + n // 26)}" * 2
             for n in range(120)]  # fmt: skip
    found = cluster_failures([miss(n, text) for n, text in enumerate(words)], 2)
    assert sum(len(cluster.failures) for cluster in found) == 120


def test_by_confusion_and_kind() -> None:
    failures = [
        miss(0, "x"),
        miss(1, "y"),
        miss(2, "z", "c"),
        miss(3, "u", unparsed=True),
        miss(4, "v", None, unparsed=True, error="timed out", actual=None),
    ]
    titles = [cluster.title for cluster in cluster_failures(failures, by="confusion")]
    assert titles == ["a → b", "(none) → (error)", "a → (unparsed)", "c → b"]
    kinds = cluster_failures(failures, by="kind")
    assert [(c.title, len(c.failures)) for c in kinds] == [
        ("wrong answer", 3),
        ("no reply", 1),
        ("reply that could not be read", 1),
    ]
    assert miss(0, "x", actual=None).confusion == ("a", "(none)")


def test_the_command_line(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from promptlab.cli.app import app

    folder = tmp_path / "films"
    folder.mkdir()
    write_lines(folder / "failures.jsonl", (one.record() for one in misses()))
    done = CliRunner().invoke(
        app, ["failures", "clusters", "films", "--runs", str(tmp_path), "--count", "2", "--json"]
    )
    rows = json.loads(done.stdout)
    assert [row["size"] for row in rows] == [4, 4] and rows[0]["words"][0] in ("film", "soup")
    listed = CliRunner().invoke(app, ["failures", "clusters", str(folder), "--by", "kind"])
    assert "wrong answer" in listed.stdout


def test_corrections_of_two_people_are_kept(tmp_path: Path) -> None:
    write_lines(tmp_path / "failures.jsonl", (one.record() for one in misses()))
    first, second = FailureLog(tmp_path), FailureLog(tmp_path)
    first.correct("0", expected="c")
    second.correct("1", accept=True)
    second.correct("0", expected="d", note="later")
    first.correct("2", accept=True)
    kept = FailureLog(tmp_path).corrections
    assert {name: (one.expected, one.accept) for name, one in kept.items()} == {
        "0": ("d", False),
        "1": (None, True),
        "2": (None, True),
    }
    assert first.withdraw("0").wanted_answer == "a" and first.find("0").correction is None
    assert set(FailureLog(tmp_path).corrections) == {"1", "2"}
    with pytest.raises(pl.InputError, match="no correction"):
        first.withdraw("0")
    with pytest.raises(pl.InputError, match="no failure 'x'"):
        first.withdraw("x")
