"""A strategy: a predictor that solves one example after the other by asking models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.errors import AskError, WordlessError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.reply_counts import WORDLESS
from promptlab.evaluation.trace import Trace, TraceCursor
from promptlab.predictors.base import Predictor
from promptlab.predictors.model_calls import StrategyResult, StrategyRun
from promptlab.predictors.scheduler import run_concurrently
from promptlab.prompts.decoding import Decoding

Watch = Callable[[Trace, str], None]
"""Told the steps so far, and the text that is being written (empty between two requests)."""


class Strategy(Predictor, register=False):
    """A predictor written as `solve` for one example, so that others can wrap it.

    All examples of a `predict` are solved side by side, and what they ask at the same time is
    one batch for the model. An example whose request fails has no label and an ``error``; one for
    which the model declines, or writes nothing, has no label and is unparsed.

    Args:
        args: What the subclass's constructor takes by position; `get_params` gives it by name.
        settings: What it takes by name.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> isinstance(classifier, Strategy), classifier.decodings
        (True, ())
    """

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """How its texts are decoded, none for a strategy that generates none.

        Solutions of other sample numbers can only differ where one of these samples.
        """
        return ()

    @abstractmethod
    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """Solve one example, noting every step below ``branch``.

        ``sample`` numbers repeated solutions: every number gives another one where text is
        sampled, and the same number the same one.
        """

    def prepare(self, examples: Sequence[Example]) -> None:
        """Find at once what the prompts of these examples need; `solve` would one by one."""

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; every step is kept in its trace."""
        rows = as_examples(examples, self.fields)
        return solve_all(self, rows)


def solve_all(strategy: Strategy, rows: Sequence[Example]) -> Predictions:
    """The predictions of a strategy, every one with the trace of its steps."""
    strategy.prepare(rows)
    traces = [Trace() for _ in rows]
    found = run_concurrently(
        [strategy.solve(row, trace.root) for row, trace in zip(rows, traces, strict=True)]
    )
    return Predictions(
        _prediction(row, outcome, trace)
        for row, outcome, trace in zip(rows, found, traces, strict=True)
    )


def solve(predictor: Predictor, example: Input, watch: Watch | None = None) -> Prediction:
    """Predict one example, and show the steps while they are made.

    Args:
        predictor: The predictor, fitted if it needs that.
        example: A text, a mapping or an `Example`, as `as_examples` reads it.
        watch: Called with the steps so far and the text that is being written: at the start, after
            every round of requests, and whenever a text grows, perhaps from another thread. What
            it raises (`Cancelled`, for one) ends the work. For a predictor that is no `Strategy`
            it is not called.

    Returns:
        The prediction, as ``predictor.predict`` gives it; if it was watched, with the steps in its
        trace. A request that failed is in its ``error``.

    Raises:
        InputError: For an example that lacks a field.
        NotFittedError: For a predictor that needs ``fit`` first.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> classifier = pl.PromptClassifier("{text} It was {mask}.", words, model)
        >>> found = solve(classifier, "A dull plot.", lambda trace, text: print(len(trace)))
        0
        1
        >>> [step["name"] for step in found.trace["steps"]]
        ['label']
    """
    predictor = predictor.fitted_predictor
    (row,) = as_examples([example], predictor.fields)
    if watch is None or not isinstance(predictor, Strategy):
        return predictor.predict([row])[0]
    predictor.prepare([row])
    trace = Trace()
    watch(trace, "")
    (found,) = run_concurrently(
        [predictor.solve(row, trace.root)],
        on_round=lambda _, __: watch(trace, ""),
        on_text=lambda text: watch(trace, text),
    )
    return _prediction(row, found, trace)


def _prediction(row: Example, found: StrategyResult | AskError, trace: Trace) -> Prediction:
    failed = isinstance(found, AskError) and not isinstance(found, WordlessError)
    outcome = _unlabelled_result(found) if isinstance(found, AskError) else found
    facts: dict[str, Any] = {**outcome.facts, **(trace.record() if len(trace) else {})}
    return Prediction(
        example_id=row.id,
        label=outcome.label,
        target=row.label,
        scores=None if outcome.scores is None else dict(outcome.scores),
        text=outcome.text,
        unparsed=outcome.label is None,
        tokens_in=trace.tokens_in,
        tokens_out=trace.tokens_out,
        seconds=trace.seconds,
        trace=facts or None,
        error=str(found) if failed else None,
    )


def _unlabelled_result(error: AskError) -> StrategyResult:
    """What an example comes to that has no label; the words with which a model declined stay."""
    if not isinstance(error, WordlessError):
        return StrategyResult(None)
    words = "" if error.reply is None else error.reply.refusal
    return StrategyResult(None, words, facts={WORDLESS: str(error)})
