"""``sensitivity.html``: one page with plots that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptlab.study.formatting import format_count, format_p_value, format_percent, in_words
from promptlab.study.report.leaderboard_rows import prompt_parts
from promptlab.study.report.plots import Dot, Whisker, axis_text, whisker
from promptlab.study.report.report import render_page
from promptlab.study.report.scale import Scale, Tick, scale_over
from promptlab.study.sensitivity.design import FACTORS

if TYPE_CHECKING:
    from promptlab.study.sensitivity.result import (
        FactorSpread,
        PromptCase,
        Sensitivity,
        VarianceShare,
    )

_TONES = 5
_LEFT, _RIGHT = 12.0, 97.0
_SHARE = Scale(0.0, 1.0, 0.25, 0.0, 100.0)


@dataclass(frozen=True)
class RankLine:
    """One wording over the levels of another factor: its points in per cent, ``"x,y x,y"``."""

    name: str
    tone: str
    points: str
    dots: list[Dot]


@dataclass(frozen=True)
class RankPlot:
    """The wordings' means at every level of another factor: lines that cross change ranks."""

    factor: str
    levels: str
    told: str
    lines: list[RankLine]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def sensitivity_page(found: Sensitivity) -> str:
    """The result as an HTML page: style, script and plots inside, no request to anywhere.

    Every text of prompts, answers and names is escaped.
    """
    page = _page(found)
    return render_page("sensitivity.html.jinja", page, package="promptlab.study.sensitivity")


def _page(found: Sensitivity) -> dict[str, Any]:
    scale = scale_over(_values(found))
    tone_factor = _coloured_by(found)
    return {
        "study": found.name,
        "about_rows": [
            ("task", found.task),
            ("model", found.model),
            ("measured", in_words(found.metric)),
            ("dev texts", str(found.n)),
        ],
        "headline": _headline(found),
        "started_from": found.started_from,
        "statements": found.statements,
        "remarks": found.remarks,
        "tiles": _tiles(found),
        "measure": in_words(found.metric),
        "ticks": scale.ticks(lambda value: axis_text(found.metric, value)),
        "share_ticks": _SHARE.ticks(lambda value: f"{100 * value:.0f} %"),
        "shares": [_share_row(row) for row in found.shares],
        "factors": [_factor_row(spread, scale) for spread in found.spreads],
        "tone_name": FACTORS.get(tone_factor, ""),
        "tones": [(_tone(n), name) for n, name in enumerate(found.factors.get(tone_factor, ()))],
        "wordings": _wording_rows(found, scale, tone_factor),
        "ranks": [_rank_plot(found, row.factor, row.tau, row.by_halves) for row in found.stability],
        "cases": [
            _case_row("worst", found.worst, found),
            _case_row("started from", found.start, found),
            _case_row("best", found.best, found),
        ],
        "prompts": [
            _prompt_row(case, found) for case in sorted(found.prompts, key=lambda c: -c.value)
        ],
        "varied": [FACTORS[name] for name in _varied(found)],
        "seed": found.seed,
    }


def _headline(found: Sensitivity) -> str:
    low, high = format_percent(found.worst.value), format_percent(found.best.value)
    return f"{low} to {high}: the same request, written in {len(found.prompts)} ways."


def _tiles(found: Sensitivity) -> list[tuple[str, str, str]]:
    """Key figures as (name, value, remark)."""
    low, high = found.worst.ci95
    widest = found.spreads[0]
    part = min(1.0, found.noise / found.variance) if found.variance else 0.0
    noise = f"{format_percent(part)} of the variance is noise of the sample"
    interval = f"95 % interval {100 * low:.0f} to {100 * high:.0f} %"
    unanswered = f", {found.n_missing} left out: not answered" if found.n_missing else ""
    return [
        ("worst case", format_percent(found.worst.value), interval),
        ("standard deviation", f"{100 * found.std:.1f} points", noise),
        ("moves it most", FACTORS[widest.factor], f"{100 * widest.spread:.1f} points"),
        (
            "prompts",
            str(len(found.prompts)),
            f"{format_count(found.n_asked)} answers asked for, {format_count(found.n_reused)} "
            f"of equal prompts{unanswered}",
        ),
    ]  # fmt: skip


def _values(found: Sensitivity) -> list[float]:
    """All that shares the page's horizontal axis."""
    values = [case.value for case in found.prompts]
    for spread in found.spreads:
        values += [end for level in spread.levels for end in level.ci95]
    return [*values, *found.worst.ci95, *found.best.ci95]


def _share_row(row: VarianceShare) -> dict[str, Any]:
    known = row.share is not None and row.ci95 is not None
    low, high = row.ci95 or (0.0, 0.0)
    share = row.share or 0.0
    text = format_percent(share) if known else "–"
    return {
        "name": FACTORS.get(row.source, row.source),
        "text": text,
        "title": f"{text}, 95 % interval {100 * low:.0f} to {100 * high:.0f} %" if known else text,
        "width": _SHARE.at(share),
        "low": _SHARE.at(low),
        "high": _SHARE.at(high),
        "known": known,
        "interval": f"{100 * low:.0f} to {100 * high:.0f} %" if known else "–",
        "observed": "–" if row.index is None else format_percent(row.index),
        "noise": f"{1e4 * row.noise:.2f}",
        "variance": f"{1e4 * row.variance:.2f}",
        "total": "–" if row.total_index is None else format_percent(row.total_index),
    }


def _factor_row(spread: FactorSpread, scale: Scale) -> dict[str, Any]:
    low, high = spread.ci95
    return {
        "id": spread.factor,
        "name": FACTORS[spread.factor],
        "spread": f"{100 * spread.spread:.1f}",
        "interval": f"{100 * low:.1f} to {100 * high:.1f}",
        "by_chance": f"{100 * spread.by_chance:.1f}",
        "std": f"{100 * spread.std:.1f}",
        "at_start": f"{100 * spread.at_start:.1f}",
        "p": format_p_value(spread.p_holm),
        "matters": spread.matters,
        "levels": [
            {
                "name": level.name,
                "text": format_percent(level.value),
                "mark": _mark(scale, level.value, level.ci95, level.name),
                "extreme": level.name in (spread.best, spread.worst),
            }
            for level in sorted(spread.levels, key=lambda level: -level.value)
        ],
    }


def _mark(scale: Scale, value: float, ci95: tuple[float, float], name: str) -> Whisker:
    title = f"{name}: {format_percent(value)} ({100 * ci95[0]:.1f} to {100 * ci95[1]:.1f})"
    return whisker(scale, value, ci95, title)


def _coloured_by(found: Sensitivity) -> str:
    """The factor beside wording that moves most and has few enough levels to be told by colour."""
    names = [spread.factor for spread in found.spreads if spread.factor != "wording"]
    return next((name for name in names if len(found.factors[name]) <= _TONES), "")


def _wording_rows(found: Sensitivity, scale: Scale, tone_factor: str) -> list[dict[str, Any]]:
    """One line a wording with a dot for each of its prompts, the best wording first."""
    rows: dict[str, list[PromptCase]] = {}
    for case in found.prompts:
        rows.setdefault(case.levels["wording"], []).append(case)
    levels = found.factors.get(tone_factor, ())
    told = []
    for name, cases in rows.items():
        dots = [
            Dot(
                scale.at(case.value),
                50,
                f"{format_percent(case.value)}: {_levels_text(case, found)}",
                _tone(levels.index(case.levels[tone_factor])) if tone_factor else _tone(0),
            )
            for case in cases
        ]
        mean = sum(case.value for case in cases) / len(cases)
        told.append({"name": name, "mean": mean, "text": format_percent(mean), "dots": dots})
    return sorted(told, key=lambda row: -row["mean"])


def _rank_plot(found: Sensitivity, factor: str, tau: float, by_halves: float) -> RankPlot:
    """The wordings' means over all prompts with a level of the factor."""
    levels, wordings = found.factors[factor], found.factors["wording"]
    means = {
        wording: [_mean_of(found, {"wording": wording, factor: level}) for level in levels]
        for wording in wordings
    }
    y = scale_over([value for row in means.values() for value in row], start=88, end=6)
    step = (_RIGHT - _LEFT) / max(1, len(levels) - 1)
    x = [round(_LEFT + step * place, 2) for place in range(len(levels))]
    lines = []
    for number, (wording, row) in enumerate(means.items()):
        dots = [
            Dot(at, y.at(value), f"{wording}, {level}: {format_percent(value)}", _tone(number))
            for at, value, level in zip(x, row, levels, strict=True)
        ]
        line = " ".join(f"{dot.x:g},{dot.y:g}" for dot in dots)
        lines.append(RankLine(wording, _tone(number), line, dots))
    return RankPlot(
        FACTORS[factor],
        "; ".join(f"{place} {level}" for place, level in enumerate(levels, 1)),
        f"Kendall's tau {tau:.2f}; between halves of the examples {by_halves:.2f}",
        lines,
        [Tick(at, str(place)) for place, at in enumerate(x, 1)],
        y.ticks(lambda value: axis_text(found.metric, value)),
    )


def _mean_of(found: Sensitivity, wanted: dict[str, str]) -> float:
    values = [case.value for case in found.prompts if wanted.items() <= case.levels.items()]
    return sum(values) / len(values)


def _case_row(name: str, case: PromptCase, found: Sensitivity) -> dict[str, Any]:
    low, high = case.ci95
    picked = "" if case.unbiased is None else format_percent(case.unbiased)
    return {
        "name": name,
        "value": format_percent(case.value),
        "interval": f"{100 * low:.1f} to {100 * high:.1f} %",
        "picked": picked,
        "levels": [(FACTORS[name], case.levels[name]) for name in _varied(found)],
        "prompt": prompt_parts(case.prompt),
    }


def _prompt_row(case: PromptCase, found: Sensitivity) -> dict[str, Any]:
    low, high = case.ci95
    return {
        "levels": [case.levels[name] for name in _varied(found)],
        "value": format_percent(case.value),
        "interval": f"{100 * low:.0f}–{100 * high:.0f}",
    }


def _varied(found: Sensitivity) -> list[str]:
    """The factors with two levels or more."""
    return [name for name, levels in found.factors.items() if len(levels) > 1]


def _levels_text(case: PromptCase, found: Sensitivity) -> str:
    return " · ".join(case.levels[name] for name in _varied(found))


def _tone(number: int) -> str:
    return f"tone-{number % _TONES}" + (" dashed" if number >= _TONES else "")
