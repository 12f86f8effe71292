"""One predictor over dev, in blocks of one fixed shuffled order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from promptlab.cancellation import Cancellation
from promptlab.example import Example
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor

BlockDone = Callable[[int, Predictions], bool]
"""Told the block's number and all predictions so far; answers whether to stop (prune)."""


def evaluation_order(examples: Sequence[Example], seed: int) -> list[Example]:
    """The one order in which every candidate sees the examples."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    return order


def ask_missing(
    predictor: Predictor,
    rows: Predictions,
    examples: Sequence[Example],
    block: int,
    cancellation: Cancellation,
) -> Predictions:
    """The same predictions, those without an answer asked again, and no others."""
    open_ids = {row.example_id for row in rows if row.missing}
    left = [example for example in examples if example.id in open_ids]
    found, _ = evaluate_in_blocks(predictor, left, block, cancellation)
    return rows.with_answers(found)


def evaluate_in_blocks(
    predictor: Predictor,
    examples: Sequence[Example],
    block: int,
    cancellation: Cancellation,
    block_done: BlockDone = lambda number, rows: False,
) -> tuple[Predictions, bool]:
    """Predictions and whether they were cut short because ``block_done`` said so."""
    rows = Predictions()
    for number, start in enumerate(range(0, len(examples), block)):
        cancellation.check()
        rows += predictor.predict(examples[start : start + block])
        last = start + block >= len(examples)
        if block_done(number, rows) and not last:
            return rows, True
    return rows, False
