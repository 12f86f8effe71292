"""What learned parts read like at every step: tokens, how near they are, what was tried."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promptlab as pl

from ..components.html import card, join_markup, note
from ..components.markup import Markup

_MOST_ROWS = 40
Steps = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class StepTokens:
    """The words of one step.

    ``pieces`` are a token a place, ``cosines`` how near each is to its vector (empty for tokens
    that were searched), ``tried`` the best of a step's ``candidates`` with their losses in nats,
    ``template`` what the tokens stand in.
    """

    step: int
    pieces: tuple[str, ...]
    cosines: tuple[float, ...] = ()
    tried: tuple[tuple[tuple[str, ...], float], ...] = ()
    loss: float | None = None
    dev: float | None = None
    candidates: int = 0
    template: str = ""

    @property
    def searched(self) -> bool:
        """Whether these are tokens of a search, not words that vectors are near to."""
        return not self.cosines

    @property
    def kept(self) -> bool:
        """Whether a search has tried others in this step, and found none better."""
        return bool(self.tried) and self.dev is None

    def asked(self, before: StepTokens | None) -> tuple[bool, ...]:
        """At which places a search has tried other tokens in this step."""
        rows = [pieces for pieces, _ in self.tried if len(pieces) == len(self.pieces)]
        if before is None or len(before.pieces) != len(self.pieces):
            return (False,) * len(self.pieces)
        return tuple(any(r[i] != old for r in rows) for i, old in enumerate(before.pieces))

    def changed(self, before: StepTokens | None) -> tuple[bool, ...]:
        """Where another token stands than before."""
        if before is None or len(before.pieces) != len(self.pieces):
            return (False,) * len(self.pieces)
        return tuple(a != b for a, b in zip(before.pieces, self.pieces, strict=True))


def step_tokens(steps: Steps) -> list[StepTokens]:
    """The steps that have words, in order."""
    return [found for row in steps if (found := _reading(row)) is not None]


def _reading(row: Mapping[str, Any]) -> StepTokens | None:
    notes, values = row.get("notes") or {}, row.get("values") or {}
    if not notes.get("words"):
        return None
    loss, dev = _finite(values.get("loss")), _finite(values.get("dev"))
    template = str(notes.get("template") or "")
    near = _listed(notes.get("nearest"))
    if near:
        pieces, cosines = zip(*((str(token), float(cosine)) for token, cosine in near), strict=True)
        return StepTokens(int(row["step"]), pieces, cosines, (), loss, dev, template=template)
    pieces = tuple(map(str, _listed(notes.get("pieces")) or str(notes["words"]).split()))
    tried = tuple((tuple(map(str, p)), float(loss)) for p, loss in _listed(notes.get("tried")))
    count = str(notes.get("candidates") or "")
    many = int(count) if count.isdecimal() else 0
    return StepTokens(int(row["step"]), pieces, (), tried, loss, dev, many, template)


def _listed(text: Any) -> list[Any]:
    """A list that a note holds as JSON; steps of earlier versions have none."""
    try:
        found = json.loads(text) if isinstance(text, str) else []
    except json.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def tokens_table_html(found: Sequence[StepTokens], at: int | None) -> Markup:
    """All readings, the latest first, a column a place; ``at`` is the step looked at.

    Of very many the ones in which something changed are shown.
    """
    if not found:
        return Markup("")
    rows = [(row, row.changed(before)) for before, row in zip([None, *found], found, strict=False)]
    shown = [(row, new) for row, new in rows if not row.kept or row.step == at]
    if len(shown) > _MOST_ROWS:
        shown = [(row, new) for row, new in shown if any(new) or row.step == at]
        shown = [rows[0], *shown[-_MOST_ROWS:]]
    columns = max(len(row.pieces) for row, _ in rows)
    best = max((row.dev for row, _ in rows if row.dev is not None), default=None)
    kind = "Trigger tokens" if found[-1].searched else "Nearest word of every learned vector"
    heat = "" if found[-1].searched else "; the stronger the colour, the nearer the word"
    table = Markup(
        '<div class="pl-scroll" tabindex="0"><table class="pl-strip"><caption>{}, the latest step '
        "first; underlined: changed in that step; ★ best on dev{}</caption><thead><tr>"
        "<th>step</th>{}"
        "<th>loss</th><th>dev</th></tr></thead><tbody>{}</tbody></table></div>"
    ).format(
        kind,
        heat,
        join_markup(Markup("<th>{}</th>").format(place) for place in range(1, columns + 1)),
        join_markup(_row(row, new, columns, row.step == at, best) for row, new in reversed(shown)),
    )
    left = len(rows) - len(shown)
    return table + (note(f"{left} steps without a change are left out.") if left > 0 else "")


def _row(
    row: StepTokens, new: Sequence[bool], columns: int, at: bool, best: float | None
) -> Markup:
    heat = _heat(row)
    cells = [
        Markup('<td{} style="--heat:{:.2f}" title="{}">{}</td>').format(
            Markup(' class="pl-new"') if new[place] else "",
            heat[place],
            _told(row, place),
            token_text(row.pieces[place]),
        )
        for place in range(len(row.pieces))
    ]
    cells += [Markup("<td></td>")] * (columns - len(cells))
    return Markup("<tr{}><th>{}</th>{}<td>{}</td><td{}>{}</td></tr>").format(
        Markup(' class="pl-at" aria-current="step"') if at else "",
        row.step,
        join_markup(cells),
        _number(row.loss),
        Markup(' class="pl-best" title="the best dev score"') if row.dev == best else "",
        _number(row.dev),
    )


def _heat(row: StepTokens) -> list[float]:
    """From 0 to 1: how near a word is to its vector."""
    return [min(max(c, 0.0), 1.0) for c in row.cosines] or [0.0] * len(row.pieces)


def _told(row: StepTokens, place: int) -> str:
    near = f", cosine {row.cosines[place]:.3f}" if row.cosines else ""
    return f"place {place + 1}: {row.pieces[place]!r}{near}"


def step_html(found: Sequence[StepTokens], at: int | None) -> Markup:
    """One step in full: its tokens large, in their prompt, and which candidates were tried."""
    if not found:
        return Markup("")
    place = next((i for i, row in enumerate(found) if row.step == at), len(found) - 1)
    row, before = found[place], found[place - 1] if place else None
    values = [f"{k} {v:.4f}" for k, v in (("loss", row.loss), ("dev", row.dev)) if v is not None]
    body = Markup('<p class="pl-tokens">{}</p>{}{}').format(
        _tokens(row, before), in_place_html(row), tried_html(row, before)
    )
    return card(f"Step {row.step}", body, aside=" · ".join(values))


def _tokens(row: StepTokens, before: StepTokens | None) -> Markup:
    new, asked, heat = row.changed(before), row.asked(before), _heat(row)
    return join_markup(
        Markup('<span class="pl-token{}{}" style="--heat:{:.2f}" title="{}">{}{}</span>').format(
            " pl-new" if new[i] else "",
            " pl-asked" if asked[i] and not new[i] else "",
            heat[i],
            _told(row, i) + (", others were tried" if asked[i] and not new[i] else ""),
            Markup("<s>{}</s> ").format(token_text(before.pieces[i])) if new[i] and before else "",
            token_text(piece),
        )
        for i, piece in enumerate(row.pieces)
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def tried_html(row: StepTokens, before: StepTokens | None) -> Markup:
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
        _caption(row, before), join_markup(lines)
    )


def _caption(row: StepTokens, before: StepTokens) -> str:
    places = [str(place) for place, asked in enumerate(row.asked(before), 1) if asked]
    where = f" at place {places[0]}" if len(places) == 1 else ""
    count = f"{row.candidates} swaps were tried{where}" if row.candidates else f"Swaps tried{where}"
    end = "none was better than no swap" if row.kept else "the one with the smallest was taken"
    return f"{count}; the best of them with their losses in nats on this step's examples: {end}"


def in_place_html(row: StepTokens) -> Markup:
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
        join_markup(_parts(prompt, iter(row.pieces), iter(rooms)))
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


def visible_token(piece: str) -> str:
    """A token with what would not be seen made visible."""
    shown = piece.replace("\n", "↵").replace("\t", "⇥")
    return shown.strip() or "␣" * max(1, len(shown))


def token_text(piece: str) -> Markup:
    """A token in the type of code."""
    return Markup("<code>{}</code>").format(visible_token(piece))
