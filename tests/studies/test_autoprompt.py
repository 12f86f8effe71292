"""The benchmark of trigger search on tiny models: the same material, and what it tells."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptlab.errors import WorkError
from promptlab.models.local import LocalModel
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.studies.bench import autoprompt
from promptlab.studies.bench.autoprompt_peer import Evaluation, Procedure, TriggerSearch, Work
from promptlab.studies.bench.own_triggers import SearchTask, own_search
from promptlab.tuning.triggers.config import TriggerSearchConfig
from tests.helpers.tiny_models import Pair
from tests.studies.test_peers import EXAMPLES, copied

VERBALIZER = Verbalizer({"negative": ["bad", "terrible"], "positive": ["good", "great"]})
RECIPE = TriggerSearchConfig(steps=6, top=8, batch=6, blocks=2, read_back=False)


def options(**changes: Any) -> argparse.Namespace:
    settings = {
        "model": "tiny",
        "dtype": "float32",
        "device": "cpu",
        "length": 3,
        "seconds": 20.0,
        "iterations": 12,
        "accumulation": 2,
        "batch": 6,
        "candidates": 20,
        "score": "likelihood",
        "repeats": 2,
        "warm_up": 1,
        "seed": 3,
    }
    return argparse.Namespace(**(settings | changes))


def task(model: LocalModel) -> SearchTask:
    return SearchTask(
        model, EXAMPLES, EXAMPLES[::-1], length=3, recipe=RECIPE, verbalizer=VERBALIZER
    )


@pytest.mark.parametrize("name", ["tiny_masked", "tiny_causal", "tiny_gpt2"])
def test_both_sides_compute_the_same_losses(
    name: str, fresh: Callable[..., LocalModel], request: Any
) -> None:
    made = task(fresh(name))
    plain = copied(request.getfixturevalue(name))
    assert made.allowed.any() and len(made.initial) == 3
    for tokens in (made.initial, (40, 50, 60)):
        own = made.oracle().losses([tokens], range(len(EXAMPLES)))[0]
        expected = autoprompt.plain_losses(plain, made.train_rows, made.words, tokens)
        np.testing.assert_allclose(own, expected, atol=1e-5)
    peer = autoprompt.peer_search(made, plain, Procedure(iterations=0))
    own_history = own_search(made, seed=0, limit_seconds=0.0).history
    assert peer.history[0].tokens == own_history[0].tokens
    assert peer.history[0].dev_accuracy == pytest.approx(own_history[0].dev_accuracy)


def test_a_search_ends_at_its_mark(masked: LocalModel) -> None:
    made = task(masked)
    whole = own_search(made, seed=1)
    assert whole.iterations == RECIPE.steps and len(whole.history) > 1
    assert sum(whole.work.training.values()) == RECIPE.steps * RECIPE.batch
    mark = whole.history[1].dev_accuracy
    ended = own_search(made, seed=1, until=mark)
    assert [one.tokens for one in ended.history] == [
        one.tokens for one in whole.history[: len(ended.history)]
    ]
    assert ended.history[-1].dev_accuracy >= mark
    assert all(one.dev_accuracy < mark for one in ended.history[:-1])
    assert own_search(made, seed=1, limit_seconds=0.0).iterations == 0


def test_the_document_tells_every_pair(tiny_causal: Pair, causal: LocalModel) -> None:
    found = autoprompt.compare(task(causal), copied(tiny_causal), options())
    document = json.loads(json.dumps(found.document()))
    assert document["max_difference"] < 1e-4 and document["target"] == 4.0
    assert document["pairs"] == len(document["histories"]["peer"]) == 2
    assert document["ratio"] == pytest.approx(np.median(document["ratios"]))
    assert document["ratio_spread"] == [min(document["ratios"]), max(document["ratios"])]
    assert len(document["ratios"]) == 2 - document["pairs_without_better_peer"]
    assert document["recipe"]["top"] == 8 and document["peer_settings"]["candidates"] == 20
    assert document["roofline_percent"] > 0


def test_pairs_in_which_the_peer_found_nothing_do_not_count(
    tiny_masked: Pair, masked: LocalModel
) -> None:
    with pytest.raises(WorkError, match="found no better trigger"):
        autoprompt.compare(task(masked), copied(tiny_masked), options(iterations=0, repeats=1))


def test_a_mark_that_was_not_reached_takes_the_whole_time() -> None:
    search = TriggerSearch([Evaluation(1.0, 0.5, (1,)), Evaluation(2.0, 0.7, (2,))], 9.0, 4, Work())
    assert autoprompt.own_seconds(search, 0.7) == 2.0
    assert autoprompt.own_seconds(search, 0.8) == 9.0
