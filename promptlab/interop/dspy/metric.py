"""A task's metric as the metric of DSPy's optimizers, with words for those that read them."""

from __future__ import annotations

from typing import Any

from promptlab.evaluation.metrics import MeanMetric, get_metric
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.interop.dspy.silence import dspy_package
from promptlab.interop.dspy.task_signature import TaskSignature


class DspyMetric:
    """The value of one DSPy prediction, larger is better, in the form that optimizers call.

    A metric that is no mean over examples (macro-F1, Matthews) is judged by right or wrong. Called
    with ``pred_name`` (GEPA) it gives ``dspy.Prediction(score, feedback)``.
    """

    def __init__(self, form: TaskSignature, metric: str) -> None:
        self.form = form
        found = get_metric(metric)
        self._metric = found if isinstance(found, MeanMetric) else get_metric("accuracy")
        self._sign = 1.0 if self._metric.higher_is_better else -1.0
        self.__name__ = metric

    def __call__(
        self,
        gold: Any,
        pred: Any,
        trace: Any = None,
        pred_name: str | None = None,
        pred_trace: Any = None,
    ) -> Any:
        """A number, or a number with feedback."""
        value = self._value(gold, pred)
        if pred_name is None and pred_trace is None:
            return value
        return dspy_package().Prediction(score=value, feedback=self._feedback(gold, pred))

    def _value(self, gold: Any, pred: Any) -> float:
        label, text = self.form.label(pred)
        target = str(gold[self.form.output])
        row = Prediction("", label, target, text=text, unparsed=label is None)
        return self._sign * float(self._metric.compute(Predictions([row])))

    def _feedback(self, gold: Any, pred: Any) -> str:
        label, text = self.form.label(pred)
        target = str(gold[self.form.output])
        if label == target or self._value(gold, pred) == 1:
            return f"Right: the {self.form.output} is {target}."
        if label is None:
            said = f" from {text!r}" if text else ""
            return f"No {self.form.output} could be read{said}. The right one is {target}."
        return f"Wrong: the {self.form.output} is {target}, not {label}."
