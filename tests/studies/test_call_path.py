"""What is counted of the way of a call: entries, moves between files, values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.studies.bench import call_path
from promptlab.studies.bench.call_path import CallCounter


def test_entries_and_values_are_counted_and_moves_between_files_alone() -> None:
    template = pl.Template("{text} It was {mask}.")
    example = pl.Example("1", {"text": "A slow film."})
    counter = CallCounter()
    with counter.in_force():
        prompt = template.render(example)
    facts = counter.facts(100)
    assert facts["calls"] == sum(count for _, _, count in facts["most_calls"]) > 2
    assert facts["moves"] == sum(count for _, _, count in facts["most_moves"])
    assert all(a != b for a, b, _ in facts["most_moves"])
    assert facts["moves"] < facts["calls"]
    assert ["Prompt", 1] in [list(pair) for pair in facts["values"]]
    assert prompt.slot is not None


def test_nothing_is_counted_outside() -> None:
    counter = CallCounter()
    with counter.in_force():
        pass
    pl.Template("{text} It was {mask}.")
    assert counter.facts(1)["calls"] == 0


def test_a_generator_counts_once_however_often_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)

    counter = CallCounter()
    monkeypatch.setattr(call_path, "_ROOT", call_path.Path(__file__).parent)
    with counter.in_force():
        assert list(numbers()) == list(range(5))
        Cancellation()
    assert [entry[2] for entry in counter.facts(9)["most_calls"] if "numbers" in entry[1]] == [1]


def test_the_three_calls_are_counted_on_a_tiny_model() -> None:
    done = subprocess.run(
        [sys.executable, call_path.__file__, "--most", "1"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    names = [line.partition(":")[0] for line in heads]
    assert names == ["study run", "one example scored", "one reply generated"]
