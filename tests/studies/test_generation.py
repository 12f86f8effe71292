"""The benchmark of generation on a tiny model: equal replies, and a document that tells of them."""

from __future__ import annotations

import argparse
import json

import pytest

from promptlab.engine.kv_cache import budget
from promptlab.errors import WorkError
from promptlab.studies.bench import generation
from promptlab.studies.bench.comparison import report
from tests.conftest import wrapped
from tests.helpers.tiny_models import Pair

QUESTIONS = ("how many films are there ?", "who was it ?", "is the soup cold ?", "why ?", "no")


def options(**changes: int) -> argparse.Namespace:
    settings = {"model": "tiny", "max_tokens": 6, "rows": 2, "repeats": 2, "warm_up": 1}
    return argparse.Namespace(**(settings | changes))


def test_replies_are_compared(tiny_causal: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    prompts = [generation.QUESTION.render({"question": text}) for text in QUESTIONS]
    before = dict(budget.MAX_BATCH_ROWS)
    model = wrapped(tiny_causal, "tiny_causal")
    found = generation.compare(model, *tiny_causal, prompts, options())
    report("generation", {"generate": found}, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["max_difference"] < 1e-3
    details = document["comparisons"]["generate"]
    assert details["equal_replies"] == len(QUESTIONS)
    assert details["new_tokens"]["promptlab"] == details["new_tokens"]["peer"]
    assert set(details["new_tokens_per_second"]) == {"promptlab", "peer"}
    assert before == budget.MAX_BATCH_ROWS


def test_other_replies_are_no_comparison(tiny_causal: Pair, tiny_gpt2: Pair) -> None:
    prompts = [generation.QUESTION.render({"question": text}) for text in QUESTIONS]
    model = wrapped(tiny_causal, "tiny_causal")
    with pytest.raises(WorkError, match="replies are the same"):
        generation.compare(model, tiny_gpt2[0], tiny_causal[1], prompts, options(repeats=1))
