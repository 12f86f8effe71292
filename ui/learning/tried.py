"""What a step of a search has tried, and where its tokens stand in the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import promptlab as pl

from ..drawing import joined
from ..markup import Markup
from .tokens import token_text

if TYPE_CHECKING:
    from .words import Reading


def tried(row: Reading, before: Reading | None) -> Markup:
    """The best candidates of a search's step by their losses; the trigger before is among them."""
    if not row.tried or before is None:
        return Markup("")
    losses = [loss for _, loss in row.tried]
    low, high = min(losses), max(losses)
    lines = []
    for pieces, loss in row.tried:
        swaps = [
            Markup("{} {} → {}").format(place + 1, token_text(old), token_text(new))
            for place, (old, new) in enumerate(zip(before.pieces, pieces, strict=False))
            if old != new
        ]
        share = (loss - low) / (high - low) if high > low else 0.0
        lines.append(
            Markup('<tr{}><td>{}</td><td class="pl-loss"><i style="width:{:.0f}%"></i></td>'
                   "<td>{:.4f}</td></tr>")
            .format(
                Markup(' class="pl-taken"') if pieces == row.pieces else "",
                Markup(", ").join(swaps) or "no swap",
                12 + 88 * share,
                loss,
            )
        )  # fmt: skip
    return Markup('<table class="pl-tried"><caption>{}</caption><tbody>{}</tbody></table>').format(
        _caption(row, before), joined(lines)
    )


def _caption(row: Reading, before: Reading) -> str:
    places = [str(place) for place, asked in enumerate(row.asked(before), 1) if asked]
    where = f" at place {places[0]}" if len(places) == 1 else ""
    count = f"{row.candidates} swaps were tried{where}" if row.candidates else f"Swaps tried{where}"
    end = "none was better than no swap" if row.kept else "the one with the smallest was taken"
    return f"{count}; the best of them with their losses in nats on this step's examples: {end}"


def in_place(row: Reading) -> Markup:
    """The template with a step's tokens where they stand; nothing if that is not known."""
    try:
        template = pl.Template(row.template) if row.template else None
        prompt = template.render({f: f"{{{f}}}" for f in template.fields}) if template else None
    except pl.PromptlabError:  # of another version
        return Markup("")
    if prompt is None:
        return Markup("")
    rooms = [segment.count for segment in prompt.segments if hasattr(segment, "count")]
    rooms = [len(row.pieces)] if len(rooms) == 1 else rooms
    if sum(rooms) != len(row.pieces) or not rooms:
        return Markup("")
    return Markup('<p class="pl-in-place" aria-label="in the prompt">{}</p>').format(
        joined(_parts(prompt, iter(row.pieces), iter(rooms)))
    )


def _parts(prompt: pl.Prompt, pieces: Iterator[str], rooms: Iterator[int]) -> Iterator[Markup]:
    """Words, the slot, and tokens in frames."""
    for segment in prompt.segments:
        if hasattr(segment, "count"):
            shown = [token_text(next(pieces)) for _ in range(next(rooms))]
            yield Markup('<span class="pl-learned">{}</span>').format(Markup(" ").join(shown))
        elif hasattr(segment, "text"):
            yield Markup("{}").format(segment.text)
        else:
            yield Markup("<mark>{}</mark>").format("{mask}")
