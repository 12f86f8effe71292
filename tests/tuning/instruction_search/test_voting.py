"""What a candidate adds to a vote, worked by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from promptlab.tuning.instruction_search.voting import (
    Answers,
    mean_quality,
    vote_accuracy,
    vote_shares,
)


def votes(targets: Answers) -> Callable[[Sequence[Answers]], float]:
    return lambda group: vote_accuracy(group, targets)


def test_votes_by_hand() -> None:
    three = ["aab", "aba", "baa"]
    assert vote_accuracy(three, "aaa") == 1.0  # each is right on two, their vote on all
    assert vote_accuracy(three[:1], "aaa") == pytest.approx(2 / 3)
    assert vote_accuracy(["ab", "ba"], "aa") == 0.5  # of two the first one decides
    assert vote_accuracy([[None, "a"], ["b", None]], ["b", "a"]) == 1.0
    assert vote_accuracy([[None]], ["a"]) == 0.0
    assert vote_accuracy([], "a") == 0.0 and vote_accuracy(["", ""], "") == 0.0


def test_who_completes_a_vote_has_a_share_and_who_repeats_has_none() -> None:
    """1, 2 and 3 are right on the same two of four; 4 on the other two, and adds to any of them."""
    answers = {1: "aabb", 2: "aabb", 3: "aabb"}
    shares = vote_shares(answers, votes("aaaa"), 3, 10, random.Random(2))
    assert shares == {1: 0.0, 2: 0.0, 3: 0.0}
    complete = {1: "aab", 2: "aba", 3: "baa"}
    shares = vote_shares(complete, votes("aaa"), 3, 10, random.Random(2))
    assert all(share == pytest.approx(1 / 3) for share in shares.values())  # a pair has two right


def test_alone_and_among_nobody() -> None:
    assert vote_shares({1: "ab"}, votes("aa"), 3, 5, random.Random(1)) == {1: 0.0}
    assert vote_shares({}, votes(""), 3, 5, random.Random(1)) == {}


def test_mean_probabilities_by_hand() -> None:
    """1 - (1 - p)² of each example's mean: .64 and .64 for .4 twice; .75 and 0 for .5 and 0."""
    assert mean_quality([[0.2, 0.8], [0.6, 0.0]]) == pytest.approx(1 - 0.6**2)
    assert mean_quality([[0.5, 0.0]]) == pytest.approx(0.75 / 2)
    assert mean_quality([]) == 0.0


def test_who_is_sure_where_others_are_not_has_the_largest_share() -> None:
    """All have the mean .5, and no vote changes: only probabilities tell 3 apart."""
    given = {1: [0.9, 0.1], 2: [0.9, 0.1], 3: [0.1, 0.9]}
    shares = vote_shares(given, mean_quality, 3, 10, random.Random(2))
    # with 1 and 2: means 19/30 and 11/30 in the place of .9 and .1
    gain = (1 - (11 / 30) ** 2 + 1 - (19 / 30) ** 2) / 2 - (1 - 0.1**2 + 1 - 0.9**2) / 2
    assert shares[3] == pytest.approx(gain) and gain > 0
    assert shares[1] == shares[2] == 0.0  # the mean of 3 and the other one was .5 already
