"""The words that fill a slot, drawn: a table over all templates, a card with bars for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..components.html import bar, card, error, grid, join_markup, note, prompt_text, share_text
from ..components.markup import Markup


def fill_html(rows: Sequence[dict[str, Any]]) -> Markup:
    """A table over all templates, then cards side by side with all bars to one scale."""
    shares = [item["probability"] for row in rows for item in row.get("fills", ())]
    longest = max(shares, default=1.0) or 1.0
    cards = Markup('<div class="pl-play-cards">{}</div>').format(
        grid(_card(row, longest) for row in rows)
    )
    good = [row for row in rows if "fills" in row]
    tabled = len(good) > 1 or any("target" in row for row in good)
    return fill_summary(good) + cards if tabled else cards


def fill_summary(rows: Sequence[dict[str, Any]]) -> Markup:
    """One line a template: its best word, and how the target stands; the best line is marked."""
    targets = [row["target"] for row in rows if "target" in row]
    best = max((target["probability"] for target in targets), default=None)
    answer = targets[0]["answer"] if targets else ""
    head = Markup('<th scope="col">P({})</th><th scope="col">rank</th>').format(answer)
    return Markup(
        '<div class="pl-play-scroll"><table class="pl-play-summary"><thead><tr>'
        '<th scope="col">template</th><th scope="col">most probable</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(head if targets else "", join_markup(_line(row, best) for row in rows))


def _line(row: dict[str, Any], best: float | None) -> Markup:
    top = row["fills"][0]
    cells = Markup("<td>{} <small>{}</small></td>").format(
        token_word(top["token"]), share_text(top["probability"])
    )
    target = row.get("target")
    if target:
        leads = target["probability"] == best
        cells += Markup('<td class="pl-num{}">{}</td><td class="pl-num">{}</td>').format(
            " pl-strong" if leads else "", share_text(target["probability"]), rank_html(target)
        )
    return Markup('<tr><th scope="row"><code>{}</code></th>{}</tr>').format(row["template"], cells)


def rank_html(target: dict[str, Any]) -> Markup:
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
    return card("", prompt + join_markup(bars) + note(f"{row['tokens']} tokens. {row['note']}"))


def _is_target(place: int, target: dict[str, Any] | None) -> bool:
    return bool(target and target["rank"] == place)


def _bar(item: dict[str, Any], longest: float, strong: bool, hit: bool) -> Markup:
    drawn = bar(
        token_word(item["token"]) + (" \u2713" if hit and strong else ""),
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


def token_word(token: str) -> str:
    """A token as a word; white space made visible."""
    return token.strip() or token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") or "∅"
