"""The benchmarks of prompt tuning on tiny models: equal curves, and documents that tell them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptlab.errors import InputError, WorkError
from promptlab.models.local import LocalModel
from promptlab.studies.bench import packed_trials, soft_prompt
from promptlab.studies.bench.comparison import largest_difference, report
from promptlab.studies.bench.own_tuning import Hyper, OwnTuning, Place, padded_lengths, train
from promptlab.studies.bench.peft_peer import prompt_tuning, soft_after_example
from tests.helpers.tiny_models import Pair
from tests.studies.test_peers import EXAMPLES, copied

MAIN = {"ratio", "target", "max_difference", "tolerance", "reached", "roofline_percent", "seconds"}


def options(**changes: Any) -> argparse.Namespace:
    settings = {
        "model": "tiny",
        "dtype": "float32",
        "device": "cpu",
        "space": "answers",
        "vectors": 3,
        "learning_rate": 0.02,
        "examples": len(EXAMPLES),
        "batch": 4,
        "steps": 3,
        "trials": 3,
        "after_examples": 2,
        "after_tokens": 30,
        "after_epochs": 3,
        "repeats": 2,
        "warm_up": 1,
        "seed": 5,
    }
    return argparse.Namespace(**(settings | changes))


@pytest.mark.parametrize("space", ["answers", "vocabulary"])
def test_vectors_in_front_follow_peft(tiny_gpt2: Pair, gpt2: LocalModel, space: Any) -> None:
    tuning = OwnTuning(gpt2, EXAMPLES, Place(4), Hyper(0.05, 5, 3), steps=6, space=space)
    run = tuning.run()
    found = prompt_tuning(copied(tiny_gpt2), tuning.rows, run, space=space)
    own = train(gpt2, [tuning])
    assert own.losses[0] == pytest.approx(list(found.losses), abs=2e-4)
    assert own.losses[0][0] == pytest.approx(found.losses[0], abs=1e-5)
    assert np.ptp(own.losses[0]) > 1e-2 and own.seconds > 0
    # Every repeat begins anew, on the batches of before.
    assert train(gpt2, [tuning]).losses == own.losses
    assert tuning.run().batches == run.batches and len(run.batches) == 6
    assert tuning.known() == [0] * 30 and not tuning.first_lengths()


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2"])
def test_vectors_after_the_example_follow_the_loop_that_recomputes_it(
    name: str, fresh: Callable[..., LocalModel], request: Any
) -> None:
    model = fresh(name)
    long = [example for example in EXAMPLES if len(example.fields["text"]) > 30]
    tuning = OwnTuning(model, long, Place(3, after=True), Hyper(0.05, len(long), 3), steps=4)
    peer = soft_after_example(copied(request.getfixturevalue(name)), tuning.rows, tuning.run())
    assert train(model, [tuning]).losses[0] == pytest.approx(list(peer.losses), abs=2e-4)
    assert min(tuning.known()) >= 8
    assert sorted(tuning.known()[: len(long)]) == sorted(tuning.first_lengths())
    assert len(tuning.lengths()) == len(padded_lengths(tuning)) == 4 * len(long)
    assert max(tuning.lengths()) == padded_lengths(tuning)[0]


def test_a_peer_that_would_read_other_tokens_is_refused(causal: LocalModel) -> None:
    with pytest.raises(WorkError, match="not the same for both sides"):
        OwnTuning(causal, EXAMPLES, Place(3), Hyper(), steps=1)  # a start token in front


def test_a_pack_follows_separate_runs_and_peft(tiny_gpt2: Pair, gpt2: LocalModel) -> None:
    asked = options()
    tunings = packed_trials.trials(gpt2, EXAMPLES, asked)
    assert len({tuning.training.learning_rate for tuning in tunings}) == 3
    assert len({tuning.place.tokens for tuning in tunings}) > 1
    assert len({tuple(map(tuple, tuning.run().batches)) for tuning in tunings}) == 3
    found = packed_trials.compare(gpt2, copied(tiny_gpt2), tunings, asked)
    assert found.max_difference < 1e-4
    document = json.loads(json.dumps(found.document()))
    assert document.keys() >= MAIN and document["target"] == 2.2
    assert document["own_separate"]["max_difference"] < 1e-4
    assert len(document["own_separate"]["repeats"]) == 2 and document["own_separate"]["ratio"] > 0
    assert [len(one["losses"]["peer"]) for one in document["trials"]] == [3, 3, 3]
    assert document["flops_ratio"] > 1


@pytest.mark.parametrize("kind", soft_prompt.KINDS)
def test_the_rows_of_the_soft_prompt_benchmark(
    kind: str, tiny_gpt2: Pair, gpt2: LocalModel, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(soft_prompt, "sst2_examples", lambda count, seed: EXAMPLES)
    found = soft_prompt.compare(kind, gpt2, copied(tiny_gpt2), tiny_gpt2[1], options())
    assert found.max_difference < 1e-4 and found.target == (4.0 if kind == "after" else 2.0)
    report("soft_prompt", {kind: found}, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["comparisons"].values()
    assert row.keys() >= MAIN
    assert row["loss_normalised_over"] == ("vocabulary" if kind == "vocabulary" else "answers")
    assert len(row["losses"]["promptlab"]) == 3 and row["flops_ratio"] > 1
    assert largest_difference([row["losses"]["promptlab"]], [row["losses"]["peer"]]) < 1e-4
    assert (row["kept_tokens"] > 0) == (kind == "after")


def test_reviews_are_sentences_of_one_label(gpt2: LocalModel, monkeypatch: Any) -> None:
    monkeypatch.setattr(soft_prompt, "sst2_examples", lambda count, seed: EXAMPLES)
    found = soft_prompt.reviews(2, 30, 1, gpt2.tokenizer)
    labels = {example.fields["text"]: example.label for example in EXAMPLES}
    assert len(found) == 2
    for review in found:
        text = review.fields["text"]
        assert len(gpt2.tokenizer(text)["input_ids"]) <= 30
        assert sum(sentence in text for sentence in labels) > 1
        assert all(labels[s] == review.label for s in labels if s in text and len(s) > 30)
    with pytest.raises(InputError, match="has fewer"):
        soft_prompt.reviews(9, 30, 1, gpt2.tokenizer)
