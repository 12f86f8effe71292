"""From the values of all prompts to spreads, shares of variance, worst case and stable ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from promptlab.evaluation.statistics import holm
from promptlab.study.sensitivity.decomposition import (
    Cells,
    VarianceParts,
    divide_variance,
    level_means,
    noise_variance,
)
from promptlab.study.sensitivity.design import FactorialDesign
from promptlab.study.sensitivity.resampling import (
    RESAMPLES,
    bootstrap_cells,
    kendall_tau,
    percentile_interval,
    shuffle_levels,
    split_halves,
)
from promptlab.study.sensitivity.result import (
    FactorSpread,
    LevelMean,
    PromptCase,
    RankStability,
    VarianceShare,
)

INTERACTIONS = "interactions"
RANKED = "wording"
"""The factor whose levels are ranked."""
_ZERO = 1e-12


@dataclass(frozen=True)
class Analysis:
    """What the values of a design come to; the parts are those of `Sensitivity`."""

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


def analyse_design(
    design: FactorialDesign,
    values: Cells,
    prompts: Sequence[str],
    seed: int,
    *,
    resamples: int = RESAMPLES,
) -> Analysis:
    """All that is told of a design, with bootstrap intervals over the examples.

    Args:
        design: The factors; those of one level take part in nothing but the names.
        values: ``[*levels, example]`` in [0, 1]: one value a prompt and different text.
        prompts: The prompts' own texts, in the design's order.
        seed: Of all draws.
        resamples: Bootstrap samples.

    Returns:
        The analysis; its shares sum to the whole variance.
    """
    varied = design.varied
    # Factors of one level are left out: they have no variance.
    shown = values.reshape(*(design.shape[place] for place in varied), values.shape[-1])
    names = [design.factors[place].name for place in varied]
    levels = [design.factors[place].levels for place in varied]
    drawn = bootstrap_cells(shown, seed, resamples)
    cases = _cases(design, shown, drawn, prompts)
    parts, noise = divide_variance(shown.mean(axis=-1), len(varied)), noise_variance(shown)
    flat = shown.mean(axis=-1).ravel()
    low, high = int(np.argmin(flat)), int(np.argmax(flat))
    of_low, of_high = _unbiased_extremes(shown, seed)
    return Analysis(
        mean=float(flat.mean()),
        std=float(flat.std()),
        start=cases[0],
        best=replace(cases[high], unbiased=of_high),
        worst=replace(cases[low], unbiased=of_low),
        spreads=_spreads(shown, drawn, names, levels, seed),
        shares=_shares(parts, noise, divide_variance(drawn, len(varied)), names),
        variance=float(parts.whole),
        noise=float(noise.whole),
        stability=_stability(shown, drawn, names, seed),
        prompts=tuple(cases),
    )


def _cases(
    design: FactorialDesign, values: Cells, drawn: Cells, prompts: Sequence[str]
) -> list[PromptCase]:
    flat = values.mean(axis=-1).ravel()
    each = drawn.reshape(len(drawn), -1)
    return [
        PromptCase(
            design.level_names(list(cell.values())),
            float(flat[number]),
            percentile_interval(each[:, number]),
            prompts[number],
        )
        for number, cell in enumerate(design.cells())
    ]


def _spreads(
    values: Cells, drawn: Cells, names: Sequence[str], levels: Sequence[Sequence[str]], seed: int
) -> tuple[FactorSpread, ...]:
    """Every factor's spread, the furthest first; p-values are corrected over them."""
    found = [_spread(values, drawn, place, names, levels, seed) for place in range(len(names))]
    corrected = holm([spread.p_value for spread in found])
    told = [replace(spread, p_holm=p) for spread, p in zip(found, corrected, strict=True)]
    return tuple(sorted(told, key=lambda spread: -spread.spread))


def _spread(
    values: Cells, drawn: Cells, place: int, names: Sequence[str],
    levels: Sequence[Sequence[str]], seed: int,
) -> FactorSpread:  # fmt: skip
    count = len(names)
    cells = values.mean(axis=-1)
    means, resampled = level_means(cells, place, count), level_means(drawn, place, count)
    best, worst = int(np.argmax(means)), int(np.argmin(means))
    shuffled = shuffle_levels(values, place, seed)
    extreme = np.count_nonzero(shuffled.var(axis=-1) >= means.var() - _ZERO)
    p_value = (1 + int(extreme)) / (1 + len(shuffled))
    at_start = np.moveaxis(cells, place, -1)[(0,) * (count - 1)]
    return FactorSpread(
        factor=names[place],
        levels=tuple(
            LevelMean(name, float(means[n]), percentile_interval(resampled[:, n]))
            for n, name in enumerate(levels[place])
        ),
        best=levels[place][best],
        worst=levels[place][worst],
        spread=float(means[best] - means[worst]),
        ci95=percentile_interval(resampled[:, best] - resampled[:, worst]),
        std=float(means.std()),
        by_chance=float(np.ptp(shuffled, axis=-1).mean()),
        p_value=p_value,
        p_holm=p_value,
        at_start=float(np.ptp(at_start)),
    )


def _shares(
    parts: VarianceParts, noise: VarianceParts, drawn: VarianceParts, names: Sequence[str]
) -> tuple[VarianceShare, ...]:
    """The parts of the variance; shares and their intervals are of what the noise leaves.

    A resample's variances are too large by the noise twice, once as the sample's are and once more
    by the resampling itself: both are taken off.
    """
    whole, lost = float(parts.whole), float(noise.whole)
    rest = whole - lost
    observed, noises = _in_order(parts), _in_order(noise)
    corrected = observed - noises
    shares, resampled = _divide(corrected), _divide(_in_order(drawn) - 2 * noises)
    totals = parts.total - noise.total
    found = []
    for place, name in enumerate([*names, INTERACTIONS]):
        divided = rest > _ZERO
        total = float(totals[place]) / rest if divided and place < len(names) else None
        found.append(
            VarianceShare(
                name,
                max(0.0, float(observed[place])),
                float(noises[place]),
                float(corrected[place]),
                float(observed[place]) / whole if whole > _ZERO else None,
                float(shares[place]) if divided else None,
                percentile_interval(resampled[:, place]) if divided else None,
                None if total is None else min(1.0, max(0.0, total)),
            )
        )
    return tuple(found)


def _in_order(parts: VarianceParts) -> Cells:
    """The main effects, and the interactions behind them: ``[..., part]``."""
    return np.concatenate([parts.main, np.asarray(parts.interactions)[..., None]], axis=-1)


def _divide(parts: Cells) -> Cells:
    """Shares ``[..., part]``; a part below 0 is none, and where all are, so is every share."""
    positive = np.maximum(parts, 0.0)
    whole = positive.sum(axis=-1, keepdims=True)
    return positive / np.where(whole > 0, whole, 1.0)


def _unbiased_extremes(values: Cells, seed: int) -> tuple[float, float]:
    """The worst and the best prompt picked on one half of the examples, measured on the other."""
    picked, measured = (half.reshape(len(half), -1) for half in split_halves(values, seed))
    rows = np.arange(len(picked))
    low, high = picked.argmin(axis=1), picked.argmax(axis=1)
    return float(measured[rows, low].mean()), float(measured[rows, high].mean())


def _stability(
    values: Cells, drawn: Cells, names: Sequence[str], seed: int
) -> tuple[RankStability, ...]:
    """How alike the wordings are ranked between levels of every other factor."""
    if RANKED not in names or values.shape[names.index(RANKED)] < 2:
        return ()
    ranked = names.index(RANKED)
    one, other = split_halves(values, seed)
    found = []
    for place, name in enumerate(names):
        if place == ranked:
            continue
        taus = _taus(_ranked_by(values.mean(axis=-1)[None], ranked, place))[0]
        if np.isnan(taus).all():
            continue
        resampled = _taus(_ranked_by(drawn, ranked, place))
        known = resampled[~np.isnan(resampled).all(axis=1)]
        halves = kendall_tau(_ranked_by(one, ranked, place), _ranked_by(other, ranked, place))
        found.append(
            RankStability(
                name,
                float(np.nanmean(taus)),
                percentile_interval(np.nanmean(known, axis=1)),
                float(np.nanmin(taus)),
                float(np.nanmean(halves)) if not np.isnan(halves).all() else 0.0,
            )
        )
    return tuple(found)


def _ranked_by(cells: Cells, ranked: int, place: int) -> Cells:
    """Means ``[resample, level, wording]`` over all but the wordings and one other factor."""
    count = cells.ndim - 1
    kept = {1 + ranked, 1 + place}
    means = cells.mean(axis=tuple(axis for axis in range(1, count + 1) if axis not in kept))
    return means.swapaxes(1, 2) if ranked < place else means


def _taus(means: Cells) -> Cells:
    """Kendall's tau of every pair of levels: ``[resample, pair]``."""
    pairs = list(combinations(range(means.shape[1]), 2))
    return np.stack([kendall_tau(means[:, a], means[:, b]) for a, b in pairs], axis=1)
