"""How good predictions are: accuracy with its interval, and what they cost."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from promptlab.compat.earlier_names import earlier_names
from promptlab.errors import InputError
from promptlab.evaluation.distinct_texts import n_distinct, proportion_interval
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Predictions
from promptlab.security.html import html_facts

Texts = Mapping[str, Hashable]
"""The text of every example by its id; equal where examples repeat each other."""


@earlier_names(of="from_predictions", counted="sample_size_text")
@dataclass(frozen=True)
class Evaluation:
    """Accuracy with its 95 % interval over ``n`` answered examples, further metrics, and costs.

    Args:
        accuracy: Share of right answers, in [0, 1].
        ci95: Its 95 % interval: Wilson's, in which a text that repeats counts once.
        n: Answered examples.
        unparsed_rate: Share of them whose reply could not be parsed.
        tokens: Prompt and answer tokens of all examples.
        seconds: Wall time of all examples.
        metrics: Further metrics by name.
        n_missing: Examples without an answer: neither right nor wrong, and in none of the figures
            but ``tokens`` and ``seconds``.
        n_distinct: Different texts among the ``n``.

    Example:
        >>> from promptlab.evaluation.predictions import Prediction
        >>> rows = Predictions([Prediction("1", "yes", "yes"), Prediction("2", "yes", "no")])
        >>> found = Evaluation.from_predictions(rows)
        >>> found.accuracy, found.n
        (0.5, 2)
    """

    accuracy: float
    ci95: tuple[float, float]
    n: int
    unparsed_rate: float
    tokens: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    n_missing: int = 0
    n_distinct: int = 0

    @classmethod
    def from_predictions(
        cls, rows: Predictions, metrics: tuple[str, ...] = (), texts: Texts | None = None
    ) -> Evaluation:
        """The evaluation of predictions that all have a target.

        Args:
            rows: The predictions.
            metrics: Names of further metrics (`metric_names`).
            texts: The text of every example by id, equal where examples repeat each other; without
                it all are taken to be different.

        Raises:
            InputError: For an empty table, one without any answer, a row without a target, or an
                unknown metric.
        """
        if not rows or any(row.target is None for row in rows):
            raise InputError("an evaluation needs labelled examples, one at least")
        answered = rows.answered
        if not answered:
            raise InputError(
                f"none of the {len(rows)} examples was answered, so there is nothing to evaluate; "
                f"the first: {rows.errors[0]}"
            )
        known = texts or {}
        keys = [known.get(row.example_id, ("", row.example_id)) for row in answered]
        return cls(
            accuracy=sum(answered.correct) / len(answered),
            ci95=proportion_interval(answered.correct, keys),
            n=len(answered),
            unparsed_rate=rows.unparsed_rate,
            tokens=rows.tokens,
            seconds=rows.seconds,
            metrics={name: get_metric(name).compute(rows) for name in metrics},
            n_missing=rows.n_missing,
            n_distinct=n_distinct(keys),
        )

    def _repr_html_(self) -> str:
        low, high = self.ci95
        facts = {
            "accuracy": f"{self.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f})",
            **{name: f"{value:.3f}" for name, value in self.metrics.items()},
            "examples": self.sample_size_text,
            "unparsed": f"{self.unparsed_rate:.1%}",
            "tokens": f"{self.tokens:,}",
            "seconds": f"{self.seconds:.1f}",
        }
        return html_facts("Evaluation", facts)

    def __str__(self) -> str:
        low, high = self.ci95
        return (
            f"accuracy {self.accuracy:.3f} "
            f"(95 % interval {low:.3f} to {high:.3f}, {self.sample_size_text}), "
            f"{self.unparsed_rate:.1%} unparsed, {self.tokens:,} tokens, {self.seconds:.1f} s"
        )

    @property
    def sample_size_text(self) -> str:
        """Over how many examples: "n = 24", "n = 16 of 24 answered", "730 distinct texts"."""
        return sample_size_text(self.n, self.n_missing, self.n_distinct)


def sample_size_text(n: int, n_missing: int = 0, n_distinct: int | None = None) -> str:
    """Over how many examples a figure is, missing answers and repeated texts told.

    Example:
        >>> sample_size_text(16, 8)
        'n = 16 of 24 answered'
        >>> sample_size_text(1000, 0, 730)
        'n = 1,000, 730 distinct texts'
    """
    text = f"n = {n:,}"
    if n_missing:
        text += f" of {n + n_missing:,} answered"
    if n_distinct and n_distinct < n:
        text += f", {n_distinct:,} distinct texts"
    return text
