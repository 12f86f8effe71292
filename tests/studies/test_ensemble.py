"""The textbook's ensemble for one fact, on a tiny model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import promptlab as pl
from promptlab.errors import InputError
from promptlab.models import pool
from promptlab.models.local import LocalModel
from promptlab.studies.book import ensemble as book


def word(model: LocalModel) -> str:
    """A word that is one token of the model."""
    found = model.fill([pl.Template("the film was {mask}").render({})], 50)[0]
    return next(one.token.strip() for one in found if one.token.strip().isalpha())


def test_margins_are_those_of_the_distributions(causal: LocalModel) -> None:
    prompts = ("the film was {mask}", "the plot was {mask}")
    answer = word(causal)
    found = book.margins(causal, prompts, answer)
    tables = []
    for prompt in prompts:
        fills = causal.fill([pl.Template(prompt).render({})], 10**6)[0]
        tables.append({one.token_id: one.probability for one in fills})
        assert sum(tables[-1].values()) == pytest.approx(1, abs=1e-3)
    mean = {token: np.mean([table[token] for table in tables]) for token in tables[0]}
    for line, table in zip(found, [*tables, mean], strict=True):
        other = sorted(table.values())[-1]
        assert line.points <= 100 * (line.probability - line.runner_up_probability) + 1e-9
        assert other in (
            pytest.approx(line.probability), pytest.approx(line.runner_up_probability)
        )  # fmt: skip
    assert found[-1].probability == pytest.approx(np.mean([one.probability for one in found[:-1]]))
    with pytest.raises(InputError, match="no single token"):
        book.margins(causal, prompts, "Constantinople")


def test_the_command(
    causal: LocalModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pool, "load_model", lambda *_, **__: causal)
    given = ["--prompt", "the film was {mask}", "--answer", word(causal)]
    assert book.main([*given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [line["prompt"] for line in document["lines"]] == ["the film was {mask}", "mean of all"]
    assert document["comparison"].startswith("The mean (")
    assert book.main(given) == 0
    printed = capsys.readouterr().out
    assert "mean of all" in printed and document["comparison"] in printed
    assert book.main(["--prompt", "x {mask}", "--answer", "Constantinople"]) == 2


def test_the_mean_is_told_as_it_is() -> None:
    def line(points: float) -> book.Margin:
        return book.Margin(f"prompt {points}", 0.5, "x", 0.4, points)

    told = book.comparison([line(1.0), line(-2.0), line(3.5), line(1.5)])
    assert told == (
        "The mean (+1.5 points) is not better than the best single prompt (+3.5: 'prompt 3.5'); "
        "it beats 2 of 3."
    )
    assert "better than every single prompt; it beats 2 of 2" in book.comparison(
        [line(1.0), line(-2.0), line(2.0)]
    )
