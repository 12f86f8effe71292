"""Examples without an answer: their requests failed, and they are neither right nor wrong."""

from __future__ import annotations

from promptlab.errors import UnansweredError
from promptlab.predictions import Predictions

ENOUGH = 10
"""When so many examples, and all of them, have failed, the others are not tried."""


def check_answered(rows: Predictions) -> None:
    """Raise `UnansweredError` with the first reason if every request failed."""
    if rows and rows.n_missing == len(rows):
        raise UnansweredError(f"all {len(rows)} examples failed: {rows.errors[0]}")


def failures_told(rows: Predictions) -> str:
    """How many examples have no answer, and why the first of them has none."""
    return (
        f"{rows.n_missing} of {len(rows)} examples were not answered and are in none of the "
        f"figures; the first: {rows.errors[0]}"
    )
