"""A promptlab predictor as a part of a DSPy program."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Self

from promptlab.data.example import Example
from promptlab.errors import InputError, WorkError
from promptlab.evaluation.predictions import Prediction
from promptlab.interop.dspy.batcher import CallBatcher
from promptlab.interop.dspy.silence import dspy_package
from promptlab.predictors.base import Predictor

dspy = dspy_package()


class PredictorModule(dspy.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Calls a fitted predictor with its fields; calls of several threads are one batch.

    It has no parameters of DSPy's, so optimizers leave it as it is, and copies share it.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor
        self._gathering: CallBatcher[Example, Prediction] = CallBatcher(self._predict)

    def forward(self, **fields: Any) -> Any:
        """``label``, ``probabilities`` (or ``None``) and the reply's ``text``.

        An unparsed reply has the label ``None``. Raises `InputError` for a missing field and
        `WorkError` when the example has no answer at all.
        """
        missing = [name for name in self.predictor.fields if name not in fields]
        if missing:
            raise InputError(f"the predictor reads the field {missing[0]!r}; give it by name")
        values = {name: str(fields[name]) for name in self.predictor.fields}
        row = self._gathering.ask(Example("0", values))
        if row.error is not None:
            raise WorkError(row.error)
        scores = row.scores
        return dspy.Prediction(
            label=row.label,
            probabilities=None if scores is None else {k: math.exp(v) for k, v in scores.items()},
            text=row.text,
        )

    async def aforward(self, **fields: Any) -> Any:
        """The same in a thread of its own."""
        return await asyncio.to_thread(self.forward, **fields)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A module over the same predictor: its model's weights are shared."""
        return type(self)(self.predictor)

    def _predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return list(self.predictor.predict(examples))


def as_dspy_module(predictor: Predictor) -> PredictorModule:
    """A fitted predictor as a ``dspy.Module``: ``module(text=...).label``."""
    return PredictorModule(predictor)
