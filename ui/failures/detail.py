"""One failure in full: what was asked, what came, how sure the model was, how it got there."""

from __future__ import annotations

from math import exp
from typing import Any

from ..components.html import bar, chip, error, join_markup, prompt_text, share_text
from ..components.markup import Markup
from ..playground.trace_html import trace_html
from .table import actual_answer, expected_answer

_SLOT = "{mask}"
_KINDS = {"wrong": "wrong answer", "unparsed": "reply not readable", "error": "no reply"}


def failure_html(failure: Any) -> Markup:
    """Everything that the log keeps of it."""
    parts = [_head(failure), _answers(failure)]
    if failure.error:
        parts.append(error(failure.error))
    parts.append(_titled("Prompt", _prompt(failure.prompt)))
    parts += [
        _folded(member.get("name") or f"member {number}", _prompt(member.get("prompt", "")))
        for number, member in enumerate(failure.members, 1)
    ]
    if failure.reply:
        parts.append(_titled("Reply", _text(failure.reply)))
    if failure.scores:
        parts.append(_titled("How probable each label was (✓ expected)", _bars(failure)))
    if isinstance(failure.trace, dict) and failure.trace.get("steps"):
        parts.append(_titled("Step by step", trace_html(failure.trace)))
    parts.append(_titled("Input", _fields(failure.fields)))
    return Markup('<div class="pl-miss">{}</div>').format(join_markup(parts))


def _head(failure: Any) -> Markup:
    chips = [chip(_KINDS[failure.kind], "pl-bad")]
    chips += [chip(failure.split)] if failure.split else []
    chips += [chip("corrected", "pl-good")] if failure.correction else []
    return Markup("<h2>Example {}</h2><div>{}</div>").format(failure.example_id, join_markup(chips))


def _answers(failure: Any) -> Markup:
    return Markup(
        '<dl class="pl-facts"><dt>actual</dt><dd>{}</dd><dt>expected</dt><dd>{}</dd></dl>'
    ).format(actual_answer(failure), expected_answer(failure))


def _bars(failure: Any) -> Markup:
    shares = {label: exp(nats) for label, nats in failure.scores.items()}
    most = max(shares, key=shares.__getitem__)
    return join_markup(
        bar(
            f"✓ {label}" if label == failure.expected else label,
            share,
            share_text(share),
            detail=label,
            strong=label == most,
        )
        for label, share in sorted(shares.items(), key=lambda pair: -pair[1])
    )


def _prompt(prompt: str) -> Markup:
    """The slot is the last one; whatever an example's text says stands before it."""
    place = prompt.rfind(_SLOT)
    return prompt_text(prompt, place) if place >= 0 else _text(prompt)


def _text(text: str) -> Markup:
    return Markup('<pre class="pl-prompt">{}</pre>').format(text)


def _fields(fields: dict[str, str]) -> Markup:
    rows = join_markup(Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in fields.items())
    return Markup('<dl class="pl-facts pl-said">{}</dl>').format(rows)


def _titled(title: str, body: Markup) -> Markup:
    return Markup("<section><h4>{}</h4>{}</section>").format(title, body)


def _folded(title: str, body: Markup) -> Markup:
    return Markup("<details><summary>{}</summary>{}</details>").format(title, body)
