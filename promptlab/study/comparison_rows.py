"""What the report's tables of comparisons show: groups on dev, and the winner on test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.study import wording


def comparison_rows(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner against each of what it is compared with on test, the reference first."""
    best = board.get("best") or {}
    measure = wording.measure_of(best.get("test") or {}, board)
    tests = {row["name"]: row.get("test") or {} for row in board.get("baselines") or []}
    rows = [_comparison(row, tests, best, measure) for row in wording.comparisons(board)]
    return [row for row in rows if row is not None]


def gain_rows(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every group's best candidate on dev beside the baseline group's best."""
    measure = str(board["objective"])
    return [
        {
            "group": str(row["group"]).replace("_", " "),
            "name": row["name"],
            "value": wording.metric_value(measure, row["value"]),
            "baseline": wording.metric_value(measure, row["baseline_value"]),
            "difference": f"{100 * row['difference']:+.1f} points",
            "p": wording.p_value(row["p_value"]),
            "tokens": "" if row["tokens_ratio"] is None else f"{row['tokens_ratio']:.1f} times",
            "style": _GAIN_STYLES.get(row["verdict"].rpartition(" ")[0], "level"),
            "standing": row["verdict"].rpartition(" ")[0],
        }
        for row in board.get("gains") or []
    ]


_GAIN_STYLES = {"measurably better": "better", "measurably worse": "worse"}
"""How a gain's verdict is coloured; none is level."""


def _comparison(
    row: Mapping[str, Any],
    tests: Mapping[str, Mapping[str, Any]],
    best: Mapping[str, Any],
    measure: str,
) -> dict[str, Any] | None:
    difference, p = wording.number(row.get("difference")), wording.number(row.get("p_value"))
    if difference is None or p is None:
        return None
    name = str(row.get("baseline"))
    ci = wording.interval(row.get("ci95"))
    style, standing = "level", "not distinguishable"
    if p < 0.05:
        style, standing = ("better", "better") if difference > 0 else ("worse", "worse")
    return {
        "name": name,
        "why": row.get("why") or "",
        "own": _value(best.get("test") or {}, measure),
        "other": _value(tests.get(name, {}), measure),
        "difference": f"{100 * difference:+.1f} points",
        "limits": "" if ci is None else f"{100 * ci[0]:+.1f} to {100 * ci[1]:+.1f}",
        "p": wording.p_value(p),
        "test": wording.TESTS.get(str(row.get("test")), str(row.get("test"))),
        "discordant": row.get("n_discordant", ""),
        "style": style,
        "standing": standing,
    }


def _value(scores: Mapping[str, Any], measure: str) -> str:
    value = wording.number(scores.get(measure))
    return "" if value is None else wording.metric_value(measure, value)
