"""What a strategy did for one example: its votes, its tree, every step's prompt and reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.evaluation import Trace

from ..components.html import bar, chip, error, join_markup, note
from ..components.markup import Markup
from .thought_tree import has_thoughts
from .thought_tree_svg import thought_tree_svg
from .trace_steps import notes_html, preview_text, shorten, step_facts, step_html

_MOST_STEPS = 300
_OPEN = 2
"""Traces of at most so many steps are shown unfolded."""


def trace_html(record: Mapping[str, Any] | None, problem: str | None = None) -> Markup:
    """A prediction's trace: votes as bars, thoughts as a tree, and the steps to unfold.

    ``record`` is `Prediction.trace`: a `Trace` as data, with facts beside its steps. ``problem``
    is why the example has no answer (`Prediction.error`).
    """
    parts = [error(problem)] if problem else []
    if not record or not record.get("steps"):
        parts.append(note("No steps were written down: this predictor keeps no trace."))
        return join_markup(parts)
    trace = Trace.from_record(record)
    parts.append(votes_html(record))
    if has_thoughts(trace):
        parts.append(thought_tree_svg(trace))
    parts.append(steps_html(trace, folded=has_thoughts(trace)))
    return join_markup(parts)


def votes_html(record: Mapping[str, Any]) -> Markup:
    """How often each answer was given, the most often given first."""
    votes = record.get("votes")
    if not isinstance(votes, Mapping) or not votes:
        return Markup("")
    ranked = sorted(votes.items(), key=lambda vote: -float(vote[1]))
    most, whole = float(ranked[0][1]), sum(float(count) for _, count in ranked)
    bars = join_markup(
        bar(
            str(label),
            float(count) / whole if whole else 0.0,
            f"{float(count):g} of {whole:g}",
            strong=float(count) == most,
        )
        for label, count in ranked
    )
    used, drawn = record.get("samples"), record.get("drawn")
    remark = ""
    if isinstance(used, int) and isinstance(drawn, int) and used < drawn:
        remark = f"Decided after {used} of {drawn} solutions."
    unread = int(used) - int(whole) if isinstance(used, int) and used > whole else 0
    if unread:
        remark += f" {unread} gave no answer that could be read."
    return Markup('<section class="pl-votes"><h4>Votes</h4>{}{}</section>').format(
        bars, note(remark.strip()) if remark else ""
    )


def steps_html(trace: Trace, *, folded: bool = False) -> Markup:
    """Every step below the one that it follows from; ``folded`` puts them all behind one line."""
    shown = join_markup(_below(trace, None, len(trace) <= _OPEN))
    left = len(trace) - _MOST_STEPS
    if left > 0:
        shown += note(f"{left:,} further steps are left out here.")
    if not folded:
        return Markup('<div class="pl-steps-list">{}</div>').format(shown)
    return Markup(
        '<details class="pl-all-steps"><summary>All {} steps</summary>'
        '<div class="pl-steps-list">{}</div></details>'
    ).format(len(trace), shown)


def _below(trace: Trace, parent: int | None, opened: bool) -> list[Markup]:
    """The steps after one: a single one stands under it as the next, several are set in."""
    drawn: list[Markup] = []
    steps = [step for step in trace.children(parent) if step.number < _MOST_STEPS]
    while len(steps) == 1:
        drawn.append(_step(steps[0], opened))
        steps = [step for step in trace.children(steps[0].number) if step.number < _MOST_STEPS]
    for step in steps:
        branch = join_markup([_step(step, opened), *_below(trace, step.number, opened)])
        drawn.append(Markup('<div class="pl-branch">{}</div>').format(branch))
    return drawn


def _step(step: Any, opened: bool) -> Markup:
    """A step to unfold; one that asked nothing heads those that follow from it."""
    failed, label = step.notes.get("error"), step.notes.get("label")
    chips = [chip(f"→ {shorten(label)}", "pl-good")] if label is not None else []
    chips += [chip("unread", "pl-bad")] if "label" in step.notes and label is None else []
    chips += [chip("failed", "pl-bad")] if failed else []
    if not (step.prompt or step.reply or failed):
        return Markup('<p class="pl-step-head"><b>{}</b><small>{}</small>{}</p>').format(
            _title(step), notes_html(step_facts(step, "number")), join_markup(chips)
        )
    head = Markup(
        '<span class="pl-step-name">{}</span><span class="pl-step-line">{}</span>'
        '<span class="pl-step-facts">{}<small>{}</small></span>'
    ).format(
        _title(step),
        preview_text(str(failed or step.reply or notes_html(step_facts(step)))),
        join_markup(chips),
        f"{step.tokens_in:,} + {step.tokens_out:,} tokens" if step.prompt else "",
    )
    return Markup('<details class="pl-step"{}><summary>{}</summary>{}</details>').format(
        Markup(" open") if opened else "", head, step_html(step)
    )


def _title(step: Any) -> str:
    """The step's name; of several alike with its number, counted from 1."""
    number = step.notes.get("number")
    name = str(step.name).replace("_", " ")
    return f"{name} {number + 1}" if isinstance(number, int) else name
