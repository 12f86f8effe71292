"""Several predictors over the same examples, block by block, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import Cancelled, InputError, PromptlabError
from promptlab.evaluation.predictions import Predictions, answered_by_both
from promptlab.evaluation.statistics import Interval, holm, mcnemar_exact
from promptlab.predictors.base import Predictor

FIRST_BLOCK, LARGEST_BLOCK = 8, 64
"""Blocks grow, so that the first rows are there at once and the last ones are cheap."""
PredictorFactory = Callable[[], Predictor]
"""Makes a predictor when its turn comes."""


@dataclass(frozen=True)
class PairedTest:
    """An exact McNemar test of two predictors on the same examples; `paired_tests` makes it.

    Args:
        a: The name of the first predictor.
        b: The name of the second one.
        n: How many examples both have answered.
        only_a: How many of them a alone has right.
        only_b: How many of them b alone has right.
        difference: The accuracy of a minus that of b, both in [0, 1].
        ci95: The 95 % interval of the difference (Bonett & Price 2012).
        p_value: The two-sided p-value.
        p_holm: The p-value corrected over all pairs that were tested together (Holm 1979); the
            same as ``p_value`` for one pair.

    Example:
        >>> test = PairedTest("plain", "polite", 20, 8, 0, 0.4, (0.13, 0.6), 0.0078, 0.0078)
        >>> test.distinguishable
        True
        >>> print(test)
        plain is right where polite is wrong 8 times, the other way never; exact McNemar p = .008:
        plain is better.
    """

    a: str
    b: str
    n: int
    only_a: int
    only_b: int
    difference: float
    ci95: Interval
    p_value: float
    p_holm: float

    @property
    def distinguishable(self) -> bool:
        """Whether the corrected p-value is at most 0.05."""
        return self.p_holm <= 0.05

    def __str__(self) -> str:
        if not self.only_a + self.only_b:
            return f"{self.a} and {self.b} are right on the same {self.n} examples."
        if self.distinguishable:
            ahead = self.a if self.difference > 0 else self.b
            found = f"{ahead} is better"
        else:
            found = "not distinguishable"
        corrected = self.p_holm != self.p_value
        return (
            f"{self.a} is right where {self.b} is wrong {_times(self.only_a)}, the other way "
            f"{_times(self.only_b)}; exact McNemar {_format_p(self.p_value)}"
            f"{', corrected by Holm ' + _format_p(self.p_holm) if corrected else ''}: {found}."
        )


def paired_tests(columns: Mapping[str, Predictions]) -> list[PairedTest]:
    """Test every pair of columns, with Holm's correction (Holm 1979) over all of them.

    Args:
        columns: Predictions by the name of what made them, all over the same labelled examples.

    Returns:
        One test a pair, in the order of the columns; none for a single column.

    Raises:
        InputError: For columns over different examples or without targets, and for two that have
            no example that both have answered.

    Example:
        >>> right = [pl.Prediction(str(n), "yes", target="yes") for n in range(8)]
        >>> wrong = [pl.Prediction(str(n), "no", target="yes") for n in range(8)]
        >>> (test,) = paired_tests({"a": Predictions(right), "b": Predictions(wrong)})
        >>> test.only_a, test.only_b, round(test.p_value, 4)
        (8, 0, 0.0078)
    """
    found = [_paired_test(a, columns[a], b, columns[b]) for a, b in combinations(columns, 2)]
    if len(found) < 2:  # nothing to correct, and the correction collects garbage for long
        return found
    corrected = holm([test.p_value for test in found])
    return [_with_holm(test, p) for test, p in zip(found, corrected, strict=True)]


@dataclass(eq=False)
class ComparisonGrid:
    """Predictors by name over the same examples; `run` fills ``columns`` block by block.

    Why a predictor failed is kept in ``errors``; the others go on without it.

    Args:
        makers: What makes each predictor, by its name; called in `run`.
        examples: What is predicted, at least one.
        train: The examples that every predictor is fitted on in `run`.
        cancellation: Ends or pauses `run` from another thread.
        columns: The predictions so far by name; begun anew for every maker.
        predictors: The fitted predictors by name; filled by `run`.
        errors: Why predictors failed, by name; filled by `run`.

    Raises:
        InputError: For no predictor or no example.

    Example:
        >>> words = {"negative": "terrible", "positive": "great"}
        >>> makers = {"plain": lambda: pl.PromptClassifier("{text} It was {mask}.", words, model)}
        >>> grid = ComparisonGrid(makers, [Example("1", {"text": "A dull plot."}, "negative")])
        >>> list(grid.run())
        ['plain', 'plain']
        >>> len(grid.columns["plain"]), grid.done, grid.errors
        (1, 1, {})
    """

    makers: Mapping[str, PredictorFactory]
    examples: Sequence[Example]
    train: Sequence[Example] = ()
    cancellation: Cancellation = field(default_factory=Cancellation)
    columns: dict[str, Predictions] = field(default_factory=dict)
    predictors: dict[str, Predictor] = field(default_factory=dict)
    errors: dict[str, PromptlabError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.makers or not self.examples:
            raise InputError("a grid needs a prompt and an example, one of each at least")
        self.columns |= {name: Predictions() for name in self.makers}

    @property
    def done(self) -> int:
        """Cells that are filled, or never will be."""
        failed = len(self.errors) * len(self.examples)
        return failed + sum(len(c) for n, c in self.columns.items() if n not in self.errors)

    @property
    def cells(self) -> int:
        """All cells."""
        return len(self.makers) * len(self.examples)

    def run(self) -> Iterator[str]:
        """Fill the grid; the name of a column after every step that it took.

        Raises `Cancelled` when that was asked for; what is filled stays.
        """
        for name in self.makers:
            self.cancellation.check()
            self._fit(name)
            yield name
        for block in _blocks(self.examples):
            for name in self.makers:
                if name not in self.errors:
                    self.cancellation.check()
                    self._predict(name, block)
                    yield name

    def _fit(self, name: str) -> None:
        try:
            with self.cancellation.in_force():
                self.predictors[name] = self.makers[name]().fit(self.train)
        except Cancelled:
            raise
        except PromptlabError as problem:
            self.errors[name] = problem

    def _predict(self, name: str, block: Sequence[Example]) -> None:
        try:
            with self.cancellation.in_force():
                self.columns[name] += self.predictors[name].predict(block)
        except Cancelled:
            raise
        except PromptlabError as problem:
            self.errors[name] = problem


def _blocks(examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
    start, size = 0, FIRST_BLOCK
    while start < len(examples):
        yield examples[start : start + size]
        start, size = start + size, min(2 * size, LARGEST_BLOCK)


def _paired_test(a: str, first: Predictions, b: str, second: Predictions) -> PairedTest:
    if [row.example_id for row in first] != [row.example_id for row in second]:
        raise InputError(f"{a} and {b} were not run on the same examples; run them together")
    if any(row.target is None for row in first):
        raise InputError("a paired test needs labelled examples")
    first, second = answered_by_both(first, second)
    if not len(first):
        raise InputError(f"{a} and {b} have no example that both have answered")
    found = mcnemar_exact(first.correct, second.correct)
    n = len(first)
    only_a = (found.n_discordant + round(found.difference * n)) // 2
    only_b = found.n_discordant - only_a
    p = found.p_value
    return PairedTest(a, b, n, only_a, only_b, found.difference, found.ci95, p, p)


def _with_holm(test: PairedTest, p: float) -> PairedTest:
    return PairedTest(**{**vars(test), "p_holm": p})


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _format_p(p: float) -> str:
    told = "p < .001" if p < 0.001 else f"p = {p:.3f}"
    return told.replace(" 0.", " .").replace("1.000", "1")
