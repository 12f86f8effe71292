"""Fill in the blank: the most probable words for the slot of several templates, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from ..drawing import bar, card, error, grid, joined, note, panel, prompt_text, share_text
from ..drawing import slot_position as slot_at
from ..forms import read_fields, read_templates
from ..listening import AT_MODEL
from ..telling import drawn_or_told, endpoint
from ..workbench import Workbench
from .shared import Shared

CAPITALS = """\
The capital of {country} is {mask}.
The capital city of {country} is {mask}.
{country} capital, {mask}.
Q: What is the capital of {country}? A: {mask}"""
"""The wordings of the shipped study *capitals*."""
PRESETS = {"Poland": "Warsaw", "Canada": "Ottawa"}
_MOST_WORDS = 50


def fill_templates(
    model: pl.LanguageModel,
    templates: str,
    fields: str,
    top: int,
    target: str = "",
    chat: bool = False,
) -> list[dict[str, Any]]:
    """One row a template: ``prompt``, where its ``slot`` stands, and ``fills``; or ``error``.

    A fill has ``token``, ``token_id`` and ``probability``. With a ``target`` the row has its
    ``probability``, ``rank`` and number of ``tokens`` under ``target``. A fault in one template
    leaves the others alone. Raises `InputError` for unreadable boxes.
    """
    values = read_fields(fields)
    count = min(max(int(top), 1), _MOST_WORDS)
    return [
        _row(model, text, values, count, target.strip(), chat) for text in read_templates(templates)
    ]


def _row(
    model: pl.LanguageModel, text: str, fields: dict[str, str], top: int, target: str, chat: bool
) -> dict[str, Any]:
    try:
        prompt = pl.Template(text, chat=chat).render(fields)
        tokens = len(model.tokens(prompt))
        if tokens > model.max_tokens:
            raise pl.InputError(
                f"the prompt has {tokens} tokens and {model.name} takes {model.max_tokens}"
            )
        found = model.fill([prompt], top)[0]
        standing = pl.standings(model, [prompt], target)[0] if target else None
    except pl.InputError as problem:
        return {"template": text, "error": str(problem)}
    row = {
        "template": text,
        "prompt": str(prompt),
        "slot": slot_at(prompt),
        "tokens": tokens,
        "fills": [vars(item) | {} for item in found],
        "note": _unseen(model, prompt),
    }
    return row | ({"target": asdict(standing)} if standing else {})


def _unseen(model: pl.LanguageModel, prompt: pl.Prompt) -> str:
    """What the model does not read of the prompt."""
    if model.family == "causal" and re.search(r"\w", prompt.right):
        return (
            f"{model.name} reads from left to right: the words after the slot play no part here "
            "(label probabilities do count them)."
        )
    return ""


def draw(rows: Sequence[dict[str, Any]]) -> Markup:
    """A table over all templates, then cards side by side with all bars to one scale."""
    shares = [item["probability"] for row in rows for item in row.get("fills", ())]
    longest = max(shares, default=1.0) or 1.0
    cards = Markup('<div class="pl-play-cards">{}</div>').format(
        grid(_card(row, longest) for row in rows)
    )
    good = [row for row in rows if "fills" in row]
    tabled = len(good) > 1 or any("target" in row for row in good)
    return summary(good) + cards if tabled else cards


def summary(rows: Sequence[dict[str, Any]]) -> Markup:
    """One line a template: its best word, and how the target stands; the best line is marked."""
    targets = [row["target"] for row in rows if "target" in row]
    best = max((target["probability"] for target in targets), default=None)
    answer = targets[0]["answer"] if targets else ""
    head = Markup('<th scope="col">P({})</th><th scope="col">rank</th>').format(answer)
    return Markup(
        '<div class="pl-play-scroll"><table class="pl-play-summary"><thead><tr>'
        '<th scope="col">template</th><th scope="col">most probable</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(head if targets else "", joined(_line(row, best) for row in rows))


def _line(row: dict[str, Any], best: float | None) -> Markup:
    top = row["fills"][0]
    cells = Markup("<td>{} <small>{}</small></td>").format(
        word(top["token"]), share_text(top["probability"])
    )
    target = row.get("target")
    if target:
        leads = target["probability"] == best
        cells += Markup('<td class="pl-num{}">{}</td><td class="pl-num">{}</td>').format(
            " pl-strong" if leads else "", share_text(target["probability"]), rank_drawn(target)
        )
    return Markup('<tr><th scope="row"><code>{}</code></th>{}</tr>').format(row["template"], cells)


def rank_drawn(target: dict[str, Any]) -> Markup:
    """The target's rank; the first place has a mark, an answer of several tokens has no rank."""
    if target["rank"] is None:
        return Markup(
            '<span title="an answer of several tokens has no rank">{} tokens</span>'
        ).format(target["tokens"])
    if target["rank"] == 1:
        return Markup('<span class="pl-chip pl-good">1 \u2713</span>')
    return Markup("{:,}").format(target["rank"])


def _card(row: dict[str, Any], longest: float) -> Markup:
    if "error" in row:
        shows_template = row["error"].endswith("^")
        return card("" if shows_template else row["template"], error(row["error"]))
    target = row.get("target")
    bars = [
        _bar(item, longest, index == 0, _is_target(index + 1, target))
        for index, item in enumerate(row["fills"])
    ]
    if target and (target["rank"] is None or target["rank"] > len(row["fills"])):
        bars.append(_beyond(target, longest))
    prompt = prompt_text(row["prompt"], row["slot"])
    return card("", prompt + joined(bars) + note(f"{row['tokens']} tokens. {row['note']}"))


def _is_target(place: int, target: dict[str, Any] | None) -> bool:
    return bool(target and target["rank"] == place)


def _bar(item: dict[str, Any], longest: float, strong: bool, hit: bool) -> Markup:
    drawn = bar(
        word(item["token"]) + (" \u2713" if hit and strong else ""),
        item["probability"] / longest,
        share_text(item["probability"]),
        detail=f"token {item['token_id']}: {item['token']!r}",
        strong=strong,
    )
    return Markup('<div class="pl-play-target">{}</div>').format(drawn) if hit else drawn


def _beyond(target: dict[str, Any], longest: float) -> Markup:
    """The target's own bar where it is not among the words shown."""
    place = "several tokens" if target["rank"] is None else f"rank {target['rank']:,}"
    drawn = bar(
        target["answer"],
        target["probability"] / longest,
        share_text(target["probability"]),
        detail=place,
    )
    return Markup('<div class="pl-play-target pl-play-beyond"><small>{}</small>{}</div>').format(
        place, drawn
    )


def word(token: str) -> str:
    """A token as a word; white space made visible."""
    return token.strip() or token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") or "∅"


def section(app: gr.Blocks, bench: Workbench, shared: Shared, page: gr.Tab) -> None:
    """Lay the section out and connect it; it fills when its tab is opened."""

    def fill(
        templates: str,
        fields: str = "",
        top: int = 8,
        model: str = "",
        target: str = "",
        chat: bool = False,
    ) -> list[dict[str, Any]]:
        """The most probable words for the slot of every template (one a line).

        With a target word also its probability and rank.
        """
        return fill_templates(bench.load(model), templates, fields, top, target, chat)

    @drawn_or_told
    def show(templates: str, fields: str, top: int, target: str, chat: bool, *model: str) -> Markup:
        loaded = bench.load(*model)
        return draw(fill_templates(loaded, templates, fields, top, target, chat))

    with gr.Row(elem_classes="pl-play"):
        with gr.Column(scale=4, min_width=320):
            templates = gr.Textbox(
                CAPITALS,
                label="Templates, one a line",
                info="{mask} is the blank, {name} a field; \\n is a line break.",
                lines=4,
                max_lines=12,
                elem_classes="pl-play-template",
            )
            fields = gr.Textbox(
                "country = Poland", label="Fields", info="name = value, one a line.", lines=1
            )
            target = gr.Textbox(
                PRESETS["Poland"],
                label="Expected answer",
                info="Its probability and rank under every template; may be left empty.",
            )
            chat = gr.Checkbox(False, label="Through the model's chat template")
            top = gr.Slider(3, 20, 8, step=1, label="Words to show")
            button = gr.Button("Fill", variant="primary")
            with gr.Row(elem_classes="pl-play-uses"):
                presets = {
                    country: gr.Button(f"Capitals: {country}", size="sm", min_width=150)
                    for country in PRESETS
                }
        with gr.Column(scale=7, min_width=320):
            result = panel(name="fill-result")
    boxes: list[Any] = [templates, fields, top, target, chat, *shared.model]
    for country, button_of in presets.items():
        button_of.click(
            lambda country=country: (CAPITALS, f"country = {country}", PRESETS[country]),
            None,
            [templates, fields, target],
            api_visibility="private",
        ).then(show, boxes, result, api_visibility="private", **AT_MODEL)
    gr.on(
        [
            button.click,
            *(box.submit for box in (templates, fields, target)),
            top.release,
            chat.input,
            page.select,
        ],
        show,
        boxes,
        result,
        api_visibility="private",
        **AT_MODEL,
    )
    shared.again(show, boxes, result)
    shared.carry(
        "fill", template=templates, fields=fields, chat=chat, emptied=[target], as_line=True
    )
    endpoint(fill, **AT_MODEL)
