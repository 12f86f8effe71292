"""Label probabilities drawn: a card for each calibration, or a table over several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..components.html import bar, card, grid, join_markup, note, prompt_text, share_text
from ..components.markup import Markup

CALIBRATIONS = {
    "none": ("As scored", "no calibration"),
    "contextual": ("Contextual", "Zhao et al. 2021: what N/A, nothing and [MASK] score"),
    "pmi": ("PMI", "Holtzman et al. 2021: what the empty fields score"),
    "batch": ("Batch", "Zhou et al. 2023: what these inputs score together"),
}
"""Title and meaning; *batch* takes its prior from several inputs."""
UNCALIBRATED = "none"


def label_cards_html(found: dict[str, Any]) -> Markup:
    """One input: a card for each calibration. Several: a line for each, then the priors."""
    rows = found.get("inputs", [found])
    if len(rows) == 1:
        return _one(rows[0], found)
    return _table(rows, found) + grid(
        _prior_card(name, prior, found["answers"]) for name, prior in found["priors"].items()
    )


def _one(row: dict[str, Any], found: dict[str, Any]) -> Markup:
    parts = [prompt_text(row["prompt"], row["slot"])]
    if row["shortened"]:
        parts.append(note(f"Shortened to fit the model's window: {', '.join(row['shortened'])}."))
    parts.append(grid(_card(name, row, found) for name in row["probabilities"]))
    parts.append(
        note(
            "The line in a bar is the prior: what the label gets without the input. Calibration "
            "divides by it."
        )
        if found["priors"]
        else Markup("")
    )
    return join_markup(parts)


def _card(calibration: str, row: dict[str, Any], found: dict[str, Any]) -> Markup:
    probabilities: dict[str, float] = row["probabilities"][calibration]
    best = winning_label(probabilities)
    prior = found["priors"].get(calibration, {})
    bars = join_markup(
        _label_bar(label, share, prior.get(label), found["answers"][label], label == best)
        for label, share in probabilities.items()
    )
    title, meaning = CALIBRATIONS[calibration]
    changed = best != winning_label(row["probabilities"].get(UNCALIBRATED, probabilities))
    told = Markup('<p class="pl-note">{}</p>').format(meaning)
    drawn = card(title, bars + told, aside=f"{best} \u21c4" if changed else best)
    return Markup('<div class="pl-play-changed">{}</div>').format(drawn) if changed else drawn


def _label_bar(
    label: str, share: float, prior: float | None, answers: Sequence[str], strong: bool
) -> Markup:
    detail = f"{label}: {', '.join(answers)}"
    drawn = bar(label, share, share_text(share), detail=detail, strong=strong)
    if prior is None:
        return drawn
    told = f"prior {share_text(prior)}"
    return Markup(
        '<div class="pl-play-priored">{}<span class="pl-play-prior" title="{}">'
        '<i style="left:{:.2f}%"></i></span></div>'
    ).format(drawn, told, 100 * prior)


def _prior_card(name: str, prior: dict[str, float], answers: dict[str, list[str]]) -> Markup:
    bars = join_markup(
        bar(label, share, share_text(share), detail=", ".join(answers[label]))
        for label, share in prior.items()
    )
    title, meaning = CALIBRATIONS[name]
    return card(f"{title}: prior taken off", bars + note(meaning))


def _table(rows: Sequence[dict[str, Any]], found: dict[str, Any]) -> Markup:
    names = list(rows[0]["probabilities"])
    heads = join_markup(
        Markup('<th scope="col" title="{}">{}</th>').format(meaning, title)
        for title, meaning in (CALIBRATIONS[name] for name in names)
    )
    lines = join_markup(
        Markup('<tr><th scope="row" title="{}">{}</th>{}</tr>').format(
            row["prompt"], _input(row["fields"]), join_markup(_cell(row, name) for name in names)
        )
        for row in rows
    )
    return Markup(
        '<div class="pl-play-scroll"><table class="pl-play-summary"><thead><tr>'
        '<th scope="col">input</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(heads, lines)


def _input(fields: dict[str, str]) -> str:
    shown = " \u00b7 ".join(fields.values())
    return shown if len(shown) <= 120 else f"{shown[:119]}\u2026"


def _cell(row: dict[str, Any], name: str) -> Markup:
    shares: dict[str, float] = row["probabilities"][name]
    best = winning_label(shares)
    changed = best != winning_label(row["probabilities"].get(UNCALIBRATED, shares))
    return Markup("<td{}>{} <small>{}</small></td>").format(
        Markup(' class="pl-play-flip" title="calibration changes the label"') if changed else "",
        best,
        share_text(shares[best]),
    )


def winning_label(probabilities: dict[str, float]) -> str:
    """The most probable label."""
    return max(probabilities, key=probabilities.__getitem__)
