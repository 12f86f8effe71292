"""Beam search over holes, on a decoder whose probabilities are written down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
import torch

from promptlab.engine.generation.shared_decoder import SharedDecoder
from promptlab.tuning.infilling.beam_search import Filling, search_fillings

A, B, SEPARATOR, END = range(4)
CONTEXTS = (
    {(): (0.6, 0.2, 0.1, 0.1), "else": (0.2, 0.2, 0.3, 0.3)},
    {(): (0.1, 0.5, 0.2, 0.2), "else": (0.1, 0.3, 0.3, 0.3)},
)
"""Two contexts: what follows nothing, and what follows anything."""


class WrittenDown(SharedDecoder):
    """Sums the logarithms of `CONTEXTS`."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, ...]] = [()]

    def begin(self) -> torch.Tensor:
        self.texts = [()]
        return self._sums()

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> torch.Tensor:
        self.texts = [(*self.texts[p], t) for p, t in zip(parents, tokens, strict=True)]
        return self._sums()

    def _sums(self) -> torch.Tensor:
        rows = []
        for text in self.texts:
            tables = [c.get(text, c["else"]) for c in CONTEXTS]  # type: ignore[call-overload]
            rows.append([sum(math.log(t[n]) for t in tables) for n in range(4)])
        return torch.tensor(rows, dtype=torch.float64)


def search(**given: int) -> list[Filling]:
    options = {"beams": 50, "most_tokens": 3} | given
    return search_fillings(WrittenDown(), [{SEPARATOR}, {END}], **options)


def brute_force(most: int) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """Every text of at most so many words in both holes together, with its sum."""
    found = {}
    for left in range(most + 1):
        for right in range(most + 1 - left):
            for words in itertools.product((A, B), repeat=left + right):
                tokens = (*words[:left], SEPARATOR, *words[left:], END)
                score = 0.0
                for place, token in enumerate(tokens):
                    for table in CONTEXTS:
                        row = table[()] if place == 0 else table["else"]
                        score += math.log(row[token])
                found[words[:left], words[left:]] = score
    return found


def test_the_first_text_by_hand() -> None:
    """Nothing in both holes: .1 · .2 for the separator, then .3 · .3 for the end."""
    best = search()[0]
    assert best.parts == ((), ())
    assert best.score == pytest.approx(math.log(0.1 * 0.2 * 0.3 * 0.3))


def test_what_is_summed_is_the_logarithm_and_not_the_mean_probability() -> None:
    """a has the larger mean (.35 + …), b the larger product: .2 · .5 > .6 · .1."""
    one_word = [f for f in search() if len(f.parts[0]) == 1 and not f.parts[1]]
    assert [f.parts[0] for f in one_word] == [(B,), (A,)]


def test_a_wide_beam_finds_what_trying_all_finds() -> None:
    every = brute_force(3)
    found = search(beams=200)
    assert len(found) == len(every)
    for one in found:
        left, right = one.parts
        assert one.score == pytest.approx(every[left, right])
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


def test_a_narrow_beam_keeps_so_many_and_forbidden_tokens_stand_nowhere() -> None:
    assert len(search(beams=2)) == 2
    found = search_fillings(
        WrittenDown(),
        [{SEPARATOR}, {END}],
        beams=50,
        most_tokens=2,
        forbidden=[A],
    )
    assert found and all(A not in part for one in found for part in one.parts)


def test_the_first_hole_may_have_to_hold_a_word() -> None:
    found = search(least_tokens=1)
    assert found and all(one.parts[0] for one in found) and any(not one.parts[1] for one in found)


def test_of_several_ends_the_likeliest_counts() -> None:
    found = search_fillings(WrittenDown(), [{SEPARATOR, END}], beams=9, most_tokens=1)
    empty = next(one for one in found if one.parts == ((),))
    assert empty.score == pytest.approx(math.log(0.1 * 0.2))
