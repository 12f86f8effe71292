"""What came of one run of a DSPy program, as a row of the table of predictions."""

from __future__ import annotations

import math
from typing import Any

from promptlab.data.example import Example
from promptlab.evaluation.predictions import Prediction
from promptlab.evaluation.trace import Trace
from promptlab.interop.dspy.task_signature import TaskSignature

_LEAST = 1e-30


class ProgramResult:
    """Label, text and error of one run, filled in while it goes on."""

    def __init__(self, form: TaskSignature) -> None:
        self.form = form
        self.label: str | None = None
        self.text: str | None = None
        self.error: str | None = None

    def take(self, found: Any) -> None:
        """Read the label from what the program returned."""
        self.label, self.text = self.form.label(found)

    def prediction(self, row: Example, trace: Trace) -> Prediction:
        """The row, with the costs of all steps and the scores of the last choice of the label."""
        return Prediction(
            example_id=row.id,
            label=self.label,
            target=row.label,
            scores=self._scores(trace),
            text=self.text,
            unparsed=self.label is None,
            tokens_in=trace.tokens_in,
            tokens_out=trace.tokens_out,
            seconds=trace.seconds,
            trace=trace.record() if len(trace) else None,
            error=self.error,
        )

    def _scores(self, trace: Trace) -> dict[str, float] | None:
        """Log-probabilities in nats, if the label is the value of a scored field."""
        for step in reversed(trace.steps):
            found = step.notes.get("probabilities")
            if not found or set(found) != set(self.form.labels):
                continue
            if step.notes["value"] == self.label:
                return {name: math.log(max(found[name], _LEAST)) for name in self.form.labels}
        return None
