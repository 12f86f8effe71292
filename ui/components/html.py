"""Small drawings as HTML: bars, intervals, prompts, errors. Every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

import promptlab as pl

from .markup import Markup

_SLOT = "\ue000"
"""Stands for the answer slot while a prompt is cut in two; a private-use character."""


def html_panel(value: str = "", name: str | None = None) -> gr.HTML:
    """Where drawings appear; Gradio's own look for texts is left out."""
    return gr.HTML(value, elem_id=name, elem_classes="pl-panel", apply_default_css=False)


def join_markup(parts: Iterable[str]) -> Markup:
    """Pieces as one; what is no markup yet is escaped."""
    return Markup("").join(parts)


def bar(name: str, share: float, text: str, *, detail: str = "", strong: bool = False) -> Markup:
    """A named row with a bar; ``share`` is its length in [0, 1], ``detail`` its tooltip."""
    return Markup(
        '<div class="pl-bar{}" title="{}"><span class="pl-bar-name">{}</span>'
        '<span class="pl-bar-track"><span style="width:{:.2f}%"></span></span>'
        '<span class="pl-bar-value">{}</span></div>'
    ).format(" pl-strong" if strong else "", detail, name, 100 * min(max(share, 0), 1), text)


def whisker(value: float, low: float, high: float, detail: str) -> Markup:
    """A value in [0, 1] with its interval on a line from 0 to 1."""
    return Markup(
        '<span class="pl-whisker" title="{}">'
        '<span class="pl-range" style="left:{:.2f}%;width:{:.2f}%"></span>'
        '<span class="pl-dot" style="left:{:.2f}%"></span></span>'
    ).format(detail, 100 * low, 100 * max(high - low, 0), 100 * value)


def slot_position(prompt: pl.Prompt) -> int:
    """Where the slot stands in ``str(prompt)``, in characters."""
    shown: str = prompt.fill(_SLOT)
    return shown.index(_SLOT)


def prompt_text(prompt: str, slot: int) -> Markup:
    """A prompt as a reader sees it; the ``{mask}`` at ``slot`` is marked."""
    left, right = prompt[:slot], prompt[slot + len("{mask}") :]
    return Markup('<pre class="pl-prompt">{}<mark>{{mask}}</mark>{}</pre>').format(left, right)


def count_text(scores: Mapping[str, Any]) -> str:
    """Over how many examples a figure is; missing answers and repeated texts are told."""
    n, missing = scores.get("n"), scores.get("n_missing") or 0
    if not isinstance(n, int):
        return "n = ?"
    distinct = scores.get("n_distinct") or n
    text = f"n = {n:,}" + (f" of {n + missing:,} answered" if missing else "")
    return text if distinct == n else f"{text}, {distinct:,} distinct texts"


def chip(text: str, tone: str = "") -> Markup:
    """A short word in a frame."""
    return Markup('<span class="pl-chip {}">{}</span>').format(tone, text)


def note(text: str) -> Markup:
    """A remark in small print."""
    return Markup('<p class="pl-note">{}</p>').format(text)


def error(problem: object) -> Markup:
    """What went wrong; a template's caret keeps its place under the fault."""
    told, _, shown = str(problem).partition("\n")
    pointed = Markup("<pre>{}</pre>").format(shown) if shown else Markup("")
    return Markup('<div class="pl-error" role="alert">{}{}</div>').format(told, pointed)


def card(title: str, body: Markup, *, aside: str = "") -> Markup:
    """A framed piece; ``title``, if any, heads it and ``aside`` stands small beside that."""
    head = Markup("<h3>{}<small>{}</small></h3>").format(title, aside) if title else Markup("")
    return Markup('<section class="pl-card">{}{}</section>').format(head, body)


def grid(cards: Iterable[Markup]) -> Markup:
    """Cards side by side, below each other where there is no room."""
    return Markup('<div class="pl-grid">{}</div>').format(join_markup(cards))


def share_text(share: float) -> str:
    """0.0431 as "4.3 %"; very small shares keep two digits."""
    per_cent = 100 * share
    return f"{per_cent:.1f}\u00a0%" if per_cent >= 0.1 or not share else f"{per_cent:.1g}\u00a0%"
