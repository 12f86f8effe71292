"""Self-consistency: votes, their order, early stopping, and exact posteriors."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError, NotFittedError
from promptlab.predictors.base import load
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.model_calls import StrategyResult
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import NumberParser, TextParser
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from promptlab.strategies.self_consistency.stopping import (
    beta_confidence,
    dirichlet_confidence,
    should_stop,
)
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.strategies.self_consistency.voting import (
    SampledAnswer,
    cluster_vote,
    log_shares,
    majority_vote,
    overlap,
    overlap_vote,
    weighted_vote,
    winner,
)
from tests.conftest import wrapped
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tiny_models import Pair

WARM = Decoding(max_tokens=8, temperature=1.0)


def says(*replies: str) -> Callable[[str, int], str]:
    return lambda prompt, sample: replies[sample % len(replies)]


def consistent(model: ScriptedModel, **options: Any) -> SelfConsistency:
    inner = PromptGenerator("{text} {mask}", TextParser(), model, decoding=WARM)
    return SelfConsistency(inner, **options)


def example(text: str = "q", label: str | None = None) -> Example:
    return Example(text, {"text": text}, label)


def test_the_majority_wins_and_its_share_is_told() -> None:
    model = ScriptedModel(says("a", "b", "b", "c", "b"))
    (found,) = consistent(model, samples=5).predict([example(label="b")])
    assert (found.label, found.correct) == ("b", True)
    assert found.trace["votes"] == {"a": 1, "b": 3, "c": 1}
    assert (found.trace["samples"], found.trace["drawn"]) == (5, 5)
    assert found.scores == pytest.approx(
        {"a": math.log(0.2), "b": math.log(0.6), "c": math.log(0.2)}
    )
    assert [n for _, n in model.calls[0]] == [0, 1, 2, 3, 4]
    names = [step["name"] for step in found.trace["steps"]]
    assert (names.count("sample"), names.count("answer")) == (5, 5)


def test_a_second_solution_draws_other_samples() -> None:
    model = ScriptedModel(says("a"))
    inner = consistent(model, samples=2)
    outer = SelfConsistency(inner, samples=2)
    assert outer.predict([example()]).labels == ["a"]
    assert sorted(n for _, n in model.calls[0]) == [0, 1, 2, 3]


def test_ties_go_to_the_likelier_then_to_the_first() -> None:
    assert winner({"a": 2, "b": 2}, [SampledAnswer("a", 0.1), SampledAnswer("b", 0.4)]) == "b"
    assert winner({"a": 2, "b": 2}, [SampledAnswer("b"), SampledAnswer("a")]) == "b"
    assert winner({"a": 2, "b": 3}, [SampledAnswer("a", 0.9), SampledAnswer("b", 0.1)]) == "b"


def test_weights_are_probabilities_by_token() -> None:
    one = SampledAnswer.of(StrategyResult("a", logprob=-4.0, tokens=8))
    assert one.weight == pytest.approx(math.exp(-0.5))
    assert SampledAnswer.of(StrategyResult("a", logprob=None, tokens=8)).weight is None
    ballots = [SampledAnswer("a", 0.2), SampledAnswer("b", 0.9), SampledAnswer("a", 0.3)]
    assert weighted_vote(ballots) == pytest.approx({"a": 0.5, "b": 0.9})
    with pytest.raises(InputError, match="does not tell it; use vote majority"):
        weighted_vote([SampledAnswer("a")])
    (found,) = consistent(ScriptedModel(says("a", "b")), samples=3, vote="weighted").predict(
        [example()]
    )
    assert found.label == "a"
    assert found.trace["weighted"] == pytest.approx({"a": 2 * math.exp(-0.1), "b": math.exp(-0.1)})


def test_overlap_chooses_what_agrees_with_most() -> None:
    ballots = [
        SampledAnswer("the cat sat on the mat"),
        SampledAnswer("a cat sat on a mat"),
        SampledAnswer("the cat sat on a mat"),
        SampledAnswer("dogs bark"),
    ]
    totals = overlap_vote(ballots)
    assert winner(totals, ballots) == "the cat sat on a mat"
    assert totals["dogs bark"] == 0.0
    assert overlap("a b", "a b") == 1.0
    assert overlap("a b", "a c") == pytest.approx((0.5 + 0.0) / 2)
    assert overlap("a", "a") == 1.0
    assert (overlap("!", "!"), overlap("!", "?")) == (1.0, 0.0)
    assert overlap_vote(ballots[:1]) == {ballots[0].label: 1.0}
    model = ScriptedModel(says("one two three", "nine", "one two four"))
    (found,) = consistent(model, samples=3, vote="overlap").predict([example()])
    assert found.label == "one two three"
    lonely = ScriptedModel(says("x", "y"))
    (found,) = consistent(lonely, samples=2, vote="overlap").predict([example()])
    assert (found.label, found.scores) == ("x", {"x": -math.log(2), "y": -math.log(2)})


def test_clusters_are_chains_of_like_answers() -> None:
    ballots = [SampledAnswer(name) for name in "abcda"]
    cosines = np.eye(5)
    for i, j, value in [(1, 2, 0.8), (2, 3, 0.9), (1, 3, 0.5)]:
        cosines[i, j] = cosines[j, i] = value
    assert cluster_vote(ballots, cosines, 0.7) == {"a": 2.0, "c": 3.0}
    assert cluster_vote(ballots, cosines, 0.95) == {"a": 2.0, "b": 1.0, "c": 1.0, "d": 1.0}


def test_shares_of_known_labels_are_all_there() -> None:
    found = log_shares({"b": 3.0}, ("a", "b"))
    assert list(found) == ["a", "b"]
    assert sum(map(math.exp, found.values())) == pytest.approx(1.0)
    assert found["b"] > -0.01
    assert majority_vote([SampledAnswer("a"), SampledAnswer("b"), SampledAnswer("a")]) == {
        "a": 2.0,
        "b": 1.0,
    }


def test_beta_is_the_binomial_sum() -> None:
    for first, second in itertools.product(range(6), repeat=2):
        # brute force over all tosses of a coin after which the posterior is a count
        tosses = itertools.product((0, 1), repeat=first + second + 1)
        wanted = [sum(toss) <= first for toss in tosses]
        assert beta_confidence(first, second) == pytest.approx(sum(wanted) / len(wanted))
    assert [beta_confidence(n, 0) for n in (1, 2, 3, 4)] == [0.75, 0.875, 0.9375, 0.96875]


@pytest.mark.parametrize("counts", [(3,), (2, 1), (4, 2, 1), (3, 3), (5, 1, 1)])
def test_dirichlet_is_the_sum_over_the_simplex(counts: Sequence[int]) -> None:
    shapes = [n + 1 for n in (*counts, 0)]
    assert dirichlet_confidence(counts) == pytest.approx(brute(shapes), abs=2e-3)
    assert dirichlet_confidence(list(reversed(counts))) == dirichlet_confidence(counts)


def brute(shapes: Sequence[int], points: int = 4000) -> float:
    """P(first Gamma variable is the largest), summed over a fine grid."""
    top = 40.0
    x = (np.arange(points) + 0.5) * top / points
    density = x ** (shapes[0] - 1) * np.exp(-x) / math.factorial(shapes[0] - 1)
    below = np.ones(points)
    for shape in shapes[1:]:
        terms = [x**k / math.factorial(k) for k in range(shape)]
        below *= 1 - np.exp(-x) * np.sum(terms, axis=0)
    return float((density * below).sum() * top / points)


def test_dirichlet_agrees_with_draws_and_with_beta() -> None:
    draws = np.random.default_rng(0).dirichlet([5, 3, 2, 1], size=200_000)
    assert dirichlet_confidence([4, 2, 1]) == pytest.approx(
        (draws.argmax(axis=1) == 0).mean(), abs=5e-3
    )
    assert dirichlet_confidence([2]) == pytest.approx(beta_confidence(2, 0))
    assert 0 < dirichlet_confidence([1] * 30) < 0.1


def test_decided() -> None:
    assert not should_stop({}, 5, "beta", 0.95)
    assert not should_stop({"a": 9}, 9, "none", 0.95)
    assert should_stop({"a": 3}, 2, "certain", 0.95)
    assert not should_stop({"a": 3, "b": 1}, 2, "certain", 0.95)  # b could draw level
    assert should_stop({"a": 4}, 30, "beta", 0.95)
    assert not should_stop({"a": 3}, 30, "beta", 0.95)
    assert should_stop({"a": 3}, 1, "beta", 0.95)
    assert should_stop({"a": 5}, 30, "dirichlet", 0.95)
    assert not should_stop({"a": 4, "b": 3}, 30, "dirichlet", 0.95)


def test_certain_stopping_saves_samples_and_never_changes_the_majority() -> None:
    source = random.Random(5)
    saved = 0
    for _ in range(60):
        replies = [source.choice("aaabc") for _ in range(9)]
        whole = consistent(ScriptedModel(says(*replies)), samples=9)
        early = consistent(ScriptedModel(says(*replies)), samples=9, adaptive="certain")
        (one,), (two,) = whole.predict([example()]), early.predict([example()])
        assert one.label == two.label
        saved += 9 - two.trace["samples"]
    assert saved > 60


@pytest.mark.parametrize("rule", ["beta", "dirichlet", "certain"])
def test_early_stopping_is_the_same_in_any_wave_and_batch(rule: Any) -> None:
    source = random.Random(7)
    table = {name: [source.choice("aaaabc") for _ in range(12)] for name in "uvwxyz"}

    def found(wave: int | None, names: str) -> list[tuple[Any, ...]]:
        model = ScriptedModel(lambda prompt, sample: table[prompt[0]][sample])
        strategy = consistent(model, samples=12, adaptive=rule, wave=wave)
        rows = strategy.predict([example(name) for name in names])
        return [(row.label, row.trace["samples"], row.trace["votes"], row.scores) for row in rows]

    alone = [found(None, name)[0] for name in "uvwxyz"]
    assert found(None, "uvwxyz") == alone
    assert found(5, "uvwxyz") == alone
    assert found(12, "uvwxyz") == alone
    assert any(used < 12 for _, used, _, _ in alone)


def test_late_samples_of_a_wave_are_drawn_but_not_counted() -> None:
    model = ScriptedModel(says("a", "a", "a", "a", "b", "b"))
    (found,) = consistent(model, samples=20, adaptive="beta", wave=6).predict([example()])
    assert (found.trace["samples"], found.trace["drawn"]) == (4, 6)
    assert found.trace["votes"] == {"a": 4}
    late = [s for s in found.trace["steps"] if s.get("notes", {}).get("counted") is False]
    assert len(late) == 2


def test_failed_and_unparsed_solutions_have_no_vote() -> None:
    model = ScriptedModel(says("!busy", "x", "7", "8", "8"))
    inner = PromptGenerator("{text} {mask}", NumberParser(), model, decoding=WARM)
    (found,) = SelfConsistency(inner, samples=5).predict([example()])
    assert (found.label, found.trace["votes"]) == ("8", {"7": 1, "8": 2})
    assert (found.trace["failed"], found.trace["samples"]) == (1, 5)
    silent = PromptGenerator(
        "{text} {mask}", NumberParser(), ScriptedModel(says("x")), decoding=WARM
    )
    (none,) = SelfConsistency(silent, samples=3).predict([example()])
    assert (none.label, none.unparsed, none.scores) == (None, True, None)
    assert none.trace["votes"] == {}
    (failed,) = consistent(ScriptedModel(says("!busy")), samples=2).predict([example()])
    assert failed.error == "busy"


def test_around_scored_reasoning_all_labels_have_a_share() -> None:
    model = ScriptedModel(
        says(" warm", " cold", " warm"),
        lambda prompt, answer: 0.0 if ("warm" in prompt) == (answer == "yes") else -5.0,
    )
    inner = ChainOfThought(
        "{text} {mask}", model, verbalizer={"yes": "yes", "no": "no", "so": "so"}, decoding=WARM
    )
    strategy = SelfConsistency(inner, samples=3)
    (found,) = strategy.predict([example()])
    assert found.label == "yes"
    assert list(found.scores or {}) == ["yes", "no", "so"]
    assert strategy.predict_proba([example()])[0].sum() == pytest.approx(1.0)
    assert strategy.decodings == (WARM,)


def test_what_is_refused() -> None:
    model = ScriptedModel()
    greedy = PromptGenerator("{text} {mask}", TextParser(), model)
    with pytest.raises(
        InputError, match=r"temperature is 0 .* set the inner decoding's temperature"
    ):
        SelfConsistency(greedy)
    assert SelfConsistency(greedy, samples=1).predict([]).labels == []
    for options, told in [
        ({"vote": "loudest"}, "unknown vote 'loudest'"),
        ({"adaptive": "soon"}, "unknown adaptive 'soon'"),
        ({"samples": 0}, "samples is 0"),
        ({"wave": 0}, "wave 0"),
        ({"threshold": 0.4}, "threshold is 0.4"),
        ({"adaptive": "beta", "vote": "overlap"}, "vote is overlap; use vote majority"),
    ]:
        with pytest.raises(InputError, match=told):
            consistent(model, **options)
    with pytest.raises(CapabilityError, match="gives no vectors"):
        consistent(model, vote="semantic")


def test_a_real_model_votes_the_same_in_any_batch_and_after_loading(
    tiny_causal: Pair, tmp_path: Any
) -> None:
    model = wrapped(tiny_causal, "tiny-causal")
    inner = PromptGenerator("{text} It was {mask}", TextParser(), model, decoding=WARM)
    strategy = SelfConsistency(inner, samples=4, vote="semantic", similarity=0.5)
    rows = [example("the film"), example("a dull plot"), example("soup")]
    with pytest.raises(NotFittedError, match="semantic votes"):
        strategy.predict(rows)
    strategy.fit([example("x", "great"), example("y", "terrible"), example("z", "good")])
    whole = strategy.predict(rows)
    alone = [strategy.predict([row])[0] for row in rows]
    assert whole.labels == [row.label for row in alone]
    assert [row.trace["votes"] for row in whole] == [row.trace["votes"] for row in alone]
    strategy.save(tmp_path)
    again = load(tmp_path, wrapped(tiny_causal, "tiny-causal"))
    assert again.settings() == strategy.settings()
    assert again.predict(rows).labels == whole.labels
