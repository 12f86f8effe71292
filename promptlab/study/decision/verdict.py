"""The result of a study as a decision: what to use, why, and what to do next.

It is made of the result document alone, so that every place shows the same one, also for studies
of earlier versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from promptlab.study import formatting
from promptlab.study.decision.power import examples_needed

Action = Literal["use", "use_cheaper", "keep", "none", "undecided"]
WRITTEN_KINDS = ("instruction_search",)
"""Kinds whose prompts a model has written from one that was given."""
ALPHA = 0.05
CONTROLS = ("majority", "content-free", "shuffled-labels", "bag-of-words")
COSTS = ("tokens", "seconds", "unparsed_rate")
_MOST_TIMES = 50
"""So many times as many examples are nothing that anybody would collect."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a study says.

    ``action`` is *use* (the winner), *use_cheaper* (a prompt that is equivalent and cheaper),
    *keep* (what was given, as what was written from it is not shown to be better),
    *none* (none of these is worth using yet) or *undecided* (too much was not answered, or nothing
    was tested yet). ``headline`` is the decision in a sentence, ``because`` its evidence, ``next``
    what to do. ``trial`` is the number of the trial to use, ``None`` without one. ``trusted`` is
    false when a control does better than the winner.
    """

    action: Action
    headline: str
    because: str
    next: str
    trial: int | None = None
    trusted: bool = True

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)


def study_verdict(board: Row) -> Verdict:
    """Say what a study's result means: what to use, why, and what to do next.

    Args:
        board: The result document, as `Study.leaderboard` gives it; of studies of earlier versions,
            too.

    Returns:
        The verdict that the document holds, or the one that follows from its figures:
        ``action`` (*use*, *use_cheaper*, *keep*, *none* or *undecided*), ``headline``, ``because``,
        ``next``, ``trial`` and ``trusted``.

    Example:
        >>> best = {"name": "it-was", "number": 3, "test": {"accuracy": 0.91, "n": 200}}
        >>> verdict = study_verdict({"study": "films", "objective": "accuracy", "best": best})
        >>> verdict.action, verdict.trial
        ('use', 3)
    """
    kept = board.get("verdict")
    if isinstance(kept, Mapping):
        return Verdict(**kept)
    found = _decided(board)
    mixed = str(board.get("mixed") or "")
    return replace(found, because=_joined(mixed, found.because)) if mixed else found


def _decided(board: Row) -> Verdict:
    """The verdict by the figures alone."""
    best = board.get("best")
    if not best:
        return Verdict(
            "undecided", "No trial has finished, so there is nothing to choose from yet.", "", ""
        )
    if board.get("gaps"):
        return _unanswered(board, board["gaps"])
    measure = formatting.leading_metric(best.get("dev") or {}, board)
    if formatting.as_number((best.get("test") or {}).get(measure)) is None:
        return _untested(board, measure)
    for decide in (_beaten, _not_better, _written_in_vain, _cheaper):
        if (found := decide(board)) is not None:
            return replace(found, because=_joined(found.because, _unmeasured(board)))
    test = best["test"]
    worth = f"{formatting.in_words(measure)} {formatting.format_metric(measure, test[measure])}"
    return Verdict(
        "use",
        f"Use {best['name']}: {worth} on the untouched test split.",
        _joined(
            formatting.evidence_sentence(test, measure),
            formatting.comparison_text(board),
            _unmeasured(board),
        ),
        _to_use(board, "best") if best.get("number") is not None else "",
        best.get("number"),
    )


def _unanswered(board: Row, gaps: Sequence[Row]) -> Verdict:
    """Too many examples of candidates that could win, or of test, have no answer."""
    told = [
        f"{gap['name']} (trial {gap['trial']}): {gap['examples'] - gap['missing']} of "
        f"{gap['examples']} examples on {gap['split']} were answered"
        for gap in gaps
    ]
    more = f"; and {len(told) - 5} more" if len(told) > 5 else ""
    allowed = _setting(board, "missing")
    return Verdict(
        "undecided",
        f"Undecided: {len(gaps)} of the candidates that could be the best "
        f"{'lacks' if len(gaps) == 1 else 'lack'} more than {allowed:.0%} of the answers."
        if gaps[0]["split"] == "dev"
        else f"Undecided: more than {allowed:.0%} of the answers on test are missing.",
        f"What was not answered is neither right nor wrong. {'; '.join(told[:5])}{more}. The first "
        f"reason: {gaps[0]['reason']}.",
        "Run the study again with the same command: it asks for the missing examples and for no "
        "others. What will never be answered can be let be with `decision: {missing: 1}` in the "
        "study file.",
    )


def _unmeasured(board: Row) -> str:
    """Which controls could not be measured: none of them speaks for or against the winner."""
    named = "the control "
    found = [str(row["what"]) for row in board.get("unmeasured") or ()]
    missing = [what.removeprefix(named) for what in found if what.startswith(named)]
    if not missing:
        return ""
    words = "control" if len(missing) == 1 else "controls"
    return f"Not measured: the {words} {' and '.join(missing)}, which could speak against it."


def _untested(board: Row, measure: str) -> Verdict:
    best = board["best"]
    dev = best.get("dev") or {}
    value = formatting.as_number(dev.get(measure))
    told = (
        f"{formatting.in_words(measure)} {formatting.format_metric(measure, value)}"
        if value
        else ""
    )
    worth = f": {told} on dev" if value is not None else ""
    return Verdict(
        "undecided",
        f"Best so far is {best['name']}{worth}.",
        _joined(
            formatting.evidence_sentence(dev, measure), "The test split has not been touched yet."
        ),
        "",
        best.get("number"),
    )


def _beaten(board: Row) -> Verdict | None:
    """A control does better than the winner."""
    best, measure = board["best"], _measure(board)
    for row in board.get("baselines") or ():
        split = _beats(board, row, measure) if row.get("name") in CONTROLS else None
        if split is None:
            continue
        own, other = (scores[split][measure] for scores in (best, row))
        shown = [formatting.format_metric(measure, value) for value in (other, own)]
        p = _p_against(board, str(row["name"])) if split == "test" else None
        tested = "" if p is None else f" ({formatting.format_p_value(p)})"
        return Verdict(
            "none",
            f"Do not trust this: the control {row['name']} has {shown[0]} on {split} and "
            f"{best['name']} {shown[1]}{tested}, so none of these is worth using yet.",
            _joined(
                f"{_CONTROL_WORDS[str(row['name'])]}.",
                formatting.evidence_sentence(best["test"], _lead(board)),
                formatting.comparison_text(board),
            ),
            _CONTROL_NEXT[str(row["name"])],
            trusted=False,
        )
    return None


_CONTROL_WORDS = {
    "majority": "Always giving the most frequent label of train does better",
    "content-free": "The winner's one answer to empty fields does better than its answers to texts",
    "shuffled-labels": "The winner fitted on shuffled labels does better than on the true ones",
    "bag-of-words": (
        "Word counts with logistic regression, fitted on the same training rows, do better at "
        "hardly any cost"
    ),
}
_CONTROL_NEXT = {
    "majority": (
        "Try another model, an instruction that lists the labels, calibration, demonstrations, or "
        "an objective that counts every class (macro_f1)."
    ),
    "content-free": "Try calibration, other answers, or another model.",
    "shuffled-labels": (
        "Look at the demonstrations: they teach the form and not the labels. Try another kind of "
        "candidate, or prompts without them."
    ),
    "bag-of-words": (
        "Use that classifier where its accuracy is enough; else try a stronger model, "
        "demonstrations, or a learned prompt."
    ),
}


def _beats(board: Row, row: Row, measure: str) -> str | None:
    """The split on which a control does better than the winner; test speaks before dev.

    A winner that is measurably better on test than the majority class is better, whatever dev says.
    """
    sign = 1 if _maximises(board) or measure == "accuracy" else -1
    for split in ("test", "dev"):
        own, other = (
            formatting.as_number((scores.get(split) or {}).get(measure))
            for scores in (board["best"], row)
        )
        if own is None or other is None:
            continue
        if sign * (other - own) > 1e-12:
            return split
        p = _p_against(board, str(row["name"]))
        if split == "test" and (row["name"] == "bag-of-words" or (p is not None and p < ALPHA)):
            return None
    return None


def _not_better(board: Row) -> Verdict | None:
    """The winner cannot be told from the majority class, or is worse than the chosen baseline."""
    best, measure = board["best"], _lead(board)
    for row in formatting.comparisons_on_test(board):
        p, apart = formatting.as_number(row.get("p_value")), _gain(board, row)
        if p is None or apart is None:
            continue
        name = str(row.get("baseline", "majority"))
        chosen = "why" in row
        if chosen and p < ALPHA and apart < 0:
            headline = f"None of these is worth using yet: on test {best['name']} is worse than "
            headline += f"{name}, {row['why']}."
            return _none(board, headline, row, f"Use {name} instead, or search on.")
        if name == "majority" and (p >= ALPHA or apart <= 0):
            shown = formatting.format_metric(measure, best["test"][measure])
            headline = (
                "None of these is worth using yet: on test the best of them, "
                f"{best['name']}, cannot be told from always giving the most frequent label "
                f"({formatting.in_words(measure)} {shown}, {formatting.format_p_value(p)})."
            )
            return _none(board, headline, row, "")
    return None


def _written_in_vain(board: Row) -> Verdict | None:
    """A prompt that a model wrote, and that is not shown to be better than the one given."""
    best = board["best"]
    row = next((row for row in formatting.comparisons_on_test(board) if "why" in row), None)
    if best.get("kind") not in WRITTEN_KINDS or row is None:
        return None
    p, apart = formatting.as_number(row.get("p_value")), _gain(board, row)
    if p is None or apart is None or (p < ALPHA and apart > 0):
        return None
    return Verdict(
        "keep",
        f"Keep {row['baseline']}: the best that was written, {best['name']}, is not shown to be "
        f"better on test ({formatting.format_points(apart)}, {formatting.format_p_value(p)}).",
        _joined(
            formatting.evidence_sentence(best["test"], _lead(board)),
            formatting.comparison_text(board),
        ),
        _joined(_to_use(board, "given"), _more_examples(board, row)),
        row.get("trial"),
    )


def _none(board: Row, headline: str, row: Row, advice: str) -> Verdict:
    return Verdict(
        "none",
        headline,
        _joined(
            formatting.evidence_sentence(board["best"]["test"], _lead(board)),
            formatting.comparison_text(board),
        ),
        _joined(advice, _more_examples(board, row)),
    )


def _more_examples(board: Row, row: Row) -> str:
    """How many test examples would show a difference like the one that was found."""
    other = (
        "Else try another model or another kind of candidate (demonstrations, a learned prompt)."
    )
    n = row.get("n") or (board["best"]["test"].get("n") or 0)
    apart = _gain(board, row)
    if not n or apart is None or apart <= 0:
        return (
            "More examples would not help, as it is no better; try another model or another kind "
            "of candidate (demonstrations, a learned prompt, an instruction)."
        )
    needed = examples_needed(apart, int(row.get("n_discordant") or 0) / n)
    if needed > _MOST_TIMES * n:
        return f"More examples would hardly help (about {needed:,}). {other}"
    return (
        f"A difference of {formatting.format_points(apart)} needs about {needed:,} test examples "
        f"to be shown in 80 % of cases (there are {n:,}): bring more. {other}"
    )


def _cheaper(board: Row) -> Verdict | None:
    """A prompt that is equivalent to the winner within the margin, and cheaper by a share."""
    best, margin = board["best"], _setting(board, "margin")
    rows = {row["number"]: row for row in board.get("trials") or () if row["state"] == "complete"}
    own = formatting.as_number((rows.get(best.get("number")) or {}).get("tokens_per_example"))
    if not own:
        return None
    found: list[tuple[float, int, Row, str]] = []
    for number, row in rows.items():
        tokens = formatting.as_number(row.get("tokens_per_example"))
        if number == best["number"] or tokens is None:
            continue
        if tokens > (1 - _setting(board, "cheaper")) * own:
            continue
        if _worse_than_majority(board, row):
            continue
        found += [
            (tokens, number, row, split)
            for split, ends in _intervals(board, row)
            if ends is not None and -margin <= ends[0] and ends[1] <= margin
        ][:1]
    if not found:
        return None
    tokens, number, row, split = min(found, key=lambda one: one[:2])
    ends = dict(_intervals(board, row))[split]
    measure = _measure(board)
    values = " and ".join(
        formatting.format_metric(measure, (one.get("dev") or {}).get(measure, 0.0))
        for one in (row, best)
    )
    return Verdict(
        "use_cheaper",
        f"Use {row['name']}, the cheaper one: it is equivalent to the best, {best['name']}, and "
        f"takes {1 - tokens / own:.0%} fewer tokens.",
        _joined(
            f"{tokens:.1f} instead of {own:.1f} tokens an example; {formatting.in_words(measure)} "
            f"{values} on dev. The 95 % interval of their difference on {split}, {ends[0]:+.3f} to "
            f"{ends[1]:+.3f}, lies within ± {margin:g}.",
            "The best on test: "
            f"{formatting.format_metric(_lead(board), best['test'][_lead(board)])}.",
            formatting.evidence_sentence(best["test"], _lead(board)),
            formatting.comparison_text(board),
        ),
        _to_use(board, "cheaper"),
        number,
    )


def _intervals(board: Row, row: Row) -> list[tuple[str, Any]]:
    """The intervals of a trial's difference from the winner, on test where it was compared."""
    test = [
        ("test", _ends(other))
        for other in formatting.comparisons_on_test(board)
        if other.get("trial") == row["number"]
    ]
    return test or [("dev", _ends(row.get("vs_best") or {}))]


def _ends(comparison: Row) -> tuple[float, float] | None:
    """A comparison's interval; one that saw no difference knows it to 3/n (rule of three)."""
    ends, n = formatting.read_interval(comparison.get("ci95")), comparison.get("n")
    if ends == (0.0, 0.0) and n:
        return (-3 / n, 3 / n)
    return ends


def _worse_than_majority(board: Row, row: Row) -> bool:
    """Whether a trial is no better on dev than the majority class."""
    measure = _measure(board)
    majority: Row = next(
        (b for b in board.get("baselines") or () if b.get("name") == "majority"), {}
    )
    own, other = (
        formatting.as_number((one.get("dev") or {}).get(measure)) for one in (row, majority)
    )
    return own is not None and other is not None and own <= other


def _to_use(board: Row, folder: str) -> str:
    name = board.get("study", "STUDY")
    return (
        f"It is saved as {folder} in the study's folder: `promptlab predict runs/{name}/{folder} "
        "FILE` answers a file."
    )


def _measure(board: Row) -> str:
    """By what candidates and controls are compared: the objective, unless it is a mere cost."""
    objective = str(board.get("objective", "accuracy"))
    return "accuracy" if objective in COSTS else objective


def _lead(board: Row) -> str:
    return formatting.leading_metric(board["best"].get("test") or {}, board)


def _maximises(board: Row) -> bool:
    return bool(board.get("maximise", True))


def _gain(board: Row, row: Row) -> float | None:
    """By how much the winner is better than what it is compared with."""
    apart = formatting.as_number(row.get("difference"))
    maximise = _maximises(board) or row.get("measure") == "accuracy"
    return apart if apart is None or maximise else -apart


def _p_against(board: Row, name: str) -> float | None:
    for row in formatting.comparisons_on_test(board):
        if row.get("baseline") == name:
            return formatting.as_number(row.get("p_value"))
    return None


def _setting(board: Row, name: str) -> float:
    """A setting of the decision, the default for studies that know of none."""
    return float((board.get("decision") or {}).get(name, _DEFAULTS[name]))


_DEFAULTS = {"missing": 0.05, "margin": 0.03, "cheaper": 0.2}


def _joined(*sentences: str) -> str:
    return " ".join(sentence.strip() for sentence in sentences if sentence.strip())
