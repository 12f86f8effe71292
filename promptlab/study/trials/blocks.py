"""One predictor over dev, in blocks of one fixed shuffled order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import UnansweredError
from promptlab.evaluation.predictions import Predictions
from promptlab.predictors.base import Predictor

BlockDone = Callable[[int, Predictions], bool]
"""Told the block's number and all predictions so far; answers whether to stop (prune)."""


def evaluation_order(examples: Sequence[Example], seed: int) -> list[Example]:
    """The one order in which every candidate sees the examples."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    return order


def predict_missing(
    predictor: Predictor,
    rows: Predictions,
    examples: Sequence[Example],
    block: int,
    cancellation: Cancellation,
) -> Predictions:
    """The same predictions, those without an answer asked again, and no others."""
    open_ids = {row.example_id for row in rows if row.missing}
    left = [example for example in examples if example.id in open_ids]
    found, _ = predict_in_blocks(predictor, left, block, cancellation)
    return rows.with_answers(found)


def predict_in_blocks(
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


GIVE_UP_AFTER = 10
"""When so many examples, and all of them, have failed, the others are not tried."""


def check_answered(rows: Predictions) -> None:
    """Raise `UnansweredError` with the first reason if every request failed."""
    if rows and rows.n_missing == len(rows):
        raise UnansweredError(f"all {len(rows)} examples failed: {rows.errors[0]}")


def describe_failed_requests(rows: Predictions) -> str:
    """How many examples have no answer, and why the first of them has none."""
    return (
        f"{rows.n_missing} of {len(rows)} examples were not answered and are in none of the "
        f"figures; the first: {rows.errors[0]}"
    )
