"""Candidates that a paired test shows to be worse than the best one are given up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptlab.errors import StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Warned
from promptlab.study.folder.saved_predictions import read_trial_predictions
from promptlab.study.trials.sequential_pruner import (
    ALPHA,
    SUPPORT,
    SequentialPruner,
    is_shown_worse,
)
from tests.helpers.study_run_fixtures import start  # noqa: F401 - a fixture

LABELS = ("negative", "positive")


def with_right(rows: Predictions, right: Callable[[int, bool], bool]) -> Predictions:
    """The same rows, right where ``right`` of place and of what they were says so."""
    made = []
    for place, row in enumerate(rows):
        other = LABELS[LABELS.index(str(row.target)) - 1]
        made.append(
            replace(row, label=row.target if right(place, row.correct) else other, unparsed=False)
        )
    return Predictions(made)


@pytest.fixture
def raced(start: Callable[..., Any]) -> tuple[Any, Predictions]:
    """A finished study's context, and the predictions of its best trial, all made right."""
    run, _ = start(budget={"trials": 2}, sampler="random")
    run.run()
    context = run.context
    best = max(context.study.trials, key=lambda trial: (trial.values[0], -trial.number))
    return context, read_trial_predictions(context.folder, context.study, best)


def test_as_good_is_not_given_up(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    assert not SequentialPruner(context).should_prune(best)
    better = with_right(best, lambda place, right: True)
    assert not SequentialPruner(context).should_prune(better)


def test_worse_is_given_up_once_it_is_shown(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    worse = with_right(best, lambda place, right: False)
    lost = [place for place, right in enumerate(best.correct) if right]
    pruner = SequentialPruner(context)
    moments = [n for n in range(1, len(best) + 1) if pruner.should_prune(worse[:n])]
    assert moments, "30 examples, of which the best one has half right, show it"
    seen = sum(place < moments[0] for place in lost)
    assert seen == 7  # the mean wealth of the stakes is 17.4 after six losses, 30.3 after seven
    assert moments == list(range(moments[0], len(best) + 1))


def test_without_a_complete_trial_nobody_is_given_up(
    raced: tuple[Any, Predictions], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, best = raced
    monkeypatch.setattr(type(context.history), "finished", property(lambda history: []))
    assert not SequentialPruner(context).should_prune(with_right(best, lambda *_: False))


def test_a_text_that_repeats_counts_once(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    first = context.examples[0]
    same = [replace(example, fields=first.fields) for example in context.examples]
    repeated = replace(context, examples=same)
    worse = with_right(best, lambda place, right: False)
    assert SequentialPruner(context).should_prune(worse)
    assert not SequentialPruner(repeated).should_prune(worse)


def test_a_study_prunes_by_it(start: Callable[..., Any]) -> None:
    run, _ = start(pruner="sequential", sampler="random", block=3)
    board = run.run()
    pruned = [row for row in board["trials"] if row["state"] == "pruned"]
    assert all("pruned after" in row["reason"] for row in pruned)
    assert board["best"]["dev"]["n"] == 30


@pytest.mark.parametrize("objective", ["macro_f1", "tokens"])
def test_objectives_without_values_of_examples_are_refused(
    start: Callable[..., Any], objective: str
) -> None:
    run, _ = start(pruner="sequential", objectives=[objective])
    with pytest.raises(StudyError, match=f"{objective} has none; use wilcoxon"):
        run.run()


def test_several_objectives_prune_nobody_and_say_so(start: Callable[..., Any]) -> None:
    run, heard = start(pruner="sequential", objectives=["accuracy", "tokens"], budget={"trials": 2})
    run.run()
    said = [event.message for event in heard.events if isinstance(event, Warned)]
    assert any("gives nobody up" in message for message in said)


def test_whom_others_are_compared_with_is_judged_to_the_end(
    start: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SequentialPruner, "should_prune", lambda pruner, rows: True)
    run, _ = start(pruner="sequential", baseline="template", block=10)
    board = run.run()
    states = {row["state"] for row in board["trials"] if row["kind"] == "template"}
    others = {row["state"] for row in board["trials"] if row["kind"] == "demonstrations"}
    assert states == {"complete"} and others == {"pruned"}


def with_probability(rows: Predictions, probability: float) -> Predictions:
    """The same labels, and so much for the right one."""
    made = []
    for row in rows:
        right = str(row.target)
        other = LABELS[LABELS.index(right) - 1]
        scores = {right: math.log(probability), other: math.log(1 - probability)}
        made.append(replace(row, scores=scores))
    return Predictions(made)


def by_probability(context: Any) -> Any:
    return replace(context, spec=context.spec.model_copy(update={"pruner_signal": "probability"}))


def moments(context: Any, best: Predictions, worse: Predictions) -> list[int]:
    """After how many examples ``worse`` would be given up, against ``best`` as the best one."""
    pruner = SequentialPruner(context)
    pruner._predictions = lambda trial: best  # type: ignore[method-assign]
    return [n for n in range(1, len(best) + 1) if pruner.should_prune(worse[:n])]


def test_probabilities_decide_sooner(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    lost = [place for place, right in enumerate(best.correct) if right]
    sure = with_probability(best, 0.9)
    unsure = with_probability(with_right(best, lambda *_: False), 0.1)
    first = moments(by_probability(context), sure, unsure)[0]
    # The mean wealth of the stakes is 3.7 after three losses, 6.1 after four; .2 asks for 5.
    assert first == max(lost[3] + 1, 8)  # seven differences of -.8 have a wealth of 16, eight of 26
    assert first < moments(context, sure, unsure)[0]


def test_less_sure_and_as_often_right_is_not_given_up(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    sure, unsure = with_probability(best, 0.99), with_probability(best, 0.01)
    assert moments(by_probability(context), sure, unsure) == []


def test_what_was_not_scored_is_compared_by_the_objective(raced: tuple[Any, Predictions]) -> None:
    context, best = raced
    worse = with_right(best, lambda *_: False)
    unscored = Predictions(replace(row, scores=None) for row in worse)
    found = moments(by_probability(context), best, unscored)
    assert found and found == moments(context, best, worse)


def test_how_often_equals_are_given_up() -> None:
    """As often right: a fifth at most if less sure, and a twentieth if as sure."""
    chance = np.random.default_rng(3)
    lost = {"less sure": 0, "as sure": 0}
    for _ in range(400):
        objective = chance.choice([-1.0, 0.0, 1.0], size=120, p=[0.15, 0.7, 0.15])
        noise = chance.uniform(-0.3, 0.3, size=120)
        lost["less sure"] += is_shown_worse(list(objective), list(noise - 0.3))
        lost["as sure"] += is_shown_worse(list(objective), list(noise + 0.2 * objective))
    assert 0 < lost["less sure"] <= 400 * SUPPORT
    assert lost["as sure"] <= 400 * ALPHA


def test_a_study_races_by_probability(start: Callable[..., Any]) -> None:
    run, _ = start(pruner="sequential", pruner_signal="probability", sampler="random", block=3)
    assert run.run()["best"]["dev"]["n"] == 30
    assert run.spec.document()["pruner_signal"] == "probability"


def test_the_signal_is_of_the_sequential_pruner_alone(start: Callable[..., Any]) -> None:
    run, _ = start(pruner="median", pruner_signal="probability")
    with pytest.raises(StudyError, match="only pruner: sequential compares by probability"):
        run.run()
    plain, _ = start(pruner="sequential")
    assert "pruner_signal" not in plain.spec.document()  # hashes of earlier studies stay
