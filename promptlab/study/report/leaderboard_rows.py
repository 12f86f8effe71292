"""What the report's lists show: figures, trials, controls and failures as ready text."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptlab.models.remote.cost import dollars_text
from promptlab.study import formatting
from promptlab.study.report import plots
from promptlab.study.report.composition import describe_answer_search
from promptlab.study.report.scale import Scale


def comparison_rows(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The winner against each of what it is compared with on test, the reference first."""
    best = board.get("best") or {}
    measure = formatting.leading_metric(best.get("test") or {}, board)
    tests = {row["name"]: row.get("test") or {} for row in board.get("baselines") or []}
    rows = [_comparison(row, tests, best, measure) for row in formatting.comparisons_on_test(board)]
    return [row for row in rows if row is not None]


def gain_rows(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every group's best candidate on dev beside the baseline group's best."""
    measure = str(board["objective"])
    return [
        {
            "group": str(row["group"]).replace("_", " "),
            "name": row["name"],
            "value": formatting.format_metric(measure, row["value"]),
            "baseline": formatting.format_metric(measure, row["baseline_value"]),
            "difference": f"{100 * row['difference']:+.1f} points",
            "p": formatting.format_p_value(row["p_value"]),
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
    difference, p = (
        formatting.as_number(row.get("difference")),
        formatting.as_number(row.get("p_value")),
    )
    if difference is None or p is None:
        return None
    name = str(row.get("baseline"))
    ci = formatting.read_interval(row.get("ci95"))
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
        "p": formatting.format_p_value(p),
        "test": formatting.TESTS.get(str(row.get("test")), str(row.get("test"))),
        "discordant": row.get("n_discordant", ""),
        "style": style,
        "standing": standing,
    }


def _value(scores: Mapping[str, Any], measure: str) -> str:
    value = formatting.as_number(scores.get(measure))
    return "" if value is None else formatting.format_metric(measure, value)


_LONGEST_TEXT = 4000  # characters of a prompt or a field
_OWN_SLOT = re.compile(
    r"(?P<slot>\{mask\})|(?P<soft>\{soft:[^{}]*\})|(?P<trigger>\{trigger:[^{}]*\})"
)
_SLOT = re.compile(
    r"(?P<slot>\{mask\}|\[MASK\]|<mask>|<extra_id_\d+>|_{3,})"
    r"|(?P<soft>\{soft:[^{}]*\})|(?P<trigger>\{trigger:[^{}]*\})"
)


def prompt_parts(prompt: str) -> list[tuple[str, str]]:
    """``prompt`` cut into (kind, text); the kind is slot, soft or trigger, else empty."""
    parts: list[tuple[str, str]] = []
    done = 0
    # a prompt with {mask} has no other slot: its [MASK] is a token that a search put there
    marks = _OWN_SLOT if "{mask}" in prompt else _SLOT
    for match in marks.finditer(prompt):
        parts += [("", prompt[done : match.start()]), (match.lastgroup or "", match.group())]
        done = match.end()
    parts.append(("", prompt[done:]))
    return [(kind, _clip(text)) for kind, text in parts if text]


def facts_about(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was studied, as (name, value)."""
    task, model = board.get("task") or {}, board.get("model") or {}
    device = f"on {model['device']}" if model.get("device") else ""
    known = [
        ("task", task.get("name")),
        ("model", " ".join(filter(None, (model.get("name"), model.get("dtype"), device)))),
        ("objective", board["objective"]),
        (f"equal for {task.get('metric')}", task.get("normalization")),
        *((split, task.get(f"n_{split}")) for split in ("train", "dev", "test")),
    ]
    return [(name, str(value)) for name, value in known if value not in (None, "")]


def tiles(
    board: Mapping[str, Any], complete: Sequence[Mapping[str, Any]], measure: str
) -> list[tuple[str, str, str]]:
    """Key figures as (name, value, remark)."""
    tiles = []
    best = board.get("best") or {}
    for split in ("test", "dev"):
        scores = best.get(split) or {}
        value = formatting.as_number(scores.get(measure))
        if value is not None:
            ci = formatting.interval_of(scores, measure)
            remark = f"n\u00a0=\u00a0{scores.get('n', '?')}"
            if missing := scores.get("n_missing"):
                remark += f" of {scores['n'] + missing} answered"
            if (distinct := scores.get("n_distinct") or scores.get("n")) != scores.get("n"):
                remark += f", {distinct:,} distinct texts"
            if ci is not None:
                remark = f"{formatting.format_interval(measure, *ci)}, {remark}"
            name = f"{formatting.in_words(measure)} on {split}"
            tiles.append((name, formatting.format_metric(measure, value), remark))
    known = [formatting.as_number((trial.get("dev") or {}).get(measure)) for trial in complete]
    values = [value for value in known if value is not None]
    if values:
        ends = formatting.format_interval(measure, min(values), max(values))
        tiles.append(("spread of the trials", ends, "worst and best on dev"))
    states = Counter(trial["state"] for trial in board["trials"])
    remark = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    tiles.append(("trials", str(len(board["trials"])), remark))
    unparsed = formatting.as_number(board.get("unparsed_rate"))
    if unparsed is not None:
        tiles.append(("unparsed replies", formatting.format_percent(unparsed), "of all replies"))
    tokens, seconds = (
        formatting.as_number(board.get("tokens")),
        formatting.as_number(board.get("seconds")),
    )
    cost = f"{formatting.format_count(tokens)} tokens" if tokens is not None else ""
    dollars = (board.get("cost") or {}).get("dollars")
    if dollars is not None:
        cost += f", {dollars_text(dollars)}"
    tiles.append(
        ("cost", formatting.format_duration(seconds) if seconds is not None else "not timed", cost)
    )
    return tiles


def trial_row(trial: Mapping[str, Any], rank: int, scale: Scale, measure: str) -> dict[str, Any]:
    """One line of the leaderboard."""
    scores = trial.get("dev") or {}
    value = formatting.as_number(scores.get(measure))
    ci = formatting.interval_of(scores, measure)
    text = "" if value is None else formatting.format_metric(measure, value)
    name = str(trial.get("name") or trial.get("kind") or "")
    limits = "" if ci is None else formatting.format_interval(measure, *ci)
    title = f"Trial {trial['number']}: {text}" + (f" ({limits})" if limits else "")
    return {
        "rank": rank if trial["state"] == "complete" else "",
        "number": trial["number"],
        "name": name,
        "kind": trial.get("kind") or "",
        "state": trial["state"],
        "reason": trial.get("reason"),
        "value": text,
        "whisker": None if value is None else plots.whisker(scale, value, ci, title),
        "standing": _standing(trial),
        "facts": _facts(trial, scores, limits),
        "unparsed": _optional(formatting.format_percent, trial.get("unparsed_rate")),
        "tokens": _optional(formatting.format_count, trial.get("tokens_per_example")),
        "seconds": _optional(formatting.format_duration, trial.get("seconds")),
        "prompt": prompt_parts(str(trial.get("prompt") or "")),
        "settings": [(key, _plain(item)) for key, item in (trial.get("candidate") or {}).items()],
    }


def _standing(trial: Mapping[str, Any]) -> tuple[str, str, str]:
    """The trial's place against the best one: style, short text, and what it means."""
    if trial["state"] != "complete":
        return (trial["state"], trial["state"], "")
    p = formatting.as_number(trial.get("p_vs_best"))
    text = formatting.format_p_value(p) if p is not None else ""
    if trial.get("distinguishable") is None:
        return ("", text, text)
    if trial["distinguishable"]:
        return ("worse", text or "worse", f"measurably worse, {text}".rstrip(", "))
    return ("level", text or "level", f"not distinguishable, {text}".rstrip(", "))


def _facts(
    trial: Mapping[str, Any], scores: Mapping[str, Any], limits: str
) -> list[tuple[str, str]]:
    """All that was measured of a trial, for its opened row."""
    facts = [("trial", str(trial["number"])), ("kind", str(trial.get("kind") or ""))]
    if limits:
        facts.append(("95 % interval", limits))
    for name, value in scores.items():
        known = formatting.as_number(value)
        if name == "n":
            facts.append(("examples", formatting.describe_examples(scores)))
        elif name in ("n_missing", "n_distinct"):
            continue
        elif known is not None:
            facts.append((formatting.in_words(name), formatting.format_metric(name, known)))
    facts += [
        ("against the best", _standing(trial)[2]),
        ("unparsed replies", _optional(formatting.format_percent, trial.get("unparsed_rate"))),
        ("not answered", str(trial.get("errors") or "")),
        ("cut to the window", _cut(trial.get("cut") or {})),
        ("tokens an example", _optional(formatting.format_count, trial.get("tokens_per_example"))),
        ("time", _optional(formatting.format_duration, trial.get("seconds"))),
        ("answers searched", _searched((trial.get("notes") or {}).get("answer_search"))),
    ]
    return [(name, text) for name, text in facts if text]


def _searched(found: Mapping[str, Any] | None) -> str:
    """The answers that a search has found, how many it tried, and the corrected score."""
    return "" if found is None else f"{found['answers']} ({describe_answer_search(found)})"


def _cut(counts: Mapping[str, Any]) -> str:
    """How many texts were cut to the window, if any."""
    if not counts.get("examples"):
        return ""
    return f"{counts['examples']:,} examples, {counts['tokens']:,} tokens not read"


def control_rows(
    best: Mapping[str, Any] | None,
    baselines: Sequence[Mapping[str, Any]],
    scale: Scale,
    measure: str,
) -> list[dict[str, Any]]:
    """The winner and the baselines, dev and test side by side."""
    rows = []
    first = [{"name": "winner", **best, "note": best["name"]}] if best else []
    for row in [*({**entry, "name": "winner"} for entry in first), *baselines]:
        marks = []
        for split in ("dev", "test"):
            scores = row.get(split) or {}
            value = formatting.as_number(scores.get(measure))
            if value is not None:
                text = formatting.format_metric(measure, value)
                ci = formatting.interval_of(scores, measure)
                marks.append((split, plots.whisker(scale, value, ci, f"{split}: {text}"), text))
        rows.append({"name": row["name"], "note": row.get("note") or "", "marks": marks})
    return rows


def failure_row(failure: Mapping[str, Any]) -> dict[str, Any]:
    """One wrong answer."""
    scores = failure.get("scores") or {}
    actual = failure.get("actual")
    log_probability = (
        formatting.as_number(scores.get(actual)) if isinstance(scores, Mapping) else None
    )
    fields = failure.get("fields") or {}
    return {
        "id": str(failure.get("example_id", "")),
        "fields": [(str(name), _clip(str(text))) for name, text in fields.items()],
        "prompt": prompt_parts(str(failure.get("prompt") or "")),
        "expected": _clip(str(failure.get("expected"))),
        "actual": "(unparsed)" if actual is None else _clip(str(actual)),
        "confidence": (
            ""
            if log_probability is None
            else formatting.format_percent(min(1.0, math.exp(log_probability)))
        ),
        "confusion": _confusion_of(failure),
    }


def _confusion_of(failure: Mapping[str, Any]) -> str:
    actual = failure.get("actual")
    found = "(unparsed)" if actual is None else str(actual)
    return _clip(f"{failure.get('expected')} → {found}", 80)


def confusions(failures: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """The kinds of mistake, the most frequent first; none when nearly each is its own kind."""
    counts = Counter(map(_confusion_of, failures))
    return counts.most_common() if len(counts) <= 60 else []


def _optional(text: Callable[[float], str], value: Any) -> str:
    known = formatting.as_number(value)
    return "" if known is None else text(known)


def _plain(value: Any) -> str:
    """A setting as text."""
    return _clip(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _clip(text: str, longest: int = _LONGEST_TEXT) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"
