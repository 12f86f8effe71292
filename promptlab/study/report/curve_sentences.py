"""A learning curve in sentences: who leads where, and where the other has caught up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from promptlab.study import formatting

LEADS, LEVEL, BEHIND = "leads", "level", "behind"


def curve_statements(document: Mapping[str, Any]) -> list[str]:
    """The ends of every curve, every method against the baseline, and what has no value."""
    told = [_ends(document, method["name"]) for method in document["methods"]]
    for method in document["methods"]:
        told += _against(document, method["name"])
    return [sentence for sentence in [*told, *_missing(document)] if sentence]


def relative_standing(row: Mapping[str, Any], maximise: bool) -> str:
    """What a comparison says of its method: it leads, is behind, or is level."""
    if not row["distinguishable"]:
        return LEVEL
    return LEADS if (row["difference"] > 0) == maximise else BEHIND


def difference_text(measure: str, difference: float) -> str:
    """A signed difference: points of a share, else a plain number."""
    if formatting.format_metric(measure, 0.5).endswith("%") and abs(difference) <= 1:
        return f"{100 * difference:+.1f} points"
    return f"{difference:+.3f}"


def unit_of(document: Mapping[str, Any]) -> str:
    """What sizes count."""
    return "labels a class" if document["task"]["labels"] else "labelled examples"


def _ends(document: Mapping[str, Any], method: str) -> str:
    rows = [row for row in document["curves"] if row["method"] == method]
    if not rows:
        return f"{method} has no value at any size."
    measure = document["objective"]

    def text(row: Mapping[str, Any]) -> str:
        value = formatting.format_metric(measure, row["mean"])
        ci = formatting.read_interval([row["low"], row["high"]])
        told = "one seed" if row["n_seeds"] == 1 else f"{row['n_seeds']} seeds"
        if row["std"] == 0:
            told += ", all the same"
        elif ci is not None:
            told += f", 95 % interval {interval_text(measure, *ci)}"
        return f"{value} at {row['size']} ({told})"

    parts = [text(row) for row in ([rows[0], rows[-1]] if len(rows) > 1 else rows)]
    name, unit = formatting.in_words(measure), unit_of(document)
    return f"{method}: {name} on test {' and '.join(parts)} {unit}."


def interval_text(measure: str, low: float, high: float) -> str:
    """An interval of a mean; a share's is cut at 0 and 1, which no share can pass."""
    if formatting.format_metric(measure, 0.5).endswith("%"):
        low, high = max(0.0, low), min(1.0, high)
    return formatting.format_interval(measure, low, high)


def _against(document: Mapping[str, Any], method: str) -> list[str]:
    """A sentence for every stretch of sizes over which one standing holds."""
    baseline, maximise = document["baseline"], document["maximise"]
    rows = [row for row in document["comparisons"] if row["method"] == method]
    told, before = [], ""
    for found, stretch in groupby(rows, key=lambda row: relative_standing(row, maximise)):
        members = list(stretch)
        widest = max(members, key=lambda row: abs(row["difference"]))
        at = _stretch([row["size"] for row in members], unit_of(document))
        told.append(_sentence(found, before, method, baseline, at, widest))
        before = found
    alone = _alone(document, method)
    if alone and baseline is not None and method != baseline:
        told.insert(0, f"{_stretch(alone, unit_of(document)).capitalize()} only {method} answers.")
    return told


def _sentence(
    found: str, before: str, method: str, baseline: str, at: str, widest: Mapping[str, Any]
) -> str:
    p_value = formatting.format_p_value(widest["p_holm"])
    gap = difference_text(widest["measure"], widest["difference"])
    if found == LEADS:
        return f"{method} leads {baseline} {at} ({gap} at {widest['size']}, {p_value})."
    if found == BEHIND:
        return f"{baseline} leads {method} {at} ({gap} at {widest['size']}, {p_value})."
    gone = f"not distinguishable ({gap} at {widest['size']}, {p_value})"
    if before:
        follower = baseline if before == LEADS else method
        return f"{at.capitalize()} {follower} has caught up: {gone}."
    return f"{at.capitalize()} {method} and {baseline} are {gone}."


def _stretch(sizes: Sequence[int], unit: str) -> str:
    if len(sizes) == 1:
        return f"at {sizes[0]} {unit}"
    return f"from {sizes[0]} to {sizes[-1]} {unit}"


def _alone(document: Mapping[str, Any], method: str) -> list[int]:
    """The sizes at which ``method`` has a value and the baseline needs examples."""
    cells = document["cells"]
    needs = {
        cell["size"]
        for cell in cells
        if cell["method"] == document["baseline"] and cell["state"] == "needs examples"
    }
    own = {c["size"] for c in cells if c["method"] == method and c["state"] == "complete"}
    return sorted(needs & own)


def _missing(document: Mapping[str, Any]) -> list[str]:
    """What was left out, and why."""
    cells = document["cells"]
    told = []
    for method in document["methods"]:
        name = method["name"]
        needing = [c for c in cells if c["method"] == name and c["state"] == "needs examples"]
        if needing:
            told.append(f"{name} needs examples and has no value without ({needing[0]['reason']}).")
        failed = [c for c in cells if c["method"] == name and c["state"] == "failed"]
        if failed:
            own = sum(c["method"] == name for c in cells)
            told.append(
                f"{len(failed)} of {own} cells of {name} failed; the first, at "
                f"{failed[0]['size']} with seed {failed[0]['seed']}: {failed[0]['reason']}."
            )
    if missing := document.get("n_missing"):
        told.append(
            f"{missing:,} test examples were not answered in some cells; they are neither right "
            "nor wrong and in none of the figures. Run the study again: it asks for them alone."
        )
    told.append(f"All {len(cells)} cells are reported; nothing was chosen by the test split.")
    return told
