"""What proposals are made from, by what was judged."""

from __future__ import annotations

import random
from typing import Any

import pytest

from promptlab.tuning.instruction_search.judged import JudgedInstruction, penalised_signals
from promptlab.tuning.instruction_search.parents import draw_by_share, pareto_shares
from promptlab.tuning.instruction_search.recipes import RecipeBook
from promptlab.tuning.instruction_search.requests import Method


def judged(number: int, text: str, right: str, **rest: Any) -> JudgedInstruction:
    correct = tuple(mark == "1" for mark in right)
    value = sum(correct) / max(1, len(correct))
    return JudgedInstruction(number, "mood", text, value, correct, **rest)


POOL = [
    judged(0, "", "1100"),
    judged(1, "calm", "1110", parents=(0,)),
    judged(2, "brisk", "0001", parents=(0,)),
]


@pytest.mark.parametrize(
    ("method", "count", "made"),
    [
        ("induction", 0, "induction"),
        ("trajectory", 1, "trajectory"),
        ("reflection", 1, "reflection"),
        ("crossover", 2, "crossover"),
        ("differential", 3, "differential"),
    ],
)
def test_methods_need_others_to_be_made_from(method: Method, count: int, made: str) -> None:
    book = RecipeBook(seed=1)
    assert book.make(method, POOL[:count], 5).method == made
    if count:
        recipe = book.make(method, POOL[: count - 1], 5)
        assert recipe.method == "induction"
        assert recipe.fallback.startswith(f"instead of {method}: it needs {count} different")
        assert recipe.made_from["because"].endswith(f"{count - 1} were judged")


def test_differential_has_a_base_the_best_and_two_donors() -> None:
    pool = [*POOL, judged(3, "plain", "0000")]
    for number in range(30):
        made = RecipeBook(seed=1).make("differential", pool, number).made_from
        base, best, *donors = [parent["trial"] for parent in made["parents"]]
        assert best == 1 and base in (1, 2)
        assert len(set(donors)) == 2 and base not in donors


def test_a_merge_or_the_reason_why_there_is_none() -> None:
    pool = [
        judged(0, "seed", "1000"),
        judged(1, "calm", "1110", parents=(0,)),
        judged(2, "seed", "0001", parents=(0,), demonstrations=("a",)),
    ]
    book = RecipeBook(seed=1, demonstrations=2, example_words={"a": 3, "b": 4})
    # 2 is worse than the ancestor? Both have one right of four: it is not.
    recipe = book.make("merge", pool, 4)
    assert recipe.method == "merge" and not recipe.fallback
    assert recipe.made_from["instruction"] == "calm" and recipe.made_from["examples"] == ["a"]
    assert recipe.made_from["ancestor"] == 0
    none = book.make("merge", pool[:2], 4)
    assert none.method == "reflection"
    assert none.fallback == (
        "instead of merge: no two leading prompts of one ancestor have changed different parts"
    )
    alone = RecipeBook(seed=1).make("merge", pool[:2], 4)
    assert alone.fallback.endswith(
        "with demonstrations: 0 a prompt has one part alone, its instruction"
    )


def test_demonstrations_are_inherited_with_a_change() -> None:
    words = dict.fromkeys("abcdef", 5)
    book = RecipeBook(seed=1, demonstrations=3, example_words=words)
    pool = [judged(0, "calm", "11", demonstrations=("a", "b")), judged(1, "brisk", "10")]
    for number in range(40):
        shown = (made := book.make("trajectory", pool, number).made_from)["examples"]
        assert len(shown) <= 3 and set(shown) <= set(words)
        assert abs(len(shown) - 2) <= 1 and made["change"] in ("added", "removed", "shuffled")
    kept = book.make("reflection", pool[:1], 3).made_from
    assert kept["examples"] == kept["parents"][0]["demonstrations"] == ["a", "b"]
    counts = {len(book.make("induction", [], n).made_from["examples"]) for n in range(60)}
    assert counts == {0, 1, 2, 3}
    assert "examples" not in RecipeBook(seed=1).make("induction", [], 1).made_from


def test_a_longer_prompt_loses_on_every_example() -> None:
    pool = [judged(1, "a b", "11", demonstrations=("x",)), judged(2, "a", "11")]
    assert penalised_signals(pool, "objective", 0.05, [10, 5]) == {
        1: (0.95, 0.95),
        2: (0.975, 0.975),
    }
    book = RecipeBook(seed=1, demonstrations=1, example_words={"x": 8}, length_penalty=0.05)
    assert book.shares(pool, random.Random(1)) == {1: 0.0, 2: 2.0}
    assert RecipeBook(seed=1).shares(pool, random.Random(1)) == {1: 2.0, 2: 0.0}  # the first


def test_probabilities_tell_apart_what_is_right_alike() -> None:
    pool = [
        judged(1, "calm", "11", probabilities=(0.6, 0.9)),
        judged(2, "brisk", "11", probabilities=(0.7, 0.8)),
    ]
    even = RecipeBook(seed=1).shares(pool, random.Random(1))
    assert even == {1: 2.0, 2: 0.0}
    apart = RecipeBook(seed=1, signal="probability").shares(pool, random.Random(1))
    assert apart == {1: 1.0, 2: 1.0}


def test_who_is_beaten_by_a_whole_population_is_no_parent() -> None:
    pool = [judged(1, "good", "1" * 40), judged(2, "bad", "0" * 39 + "1")]
    shares = RecipeBook(seed=1, population=1).shares(pool, random.Random(1))
    assert shares == {1: 40.0}
    # crossed with another instruction all the same, where the race has left one alone
    made = RecipeBook(seed=1, population=1).make("crossover", pool, 3).made_from
    assert [parent["trial"] for parent in made["parents"]] == [1, 2]
    few = [judged(1, "good", "111"), judged(2, "other", "001")]
    assert RecipeBook(seed=1, population=1).shares(few, random.Random(1))[1] == 3.0


def test_parents_for_the_vote_are_those_that_complete_it() -> None:
    targets = tuple("aaa")
    pool = [
        judged(n, text, "110", labels=tuple(said), targets=targets)
        for n, text, said in ((1, "one", "aab"), (2, "two", "aab"), (3, "three", "bba"))
    ]
    shares = RecipeBook(seed=1, parents="vote", members=2).shares(pool, random.Random(1))
    assert shares[3] == 0.0  # a vote of two goes by its first
    complete = [
        judged(n, text, "110", labels=tuple(said), targets=targets)
        for n, text, said in ((1, "one", "aab"), (2, "two", "aba"), (3, "three", "baa"))
    ]
    shares = RecipeBook(seed=1, parents="vote", members=3).shares(complete, random.Random(1))
    assert all(share > 0 for share in shares.values())


def test_equal_numbers_give_equal_recipes() -> None:
    words = dict.fromkeys("abcdef", 5)
    book = RecipeBook(seed=9, demonstrations=3, example_words=words, population=2)
    methods: tuple[Method, ...] = ("reflection", "crossover", "merge", "trajectory", "induction")
    for method in methods:
        assert book.make(method, POOL, 7) == book.make(method, POOL, 7)
    assert book.make("trajectory", POOL, 7) != book.make("trajectory", POOL, 8)


def test_a_vote_to_which_nobody_adds_does_not_bring_back_who_has_lost() -> None:
    right, wrong, targets = ("a",) * 40, ("b",) * 40, ("a",) * 40
    pool = [
        judged(1, "good", "1" * 40, labels=right, targets=targets),
        judged(2, "as good", "1" * 40, labels=right, targets=targets),
        judged(3, "bad", "0" * 40, labels=wrong, targets=targets),
    ]
    book = RecipeBook(seed=1, parents="vote", population=1)
    assert book.shares(pool, random.Random(1)) == {1: 0.0, 2: 0.0}
    drawn = {book.make("reflection", pool, n).made_from["parents"][0]["trial"] for n in range(30)}
    assert drawn == {1, 2}


def test_for_the_vote_by_probability() -> None:
    pool = [
        judged(n, text, "10", labels=("a", "b"), targets=("a", "a"), probabilities=given)
        for n, text, given in (
            (1, "one", (0.9, 0.1)), (2, "two", (0.9, 0.1)), (3, "three", (0.6, 0.4)),
        )
    ]  # fmt: skip
    votes = RecipeBook(seed=1, parents="vote").shares(pool, random.Random(1))
    assert set(votes.values()) == {0.0}  # all say the same
    surer = RecipeBook(seed=1, parents="vote", signal="probability")
    shares = surer.shares(pool, random.Random(1))
    assert shares[3] > 0 == shares[1] == shares[2]


def test_without_further_settings_parents_are_drawn_as_ever() -> None:
    """The draws of the first version: by Pareto shares, a second parent of another instruction."""
    pool = [*POOL, judged(3, "plain", "0110"), judged(4, "calm", "1010")]
    by_number = {one.number: one for one in pool}
    for number in range(60):
        chance = random.Random(f"13 {number}")
        led = pareto_shares({one.number: one.correct for one in pool})
        shares = {one.number: led.get(one.number, 0) for one in pool}
        first = by_number[draw_by_share(shares, chance)]
        others = {n: s for n, s in shares.items() if by_number[n].instruction != first.instruction}
        second = by_number[draw_by_share(others, chance)]
        told = [
            {"trial": one.number, "instruction": one.instruction, "value": one.value}
            for one in (first, second)
        ]
        book = RecipeBook(seed=13)
        assert book.make("reflection", pool, number).made_from == {"parents": told[:1]}
        assert book.make("crossover", pool, number).made_from == {"parents": told}
