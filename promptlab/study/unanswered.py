"""Examples without an answer: their requests failed, and they are told apart from wrong ones."""

from __future__ import annotations

from promptlab.errors import WorkError
from promptlab.predictions import Predictions

ENOUGH = 10
"""When so many examples, and all of them, have failed, the others are not tried."""


def check_answered(rows: Predictions) -> None:
    """Raise `WorkError` with the first reason if every request failed."""
    if rows and len(rows.errors) == len(rows):
        raise WorkError(f"all {len(rows)} examples failed: {rows.errors[0]}")


def failures_told(rows: Predictions) -> str:
    """How many examples have no answer, and why the first of them has none."""
    return (
        f"{len(rows.errors)} of {len(rows)} examples failed and count as wrong; the first: "
        f"{rows.errors[0]}"
    )
