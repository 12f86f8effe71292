"""The textbook's demonstration of in-context learning, as one command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import promptlab as pl
from promptlab.models.local import LocalModel
from promptlab.studies.book import in_context

CAPITALS = {
    "Canada": "Ottawa",
    "United Kingdom": "London",
    "Japan": "Tokyo",
    "Peru": "Lima",
    "Poland": "Warsaw",
}


@pytest.fixture(autouse=True)
def few_capitals(monkeypatch: pytest.MonkeyPatch, causal: LocalModel) -> None:
    rows = tuple(
        pl.Example(str(n), {"country": c}, city) for n, (c, city) in enumerate(CAPITALS.items())
    )
    task = pl.Task("capitals", rows[:3], rows[3:4], rows[4:], fields=("country",))
    monkeypatch.setattr(in_context.pl, "load_task", lambda name: task, raising=False)
    monkeypatch.setattr(in_context.pl, "load_model", lambda name: causal, raising=False)


def test_the_lines(causal: LocalModel) -> None:
    found = in_context.lines(causal)
    assert [line.prompt for line in found] == [
        "The capital of Canada is {mask}",
        "The capital of United Kingdom is London. The capital of Canada is {mask}",
        "The capital of Japan is Tokyo. The capital of United Kingdom is London. "
        "The capital of Canada is {mask}",
        "The capital of United Kingdom is London. The capital of Japan is Tokyo. "
        "The capital of Canada is {mask}",
    ]
    for line in found:
        prompt = pl.Template(line.prompt).render({})
        logs = causal.score([prompt], list(CAPITALS.values())).logprobs[0]
        assert line.probability == pytest.approx(float(np.exp(logs[0])), rel=1e-4)
        assert line.share == pytest.approx(float(np.exp(logs[0]) / np.exp(logs).sum()), rel=1e-4)
        assert line.rank == 1 + int((logs > logs[0]).sum())
        assert line.leader == list(CAPITALS.values())[int(logs.argmax())]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_context.main([]) == 0
    table = capsys.readouterr().out
    assert "two, the second after" in table
    assert in_context.main(["--country", "Peru", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["country"] == "Peru"
    assert len(document["lines"]) == 4
    assert in_context.main(["--country", "Narnia"]) == 2
    assert "'Narnia' is no country" in capsys.readouterr().err
    assert in_context.main(["--second", "Canada"]) == 2


def test_it_is_shipped() -> None:
    assert Path(in_context.__file__).parent.name == "book"
