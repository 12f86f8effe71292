"""The result of a sensitivity analysis as values, as JSON data and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptlab.evaluation.statistics import Interval
from promptlab.files.cache import atomic_write, disk_errors
from promptlab.security.untrusted_text import json_text
from promptlab.study.formatting import format_percent, in_words
from promptlab.study.sensitivity.design import FACTORS

ALPHA = 0.05
DOCUMENT = "sensitivity.json"
PAGE = "sensitivity.html"


@dataclass(frozen=True)
class LevelMean:
    """One level of a factor: the mean over all prompts that have it, with its 95 % interval."""

    name: str
    value: float
    ci95: Interval


@dataclass(frozen=True)
class FactorSpread:
    """How far one factor moves the metric.

    ``spread`` is the best level's mean less the worst one's, both over everything else, ``ci95``
    the interval of the difference of these two levels, ``std`` the standard deviation of the
    levels' means (divisor: their number). ``by_chance`` is the mean spread of levels that do not
    matter, over so many examples; ``p_value`` that of the permutation test, ``p_holm`` corrected
    over the factors. ``at_start`` is the spread where everything else is as it was started from.
    """

    factor: str
    levels: tuple[LevelMean, ...]
    best: str
    worst: str
    spread: float
    ci95: Interval
    std: float
    by_chance: float
    p_value: float
    p_holm: float
    at_start: float

    @property
    def matters(self) -> bool:
        """Whether the levels can be told apart: the corrected p-value is at most 0.05."""
        return self.p_holm <= ALPHA


@dataclass(frozen=True)
class VarianceShare:
    """A part of the variance of all prompts' values.

    ``variance`` is as observed, ``noise`` what the sample of examples adds to it, ``corrected`` the
    first less the second (below 0 by chance alone). ``index`` is the share of the observed variance
    (a factor's first-order index), ``share`` that of the corrected parts, of which those below 0
    count as 0, with its interval; they are ``None`` where there is nothing to divide.
    ``total_index`` also counts the interactions that a factor takes part in (corrected, too).
    """

    source: str
    variance: float
    noise: float
    corrected: float
    index: float | None
    share: float | None
    ci95: Interval | None
    total_index: float | None


@dataclass(frozen=True)
class PromptCase:
    """One prompt of the design: its levels, its value, and what it looks like.

    ``unbiased`` is for a prompt that was picked as the best or the worst: its value where it was
    picked by one half of the examples and measured on the other, mean over random halves.
    """

    levels: Mapping[str, str]
    value: float
    ci95: Interval
    prompt: str
    unbiased: float | None = None


@dataclass(frozen=True)
class RankStability:
    """How alike the wordings are ranked at different levels of another factor.

    ``tau`` is the mean of Kendall's tau-b over all pairs of levels, ``lowest`` the least of them
    (1: the same ranking, 0: unrelated, -1: reversed); ``by_halves`` the mean tau between random
    halves of the examples at the same levels: what n examples allow at best.
    """

    factor: str
    tau: float
    ci95: Interval
    lowest: float
    by_halves: float


@dataclass(frozen=True)
class Sensitivity:
    """How far prompts that mean the same differ, as `measure_sensitivity` found it on dev.

    Args:
        name: The study or task.
        task: The task's name.
        model: The model's name.
        metric: What was measured: a mean over examples, in [0, 1].
        started_from: Where the first level of every factor comes from.
        factors: The factors with their levels' names.
        n: Different texts of dev that every prompt answered.
        n_missing: Examples left out because some prompt has no answer to them.
        mean: The mean over all prompts.
        std: The standard deviation over all prompts, as observed.
        start: The prompt that is started from.
        best: The best prompt.
        worst: The worst prompt.
        spreads: How far each factor moves the metric, the furthest first.
        shares: The parts of the variance: a factor each, then ``interactions``.
        variance: The variance of all prompts' values, as observed.
        noise: The part of it that the sample of examples makes.
        stability: How alike wordings are ranked at different levels of the other factors.
        prompts: All prompts of the design, in its order: levels and value.
        n_asked: Answers that were asked for.
        n_reused: Answers of equal prompts, which were not asked for again.
        seed: Of the draw of formats, the order of examples, and the resamples.
        remarks: What a reader should know, a sentence each.

    Example:
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(60)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> found = pl.study.measure_sensitivity(
        ...     "films.csv", model=model, levels={"order": 1, "seed": 1}, max_prompts=12
        ... )
        >>> isinstance(found, Sensitivity), found.worst.value <= found.best.value
        (True, True)
    """

    name: str
    task: str
    model: str
    metric: str
    started_from: str
    factors: Mapping[str, tuple[str, ...]]
    n: int
    n_missing: int
    mean: float
    std: float
    start: PromptCase
    best: PromptCase
    worst: PromptCase
    spreads: tuple[FactorSpread, ...]
    shares: tuple[VarianceShare, ...]
    variance: float
    noise: float
    stability: tuple[RankStability, ...]
    prompts: tuple[PromptCase, ...]
    n_asked: int
    n_reused: int
    seed: int
    remarks: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As JSON data, with what it comes to in words under ``statements``."""
        return {"split": "dev"} | asdict(self) | {"statements": list(self.statements)}

    @property
    def statements(self) -> tuple[str, ...]:
        """What was found, in sentences."""
        return (
            _range_sentence(self),
            *(_spread_sentence(self, spread) for spread in self.spreads),
            _variance_sentence(self),
            *(_stability_sentence(row) for row in self.stability),
            f"All of this is over {self.n} texts of dev; test was not read.",
        )

    def write(self, folder: str | Path) -> tuple[Path, Path]:
        """Write ``sensitivity.json`` and ``sensitivity.html`` into a folder; return their paths.

        Raises `DiskError` where that cannot be done.
        """
        from promptlab.study.sensitivity.page import sensitivity_page

        folder = Path(folder)
        pages = {DOCUMENT: json_text(self.row(), indent=2) + "\n", PAGE: sensitivity_page(self)}
        with disk_errors(folder, f"Writing into {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in pages.items():
                with atomic_write(folder / name) as partial:
                    partial.write_text(text, encoding="utf-8")
        return folder / DOCUMENT, folder / PAGE


def points(difference: float) -> str:
    """0.123 as "12.3 points"."""
    return f"{100 * difference:.1f} points"


def _range_sentence(found: Sensitivity) -> str:
    """From the worst prompt to the best."""
    low, high = format_percent(found.worst.value), format_percent(found.best.value)
    told = (
        f"{in_words(found.metric).capitalize()} lies between {low} and {high} over "
        f"{len(found.prompts)} prompts that say the same; the one that was started from has "
        f"{format_percent(found.start.value)}."
    )
    if found.worst.unbiased is None:
        return told
    return told + (
        f" Picked on half of the examples, the worst has {format_percent(found.worst.unbiased)} on "
        f"the other half, the best {format_percent(found.best.unbiased or 0.0)}."
    )


def _spread_sentence(found: Sensitivity, spread: FactorSpread) -> str:
    name = FACTORS[spread.factor].capitalize()
    if not spread.matters:
        return (
            f"{name}: not seen to matter, {points(spread.spread)} between the best level and the "
            f"worst, where {points(spread.by_chance)} are usual by chance for {found.n} texts."
        )
    low, high = spread.ci95
    return (
        f"{name}: {points(spread.spread)} between the best level and the worst (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}; by chance {100 * spread.by_chance:.1f}), from "
        f"{spread.worst!r} to {spread.best!r}."
    )


def _variance_sentence(found: Sensitivity) -> str:
    """Who has how much of the variance, noise told."""
    part = min(1.0, found.noise / found.variance) if found.variance else 0.0
    noise = (
        f" {format_percent(part)} of the observed variance is noise of {found.n} texts, which is "
        "taken off."
    )
    known = [(row, row.share) for row in found.shares if row.share is not None]
    if not known:
        return f"The prompts differ by no more than the noise of the sample.{noise}"
    told = ", ".join(
        f"{FACTORS.get(row.source, row.source)} {format_percent(share)}"
        for row, share in sorted(known, key=lambda pair: -pair[1])
    )
    return f"Of the variance between prompts: {told}.{noise}"


def _stability_sentence(row: RankStability) -> str:
    return (
        f"Between levels of {FACTORS[row.factor]} the wordings are ranked alike with Kendall's "
        f"tau {row.tau:.2f} (least {row.lowest:.2f}; {row.by_halves:.2f} between halves of the "
        "examples)."
    )
