"""What the report of a learning curve shows, as ready text and geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from promptlab.study import formatting
from promptlab.study.report import leaderboard_rows as report_rows
from promptlab.study.report.curve_plot import curve_plot, tone
from promptlab.study.report.curve_sentences import (
    difference_text,
    interval_text,
    relative_standing,
    unit_of,
)

_CHIPS = {"leads": "leads", "behind": "is behind", "level": "not distinguishable"}
_NOTHING = "–"


def curve_page(document: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the template of a learning curve shows but its settings."""
    statements = list(document["statements"])
    measure = str(document["objective"])
    return {
        "study": document["study"],
        "about": report_rows.facts_about(document),
        "headline": _headline(document),
        "statements": statements,
        "tiles": _tiles(document),
        "measure": formatting.in_words(measure),
        "unit": unit_of(document),
        "plot": curve_plot(document),
        "sizes": document["sizes"],
        "means": [_mean_row(document, *entry) for entry in enumerate(document["methods"])],
        "baseline": document["baseline"],
        "comparisons": [_comparison_row(document, row) for row in document["comparisons"]],
        "cells": [_cell_row(measure, cell) for cell in document["cells"]],
    }


def _headline(document: Mapping[str, Any]) -> str:
    """How far the methods get, and against whom."""
    rows = document["comparisons"]
    leads = [row for row in rows if relative_standing(row, document["maximise"]) == "leads"]
    if not rows:
        return f"{len(document['methods'])} methods over {len(document['sizes'])} sizes."
    if not leads:
        return f"No method leads {document['baseline']} at any size."
    widest = max(leads, key=lambda row: abs(row["difference"]))
    gap = difference_text(widest["measure"], widest["difference"])
    return (
        f"{widest['method']} leads {document['baseline']} by most at {widest['size']} "
        f"{unit_of(document)}: {gap}."
    )


def _tiles(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Key figures as (name, value, remark)."""
    cells, seeds = document["cells"], document["seeds"]
    states = Counter(cell["state"] for cell in cells)
    remark = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    return [
        ("cells", str(len(cells)), remark),
        ("seeds", str(len(seeds)), ", ".join(map(str, seeds))),
        ("test examples", str(document["task"]["n_test"]), "the same for every cell"),
        (
            "cost",
            formatting.format_duration(document["seconds"]),
            f"{formatting.format_count(document['tokens'])} tokens predicted with",
        ),
    ]


def _mean_row(
    document: Mapping[str, Any], number: int, method: Mapping[str, Any]
) -> dict[str, Any]:
    """One method's line of the table of means: (value, interval) for every size."""
    measure = str(document["objective"])
    known = {row["size"]: row for row in document["curves"] if row["method"] == method["name"]}
    cells = []
    for size in document["sizes"]:
        row = known.get(size)
        if row is None:
            cells.append((_NOTHING, _why_not(document, method["name"], size)))
            continue
        ci = formatting.read_interval([row["low"], row["high"]])
        below = interval_text(measure, *ci) if ci else ""
        cells.append((formatting.format_metric(measure, row["mean"]), below))
    return {"name": method["name"], "kind": method["kind"], "tone": tone(number), "cells": cells}


def _why_not(document: Mapping[str, Any], method: str, size: int) -> str:
    states = {
        cell["state"]
        for cell in document["cells"]
        if (cell["method"], cell["size"]) == (method, size)
    }
    return ", ".join(sorted(states))


def _comparison_row(document: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """One paired test against the baseline."""
    found = relative_standing(row, document["maximise"])
    style = {"leads": "winner", "behind": "worse", "level": "level"}[found]
    low, high = row["ci95"]
    return {
        "method": row["method"],
        "size": row["size"],
        "difference": difference_text(row["measure"], row["difference"]),
        "limits": (
            f"{difference_text(row['measure'], low)} to {difference_text(row['measure'], high)}"
        ),
        "p_value": formatting.format_p_value(row["p_holm"]),
        "test": formatting.TESTS.get(row["test"], row["test"]),
        "style": style,
        "standing": _CHIPS[found],
    }


def _count_text(cell: Mapping[str, Any]) -> str:
    """Over how many examples; "16 of 24" where some were not answered."""
    if cell["n"] is None:
        return ""
    missing = cell.get("n_missing") or 0
    return f"{cell['n']} of {cell['n'] + missing}" if missing else str(cell["n"])


def _cell_row(measure: str, cell: Mapping[str, Any]) -> dict[str, Any]:
    """One fitted predictor."""
    value = formatting.as_number(cell["value"])
    done = cell["state"] == "complete"
    note = cell["reason"] or ""
    if cell["repeats"] is not None:
        note = f"as with seed {cell['repeats']}"
    return {
        "method": cell["method"],
        "size": cell["size"],
        "seed": cell["seed"],
        "value": cell["state"] if value is None else formatting.format_metric(measure, value),
        "n": _count_text(cell),
        "tokens": formatting.format_count(cell["tokens"]) if done else "",
        "seconds": formatting.format_duration(cell["seconds"]),
        "note": note,
    }
