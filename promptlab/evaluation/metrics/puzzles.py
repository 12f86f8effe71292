"""Metrics of puzzles with more than one right answer."""

from __future__ import annotations

from promptlab.data.puzzles.arithmetic import evaluate
from promptlab.data.puzzles.game24 import is_solution
from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import MeanMetric
from promptlab.evaluation.predictions import Prediction


class Solved24(MeanMetric):
    """Share of games of 24 that are solved, by whatever expression.

    The target is any one solution; its numbers are the puzzle's (Yao et al. 2023 count so, too).
    """

    name = "game24"
    normalization = "any expression that uses the numbers once each and comes to 24 is right"

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when the label uses the target's numbers once each and comes to 24."""
        known = evaluate(target)
        if known is None or not is_solution(target, known.used):
            raise InputError(
                f"game24: the target of example {row.example_id!r} is no expression that comes "
                f"to 24: {target!r}"
            )
        return float(is_solution(row.label or "", known.used))
