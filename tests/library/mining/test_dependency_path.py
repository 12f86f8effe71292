"""The shortest path between two words of a tree, and the template that is read off it."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.corpus.entity_matcher import EntityMention
from promptlab.data.corpus.entity_pairs import PairOccurrence
from promptlab.library.mining.dependency_path import (
    DependencyTree,
    dependency_template,
    path_to_root,
    phrase_head,
    shortest_path,
)


def tree(text: str, heads: list[int]) -> DependencyTree:
    """A text whose words and signs are set off by blanks, with the head of each."""
    words = text.split()
    starts = [sum(len(word) + 1 for word in words[:number]) for number in range(len(words))]
    return DependencyTree(tuple(words), tuple(starts), tuple(heads))


def occurrence(text: str, subject: str, answer: str) -> PairOccurrence:
    first, second = text.index(subject), text.index(answer)
    return PairOccurrence(
        0,
        EntityMention(0, first, first + len(subject)),
        EntityMention(1, second, second + len(answer)),
    )


CAPITAL = "The capital of France is Paris"
"""The example of Jiang et al. 2020: France <-pobj of <-prep capital <-nsubj is ->attr Paris."""
HEADS = [1, 4, 1, 2, 4, 4]


def test_the_example_of_the_paper() -> None:
    assert shortest_path(HEADS, 3, 5) == [3, 2, 1, 4, 5]
    assert shortest_path(HEADS, 5, 3) == [5, 4, 1, 2, 3]
    found = dependency_template(
        tree(CAPITAL, HEADS), CAPITAL, occurrence(CAPITAL, "France", "Paris"), "x"
    )
    assert found == "capital of {x} is {mask}"


def test_what_stands_beside_the_path_is_left_out() -> None:
    # Paris -> city (attr of "is"); "of" and "France" hang on "capital"; the rest is no part of it.
    text = "Paris , which tourists love , is the busy capital of sunny France today"
    heads = [6, 0, 4, 4, 0, 0, 6, 9, 9, 6, 9, 12, 10, 6]
    found = dependency_template(tree(text, heads), text, occurrence(text, "France", "Paris"), "x")
    assert found == "{mask} is capital of {x}"


def test_names_of_several_words_are_one_slot() -> None:
    text = "Buenos Aires governs the Argentine Republic"
    heads = [1, 2, 2, 5, 5, 2]
    found = dependency_template(
        tree(text, heads), text, occurrence(text, "Argentine Republic", "Buenos Aires"), "x"
    )
    assert found == "{mask} governs {x}"
    assert phrase_head(heads, range(4, 6)) == 5


def test_blanks_are_as_in_the_sentence() -> None:
    # "France's Paris": the ending hangs on France, Paris is its head.
    text = "France's Paris"
    whole = DependencyTree(("France", "'s", "Paris"), (0, 6, 9), (1, 2, 2))
    found = dependency_template(whole, text, occurrence(text, "France", "Paris"), "x")
    assert found == "{x}'s {mask}"


def test_without_a_path_there_is_no_template() -> None:
    text = "Paris shines France sleeps"
    two = tree(text, [1, 1, 3, 3])
    assert shortest_path(two.heads, 0, 2) is None
    assert dependency_template(two, text, occurrence(text, "France", "Paris"), "x") is None
    joined = DependencyTree(("Paris-France",), (0,), (0,))
    text = "Paris-France"
    assert dependency_template(joined, text, occurrence(text, "France", "Paris"), "x") is None


def test_heads_in_a_circle_are_no_tree() -> None:
    with pytest.raises(ValueError, match="circle"):
        path_to_root([1, 0], 0)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.data())
def test_as_a_search_through_the_whole_graph_finds_it(
    drawn: list[int], data: st.DataObject
) -> None:
    heads = [number if not number else draw % number for number, draw in enumerate(drawn)]
    places = st.integers(0, len(heads) - 1)
    first, second = data.draw(places), data.draw(places)
    assert shortest_path(heads, first, second) == breadth_first(heads, first, second)


def breadth_first(heads: list[int], first: int, second: int) -> list[int]:
    waiting, before = deque([first]), {first: first}
    while waiting:
        word = waiting.popleft()
        others = [heads[word], *(child for child, head in enumerate(heads) if head == word)]
        for other in others:
            if other not in before:
                before[other] = word
                waiting.append(other)
    path = [second]
    while path[-1] != first:
        path.append(before[path[-1]])
    return path[::-1]
