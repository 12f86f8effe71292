from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptlab.tuning.triggers.losses import LossCache, Tokens
from promptlab.tuning.triggers.search import successive_halving


class TableOracle:
    """Losses in a table ``[token, example]``; remembers what was asked."""

    vocabulary = 8

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        self.asked: list[tuple[tuple[Tokens, ...], tuple[int, ...]]] = []

    def losses(self, tokens: Sequence[Tokens], examples: Sequence[int]) -> np.ndarray:
        self.asked.append((tuple(tokens), tuple(examples)))
        return self.table[[trigger[0] for trigger in tokens]][:, list(examples)]

    def gradient(self, tokens: Tokens, examples: Sequence[int]) -> np.ndarray:
        return np.zeros((1, self.vocabulary))

    def dev_score(self, tokens: Tokens) -> float:
        return 0.0


def table() -> np.ndarray:
    return np.arange(8.0)[:, None] + np.zeros((1, 16))


def triggers(*tokens: int) -> list[Tokens]:
    return [(token,) for token in tokens]


def test_a_race_halves_the_candidates_over_growing_blocks() -> None:
    oracle = TableOracle(table())
    found = successive_halving(triggers(*range(8)), oracle.losses, list(range(16)), blocks=3)
    assert [(len(tokens), examples) for tokens, examples in oracle.asked] == [
        (8, tuple(range(4))),
        (4, tuple(range(4, 8))),
        (2, tuple(range(8, 16))),
    ]
    assert found == [((0,), 0.0), ((1,), 1.0)]


def test_the_current_trigger_stays_however_bad() -> None:
    oracle = TableOracle(table())
    found = successive_halving(
        triggers(7, 1, 2, 3), oracle.losses, list(range(16)), blocks=4, always=(7,)
    )
    assert found == [((1,), 1.0), ((7,), 7.0)]


def test_enough_stay_for_a_beam() -> None:
    oracle = TableOracle(table())
    found = successive_halving(
        triggers(*range(8)), oracle.losses, list(range(16)), blocks=4, keep=3
    )
    assert [tokens for tokens, _ in found] == triggers(0, 1, 2)


def test_one_block_measures_everything_once_and_ties_stay_in_order() -> None:
    oracle = TableOracle(np.ones((8, 16)))
    found = successive_halving(triggers(5, 2, 5, 3), oracle.losses, [1, 2], blocks=1)
    assert oracle.asked == [(tuple(triggers(5, 2, 3)), (1, 2))]
    assert found == [((5,), 1.0), ((2,), 1.0), ((3,), 1.0)]


def test_more_blocks_than_examples_are_no_fault() -> None:
    oracle = TableOracle(table())
    assert successive_halving(triggers(1, 0), oracle.losses, [3, 4], blocks=9)[0] == ((0,), 0.0)


def test_losses_are_asked_once() -> None:
    oracle = TableOracle(np.random.default_rng(0).normal(size=(8, 16)))
    losses = LossCache(oracle, 16)
    first = losses(triggers(0, 1), [0, 1, 2])
    assert np.array_equal(first, oracle.table[:2, :3])
    again = losses(triggers(1, 2, 1), [2, 3])
    assert np.array_equal(again, oracle.table[[1, 2, 1]][:, [2, 3]])
    assert oracle.asked[1:] == [(tuple(triggers(1)), (3,)), (tuple(triggers(2)), (2, 3))]
    losses(triggers(0, 1), [2, 0])
    assert len(oracle.asked) == 3
    assert losses.computed == 9


def test_the_oldest_losses_are_forgotten_first() -> None:
    oracle = TableOracle(table())
    losses = LossCache(oracle, 16, limit=32)
    for token in (0, 1, 0, 2, 0):
        losses(triggers(token), [0])
    assert [tokens[0][0] for tokens, _ in oracle.asked] == [0, 1, 2]
    losses(triggers(1), [0])
    assert len(oracle.asked) == 4


def test_with_no_memory_every_loss_is_asked_for() -> None:
    oracle = TableOracle(table())
    losses = LossCache(oracle, 16, limit=0)
    assert np.array_equal(losses(triggers(3), [0]), losses(triggers(3), [0]))
    assert len(oracle.asked) == 2


def test_what_is_not_a_number_is_infinitely_bad() -> None:
    values = table()
    values[0, 3] = np.nan
    for limit in (0, 100):
        losses = LossCache(TableOracle(values), 16, limit)
        assert losses(triggers(0), [2, 3]).tolist() == [[0.0, np.inf]]
