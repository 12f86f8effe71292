"""Numbers and results as people read them: per cent, p-values, durations, and evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_COSTS = {"tokens", "seconds", "unparsed_rate"}
_NOT_PER_CENT = {
    "matthews", "calibration_error", "mean_reciprocal_rank", "mean_absolute_error",
    "quadratic_kappa", "tokens", "seconds",
}  # fmt: skip
_PER_CENT = "\u00a0%"
COUNTS = ("n", "n_missing", "n_distinct")
"""What stands among a record of scores and is none."""
TESTS = {"mcnemar_exact": "exact McNemar test", "paired_bootstrap": "paired bootstrap test"}
"""The tests' names as they stand in a sentence."""


def as_number(value: Any) -> float | None:
    """``value`` as a finite float, else ``None``: records may hold null or NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def format_percent(share: float) -> str:
    """0.8431 as "84.3 %", with a no-break space."""
    return f"{100 * share:.1f}{_PER_CENT}"


def format_points(difference: float, measure: str = "accuracy") -> str:
    """0.331 as "33.1 points"; of a metric that is no share, the number itself."""
    if measure in _NOT_PER_CENT or abs(difference) > 1:
        return f"{abs(difference):.3f}"
    return f"{abs(100 * difference):.1f} points"


def format_metric(name: str, value: float) -> str:
    """A share as per cent; a coefficient, or anything outside [0, 1], as a plain number."""
    if name in _NOT_PER_CENT or not 0 <= value <= 1:
        return f"{value:.3f}"
    return format_percent(value)


def format_p_value(p: float) -> str:
    """ "p < 0.001", "p = 0.004" or "p = 0.41"."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def format_duration(seconds: float) -> str:
    """A duration as people read it.

    Args:
        seconds: The duration, in seconds.

    Returns:
        Its two largest units; below ten seconds a tenth, too.

    Example:
        >>> [format_duration(seconds) for seconds in (7.25, 42, 725, 7500)]
        ['7.2 s', '42 s', '12 min 5 s', '2 h 5 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_count(value: float) -> str:
    """1234567 as "1.23 M", 84210 as "84.2 k"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if value >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}\u00a0{unit}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def read_interval(ci: Any) -> tuple[float, float] | None:
    """A recorded ``[low, high]``, or ``None`` when there is none."""
    if not isinstance(ci, (list, tuple)) or len(ci) != 2:
        return None
    low, high = as_number(ci[0]), as_number(ci[1])
    return None if low is None or high is None else (low, high)


def format_interval(name: str, low: float, high: float) -> str:
    """Two values of a metric as "77.3\u201384.6 %"."""
    first, last = format_metric(name, low), format_metric(name, high)
    return f"{first.removesuffix(_PER_CENT) if last.endswith(_PER_CENT) else first}\u2013{last}"


def leading_metric(scores: Mapping[str, Any], board: Mapping[str, Any]) -> str:
    """The metric that the report leads with: the objective, but for a cost, of which accuracy."""
    objective = str(board.get("objective", "accuracy"))
    if objective in scores and objective not in _COSTS:
        return objective
    return "accuracy" if "accuracy" in scores else objective


def interval_of(scores: Mapping[str, Any], measure: str) -> tuple[float, float] | None:
    """The 95 % interval of a measure in a record of scores, if it has one."""
    return read_interval(scores.get("ci95" if measure == "accuracy" else f"{measure}_ci95"))


def evidence_sentence(scores: Mapping[str, Any], measure: str) -> str:
    """How sure a value is, as a sentence with a blank after it."""
    known = []
    if (ci := interval_of(scores, measure)) is not None:
        known.append(f"95 % interval {format_interval(measure, *ci)}")
    if as_number(scores.get("n")) is not None:
        known.append(describe_examples(scores))
    text = ", ".join(known)
    return f"{text[:1].upper()}{text[1:]}. " if text else ""


def describe_examples(scores: Mapping[str, Any]) -> str:
    """Over how many examples a figure is: "90 examples", "16 of 24 examples answered"."""
    n, missing = int(scores["n"]), int(scores.get("n_missing") or 0)
    told = f"{n} of {n + missing} examples answered" if missing else f"{n} examples"
    distinct = int(scores.get("n_distinct") or n)
    return told if distinct == n else f"{told}, {distinct} distinct texts"


def comparisons_on_test(board: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the winner is compared with on test, the chosen reference before the majority class."""
    rows = [row for row in board.get("comparisons") or [board.get("comparison")] if row]
    return sorted(rows, key=lambda row: "why" not in row)


def comparison_text(board: Mapping[str, Any]) -> str:
    """The comparisons as sentences, empty when none was made."""
    maximise = bool(board.get("maximise", True))
    return " ".join(filter(None, (_told(row, maximise) for row in comparisons_on_test(board))))


def is_better(comparison: Mapping[str, Any], maximise: bool) -> bool:
    """Whether a difference is for the better; of accuracy more is better, whatever is studied."""
    up = maximise or comparison.get("measure") == "accuracy"
    return (float(comparison["difference"]) > 0) == up


def _told(comparison: Mapping[str, Any], maximise: bool) -> str:
    difference, p = as_number(comparison.get("difference")), as_number(comparison.get("p_value"))
    if difference is None or p is None:
        return ""
    name = str(comparison.get("baseline", "majority"))
    name = (
        f"{name}, {comparison['why']}" if "why" in comparison else f"the {in_words(name)} baseline"
    )
    if comparison.get("test") == "not_compared":
        return f"It was not compared with {name}: no example was answered by both."
    test = TESTS.get(str(comparison.get("test")), in_words(str(comparison.get("test", "test"))))
    evidence = f"({test}, {format_p_value(p)})"
    if p >= 0.05:
        return f"It cannot be told from {name} {evidence}."
    side = "better" if is_better(comparison, maximise) else "worse"
    apart = format_points(difference, str(comparison.get("measure", "accuracy")))
    return f"That is {apart} {side} than {name} {evidence}."


def in_words(name: str) -> str:
    """``macro_f1`` as "macro f1"."""
    return name.replace("_", " ")
