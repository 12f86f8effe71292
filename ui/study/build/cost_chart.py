"""What a study will cost, drawn: totals, and a bar a group."""

from __future__ import annotations

from typing import Any

import promptlab as pl
from promptlab.study import Estimate

from ...components.html import join_markup, note
from ...components.markup import Markup

_THOUSAND = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def cost_html(found: Estimate) -> Markup:
    """Tokens, minutes, dollars and candidates; the groups' shares as bars."""
    groups = [g for g in (*found.groups, found.decision) if g.tokens.high]
    longest = max((group.tokens.high for group in groups), default=1.0)
    facts = [
        ("tokens", _between(found.tokens, _count)),
        ("time", _between(found.seconds, _time) if found.seconds else "not known for an endpoint"),
        ("trials", f"{found.trials:,}"),
        ("candidates", "endless" if found.candidates is None else f"{found.candidates:,}"),
    ]
    if found.dollars is not None:
        facts.insert(2, ("dollars", _between(found.dollars, "{:,.2f}".format)))
    notes = [f"{g.name}: {line}." for g in found.groups for line in g.notes]
    notes.append(f"Not counted: {'; '.join(found.uncounted)}.")
    return Markup('<dl class="pl-build-facts">{}</dl><div class="pl-build-bars">{}</div>{}').format(
        join_markup(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts),
        join_markup(_bar(group, longest) for group in groups),
        join_markup(note(line) for line in notes),
    )


def _bar(group: Any, longest: float) -> Markup:
    """Low as a full bar, high as a lighter one behind it."""
    tokens = group.tokens
    learning = (
        f", {_between(group.learning, _count)} of them learning" if group.learning.high else ""
    )
    time = f" · {_between(group.seconds, _time)}" if group.seconds else ""
    trials = "" if group.kind == "decision" else f"{_between(group.trials, _whole)} trials · "
    return Markup(
        '<div class="pl-build-bar"><span class="pl-build-name">{}</span>'
        '<span class="pl-build-track"><i style="width:{:.2f}%"></i><b style="width:{:.2f}%"></b>'
        "</span><small>{}{} tokens{}{}</small></div>"
    ).format(
        group.name.replace("_", " "),
        100 * tokens.high / longest,
        100 * tokens.low / longest,
        trials,
        _between(tokens, _count),
        learning,
        time,
    )


def _between(span: Any, shown: Any) -> str:
    low, high = shown(span.low), shown(span.high)
    return str(low) if low == high else f"{low} – {high}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _count(value: float) -> str:
    for size, name in _THOUSAND:
        if value >= size:
            return f"{value / size:.3g}\u202f{name}"
    return f"{value:.0f}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f}\u202fs"
    if seconds < 5400:
        return f"{seconds / 60:.0f}\u202fmin"
    return f"{seconds / 3600:.1f}\u202fh"
