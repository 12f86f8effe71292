"""Computed reasoning puzzles: seeded, different, and clear about what is missing."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from promptlab.data.load_task import load_task
from promptlab.data.reasoning_gym import reasoning_task
from promptlab.errors import AssetError, DataError


def puzzles(task: str, size: int, seed: int, most: int = 1000, **options: Any) -> list[Any]:
    if set(options) - {"terms"}:
        raise TypeError("unexpected option")
    numbers = range(seed, seed + size)
    if task == "words":
        return [{"question": f"say {n}", "answer": f"word {n}"} for n in numbers]
    return [{"question": f"{n % most} + 1 =", "answer": str(n % most + 1)} for n in numbers]


@pytest.fixture
def gym(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of the same shape, whose tasks are quickly computed."""
    found: Any = ModuleType("reasoning_gym")
    found.create_dataset = puzzles
    found.factory = SimpleNamespace(DATASETS={"sums": 1, "words": 2})
    monkeypatch.setitem(sys.modules, "reasoning_gym", found)
    return found


def test_splits_are_seeded_and_different(gym: ModuleType) -> None:
    task = load_task("reasoning-gym:sums", train=4, dev=3, test=5)
    assert {split: len(rows) for split, rows in task.splits.items()} == {
        "train": 4,
        "dev": 3,
        "test": 5,
    }
    assert (task.fields, task.labels, task.metric) == (("question",), (), "numeric_match")
    assert task.train[0].fields["question"] == "13 + 1 ="
    assert task.train[0].label == "14"
    assert load_task("reasoning-gym:sums", train=4, dev=3, test=5).fingerprint == task.fingerprint
    other = load_task("reasoning-gym:sums", seed=50, train=4, dev=3, test=5)
    assert other.fingerprint != task.fingerprint
    usual = load_task("reasoning-gym:sums?terms=2")
    assert [len(rows) for rows in usual.splits.values()] == [64, 100, 200]
    assert len(load_task("reasoning-gym:sums", k=5).train) == 5


def test_several_tasks_take_turns(gym: ModuleType) -> None:
    task = load_task("reasoning-gym:sums+words", train=4, dev=1, test=1)
    assert [e.fields["question"].split()[0] for e in task.train] == ["13", "say", "14", "say"]
    assert task.metric == "exact_match"
    assert load_task("reasoning-gym:sums", metric="accuracy").metric == "accuracy"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("reasoning-gym", "names no task"),
        ("reasoning-gym:", "names no task"),
        ("reasoning-gym:sum", "did you mean sums"),
        ("reasoning-gym:sums?terms=many", "options are numbers"),
        ("reasoning-gym:sums?legs=2", "does not take these options"),
    ],
)
def test_what_is_refused(gym: ModuleType, name: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        load_task(name)


def test_sizes_are_numbers_and_puzzles_run_out(gym: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"dev: give a number of puzzles, not 0.5"):
        load_task("reasoning-gym:sums", dev=0.5)
    with pytest.raises(DataError, match="drop text"):
        load_task("reasoning-gym:sums", text="question")
    monkeypatch.setattr(gym, "create_dataset", lambda *a, **o: puzzles(*a, most=50, **o))
    with pytest.raises(DataError, match=r"364 puzzles are asked for and only 50 different ones"):
        load_task("reasoning-gym:sums")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(AssetError, match=r"pip install 'promptlab-workbench\[reasoning\]'"):
        load_task("reasoning-gym:chain_sum")


def test_the_real_package() -> None:
    pytest.importorskip("reasoning_gym")
    task = reasoning_task("reasoning-gym:chain_sum?max_terms=3&max_digits=1", {})
    assert len(task.test) == 200
    for example in task.dev:
        terms = example.fields["question"].partition(":")[2].removesuffix("=").split()
        signs = [1, *(1 if sign == "+" else -1 for sign in terms[1::2])]
        total = sum(s * int(term) for s, term in zip(signs, terms[::2], strict=True))
        assert str(total) == example.label
