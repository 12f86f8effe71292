"""The report's plots as plain geometry.

Positions are per cent of the drawing, so that one drawing fits a desk and a phone and its text
keeps its size; the template turns them into SVG and escapes every text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from promptlab.study.formatting import as_number, format_count, format_metric
from promptlab.study.report.scale import Scale, Tick, cost_scale, scale_over

_MAX_TONES = 5
_MAX_LABELS = 40
_HEAT_LEVELS = 10


@dataclass(frozen=True)
class Dot:
    """A mark with the text shown when the pointer is on it."""

    x: float
    y: float
    title: str
    tone: str = ""


@dataclass(frozen=True)
class Whisker:
    """A value with its interval."""

    low: float
    at: float
    high: float
    title: str


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Chart:
    """A plot with two axes."""

    label: str
    dots: list[Dot]
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


@dataclass
class SpreadRow:
    """One template's trials; ``text`` is the best one's value."""

    label: str
    text: str
    dots: list[Dot] = field(default_factory=list)


@dataclass(frozen=True)
class Spread:
    """The trials grouped by template; colours stand for one more setting."""

    rows: list[SpreadRow]
    tone_name: str
    tones: list[tuple[str, str]]


@dataclass(frozen=True)
class Bar:
    """A named share of the whole width."""

    label: str
    width: float
    text: str


@dataclass(frozen=True)
class ConfusionCell:
    """One cell of the confusion matrix; ``heat`` runs from 0 to 10 within its row."""

    text: str
    share: str
    heat: int
    title: str


@dataclass(frozen=True)
class Confusion:
    """True labels down, predicted labels across."""

    columns: list[str]
    rows: list[tuple[str, list[ConfusionCell]]]


def whisker(scale: Scale, value: float, ci: tuple[float, float] | None, title: str) -> Whisker:
    """A value on ``scale`` with its interval, or without width when there is none."""
    low, high = ci or (value, value)
    return Whisker(scale.at(low), scale.at(value), scale.at(high), title)


def spread_plot(
    trials: Sequence[Mapping[str, Any]],
    measure: str,
    scale: Scale,
    importances: Mapping[str, float],
    winner: int | None,
) -> Spread:
    """One row a template, one dot a trial, coloured by the most telling other setting.

    ``trials`` come best first, and so do the rows.
    """
    tone_name, tones = _tones(trials, importances)
    rows: dict[str, SpreadRow] = {}
    for trial in trials:
        value = as_number((trial.get("dev") or {}).get(measure))
        if value is None:
            continue
        label = template_name(trial)
        text = format_metric(measure, value)
        row = rows.setdefault(label, SpreadRow(label, text))
        setting = str(_settings(trial).get(tone_name))
        tone = tones.get(setting, "tone-0") + (" winner" if trial["number"] == winner else "")
        title = f"Trial {trial['number']}: {trial.get('name', '')}, {text}"
        row.dots.append(Dot(scale.at(value), 50, title, tone))
    return Spread(list(rows.values()), tone_name, [(tone, text) for text, tone in tones.items()])


def template_name(trial: Mapping[str, Any]) -> str:
    """The template's name or text, where the trial has one, else the trial's own name."""
    template = (trial.get("candidate") or {}).get("template")
    if isinstance(template, Mapping):
        template = template.get("name") or template.get("text")
    return template if isinstance(template, str) else str(trial.get("name", trial.get("kind", "")))


def history_chart(history: Sequence[Mapping[str, Any]], objective: str) -> Chart:
    """Every trial's value, and the best so far as a line of steps."""
    steps = [
        (row["number"], as_number(row.get("value")), as_number(row.get("best"))) for row in history
    ]
    known = [value for _, *pair in steps for value in pair if value is not None]
    y = scale_over(known, start=88, end=6)
    numbers = [float(position) for position, _, _ in steps] or [0.0]
    x = Scale(min(numbers), max(numbers) + (max(numbers) == min(numbers)), _whole(numbers), 12, 97)
    dots = [
        Dot(x.at(at), y.at(value), f"Trial {at}: {format_metric(objective, value)}", "tone-0")
        for at, value, _ in steps
        if value is not None
    ]
    lines: list[Line] = []
    best = [(x.at(at), y.at(value)) for at, _, value in steps if value is not None]
    for (x1, y1), (x2, y2) in pairwise(best):
        lines.append(Line(x1, y1, x2, y1))
        if y1 != y2:
            lines.append(Line(x2, y1, x2, y2))
    return Chart(
        f"Optimisation history: {objective} of {len(dots)} trials",
        dots,
        lines,
        x.ticks(lambda value: f"{value:.0f}"),
        y.ticks(lambda value: axis_text(objective, value)),
    )


def cost_chart(trials: Sequence[Mapping[str, Any]], measure: str, winner: int | None) -> Chart:
    """What each prompt costs (tokens an example) against what it is worth.

    ``trials`` come best first; those that no cheaper trial beats are linked.
    """
    known: list[tuple[float, int, float, Mapping[str, Any]]] = []
    for rank, trial in enumerate(trials):
        value = as_number((trial.get("dev") or {}).get(measure))
        tokens = as_number(trial.get("tokens_per_example"))
        if value is not None and tokens is not None:
            known.append((tokens, rank, value, trial))
    known.sort(key=lambda row: row[:2])
    x = cost_scale([row[0] for row in known], start=12, end=97)
    y = scale_over([row[2] for row in known], start=88, end=6)
    dots: list[Dot] = []
    frontier: list[tuple[float, float]] = []
    best_rank = len(trials)
    for tokens, rank, value, trial in known:
        title = (
            f"Trial {trial['number']}: {trial.get('name', '')}, {format_metric(measure, value)}, "
            f"{format_count(tokens)} tokens an example"
        )
        tone = "tone-0" if rank < best_rank else "tone-quiet"
        tone += " winner" if trial["number"] == winner else ""
        dots.append(Dot(x.at(tokens), y.at(value), title, tone))
        if rank < best_rank:
            best_rank = rank
            frontier.append((x.at(tokens), y.at(value)))
    lines: list[Line] = []
    for (x1, y1), (x2, y2) in pairwise(frontier):
        lines += [Line(x1, y1, x2, y1), Line(x2, y1, x2, y2)]
    return Chart(
        f"Cost against {measure} of {len(dots)} trials",
        dots,
        lines,
        x.ticks(format_count),
        y.ticks(lambda value: axis_text(measure, value)),
    )


def importance_bars(importances: Mapping[str, Any]) -> list[Bar]:
    """One bar a parameter, the most important first."""
    known = {name: value for name, v in importances.items() if (value := as_number(v)) is not None}
    total = max(known.values(), default=0.0)
    ordered = sorted(known.items(), key=lambda item: (-item[1], item[0]))
    return [
        Bar(name, round(100 * max(0.0, value) / total, 2) if total > 0 else 0.0, f"{value:.2f}")
        for name, value in ordered
    ]


def confusion_grid(confusion: Mapping[str, Any]) -> Confusion | None:
    """The matrix with shares of each true label as heat; ``None`` when it is empty or too large."""
    labels = [str(label) for label in confusion.get("labels") or []]
    if not labels or len(labels) > _MAX_LABELS:
        return None
    matrix = confusion.get("matrix") or _dense_matrix(confusion.get("cells") or [], len(labels))
    if not matrix:
        return None
    # A last column beyond the labels counts the replies that could not be parsed.
    columns = labels + ["(unparsed)"] * (max(map(len, matrix)) - len(labels))
    rows = []
    for true, counts in zip(labels, matrix, strict=False):
        total = sum(counts)
        cells = [
            ConfusionCell(
                text=str(found),
                share=f"{100 * found / total:.0f}\u00a0%" if total else "",
                heat=round(_HEAT_LEVELS * found / total) if total else 0,
                title=f"{found} of {total} {true}: predicted {column}",
            )
            for column, found in zip(columns, counts, strict=False)
        ]
        rows.append((true, cells))
    return Confusion(columns, rows)


def _dense_matrix(cells: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """The matrix of cells that are written sparsely; none without a cell."""
    matrix = [[0] * size for _ in range(size)]
    for row, column, found in cells:
        matrix[row][column] = found
    return matrix if cells else []


def axis_text(measure: str, value: float) -> str:
    """A tick's text: per cent without decimals where the metric is a share."""
    return format_metric(measure, value).replace(".0\u00a0%", "\u00a0%")


def _whole(numbers: Sequence[float]) -> float:
    """A step of whole trials that gives about five ticks."""
    return max(1.0, scale_over([min(numbers), max(numbers)]).step)


def _tones(
    trials: Sequence[Mapping[str, Any]], importances: Mapping[str, float]
) -> tuple[str, dict[str, str]]:
    """The setting to colour by, and a colour for each of its values."""
    values: dict[str, dict[str, None]] = defaultdict(dict)
    for trial in trials:
        for name, value in _settings(trial).items():
            if isinstance(value, (str, int, bool)) or value is None:
                values[name][str(value)] = None
    fitting = [
        name for name, seen in values.items() if name != "template" and 2 <= len(seen) <= _MAX_TONES
    ]
    if not fitting:
        return "", {}
    chosen = max(fitting, key=lambda name: as_number(importances.get(name)) or 0.0)
    return chosen, {value: f"tone-{place}" for place, value in enumerate(sorted(values[chosen]))}


def _settings(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate's plain settings with its kind among them; `params` go before what they set."""
    params = {name.rsplit(".", 1)[-1]: value for name, value in (trial.get("params") or {}).items()}
    params.pop("group", None)
    plain = {
        name: value
        for name, value in (trial.get("candidate") or {}).items()
        if not isinstance(value, Mapping)
    }
    return {"kind": trial.get("kind"), **plain, **params}
