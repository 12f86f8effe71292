"""What a candidate adds to a vote, worked by hand."""

from __future__ import annotations

import random

import pytest

from promptlab.tuning.instruction_search.voting import vote_accuracy, vote_shares


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
    shares = vote_shares(answers, "aaaa", 3, 10, random.Random(2))
    assert shares == {1: 0.0, 2: 0.0, 3: 0.0}
    complete = {1: "aab", 2: "aba", 3: "baa"}
    shares = vote_shares(complete, "aaa", 3, 10, random.Random(2))
    assert all(share == pytest.approx(1 / 3) for share in shares.values())  # a pair has two right


def test_alone_and_among_nobody() -> None:
    assert vote_shares({1: "ab"}, "aa", 3, 5, random.Random(1)) == {1: 0.0}
    assert vote_shares({}, "", 3, 5, random.Random(1)) == {}
