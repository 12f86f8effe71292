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
    "France": "Paris",
    "Thailand": "Bangkok",
    "Peru": "Lima",
    "Poland": "Warsaw",
}


PROMPTS = [
    "The capital of Canada is {mask}.",
    "The capital of France is Paris. The capital of Canada is {mask}.",
    "The capital of Thailand is Bangkok. The capital of France is Paris. "
    "The capital of Canada is {mask}.",
    "The capital of France is Paris. The capital of Canada is {mask}. "
    "The capital of Thailand is Bangkok.",
]


@pytest.fixture(autouse=True)
def few_capitals(monkeypatch: pytest.MonkeyPatch, causal: LocalModel, masked: LocalModel) -> None:
    rows = tuple(
        pl.Example(str(n), {"country": c}, city) for n, (c, city) in enumerate(CAPITALS.items())
    )
    task = pl.Task("capitals", rows[:3], rows[3:4], rows[4:], fields=("country",))
    models = {"smollm2-135m": causal, "bert-tiny": masked}
    monkeypatch.setattr(in_context.pl, "load_task", lambda name: task, raising=False)
    monkeypatch.setattr(in_context.pl, "load_model", models.__getitem__, raising=False)


@pytest.mark.parametrize("name", ["causal", "masked"])
def test_the_lines(request: pytest.FixtureRequest, name: str) -> None:
    model: LocalModel = request.getfixturevalue(name)
    found = in_context.lines(model)
    capitals = sorted(CAPITALS.values())
    right = capitals.index("Ottawa")
    assert [line.prompt for line in found] == PROMPTS
    for line in found:
        prompt = pl.Template(line.prompt).render({})
        logs = model.score([prompt], capitals).logprobs[0]
        assert line.share == pytest.approx(
            float(np.exp(logs[right]) / np.exp(logs).sum()), rel=1e-4
        )
        assert line.rank == 1 + int((logs > logs[right]).sum())
        assert line.leader == capitals[int(logs.argmax())]


def test_what_stands_behind_the_slot_is_seen_by_a_masked_model_alone(
    causal: LocalModel, masked: LocalModel
) -> None:
    unseen, seen = in_context.lines(causal), in_context.lines(masked)
    assert [line.sees_all for line in unseen] == [True, True, True, False]
    assert all(line.sees_all for line in seen)
    assert unseen[3].probability == pytest.approx(unseen[1].probability, rel=1e-4)
    assert abs(np.log(seen[3].probability / seen[1].probability)) > 0.01
    for line in unseen[:3]:
        shown = pl.Template(line.prompt.removesuffix(".")).render({})
        logprob = causal.score([shown], ["Ottawa"]).logprobs[0, 0]
        assert line.probability == pytest.approx(float(np.exp(logprob)), rel=1e-4)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_context.main([]) == 0
    table = capsys.readouterr().out
    assert table.count("one before, one behind the question") == 2
    assert table.count("(not seen)") == 1
    assert in_context.main(["--country", "Peru", "--model", "bert-tiny", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["country"] == "Peru"
    (model,) = document["models"]
    assert model["model"] == "bert-tiny" and len(model["lines"]) == 4
    assert in_context.main(["--country", "Narnia"]) == 2
    assert "'Narnia' is no country" in capsys.readouterr().err
    assert in_context.main(["--second", "Canada"]) == 2


def test_it_is_shipped() -> None:
    assert Path(in_context.__file__).parent.name == "book"
