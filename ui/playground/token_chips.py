"""Drawings of a prompt: its words with the fields coloured, its tokens as chips, its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from promptlab.models import Token

from ..components.html import chip, error, join_markup, note
from ..components.markup import Markup
from .prompt_view import PromptPart, PromptView

MOST_CHIPS = 400
"""So many tokens are shown; of more the beginning, the slot's surroundings and the end."""
MOST_SHOWN = 30_000
"""So many characters of the rendered prompt are shown."""
_AROUND = 60
_KINDS = {
    "text": "text",
    "slot": "answer slot",
    "special": "special token",
    "chat": "chat template",
    "soft": "soft (learned vector)",
    "trigger": "trigger (to be searched)",
    "prefix": "learned prefix",
}
_COLOURS = 6
"""Fields take turns with so many colours."""
_UNREAD = "comes after the slot: not read when the slot is filled"


def prompt_view_html(reading: PromptView) -> Markup:
    """The prompt, how long it is, and its tokens."""
    parts = [_facts(reading), prompt_text_html(reading.stretches)]
    if reading.shortened:
        parts.append(_shortened(reading))
    if reading.count is not None:
        parts.append(length_meter(reading.count, reading.window, estimated=not reading.tokens))
    if reading.problem:
        remote = reading.family == "remote"
        parts.append(note(reading.problem) if remote else error(reading.problem))
    if reading.tokens:
        parts += [token_legend(reading.tokens), token_chips(reading.tokens)]
    return join_markup(parts)


def _facts(reading: PromptView) -> Markup:
    said = [chip(reading.shape, "pl-play-shape")]
    said += [chip("chat")] if reading.prompt.chat else []
    learned = Counter(s.kind for s in reading.stretches if s.kind in ("soft", "trigger"))
    said += [chip(f"{kind} tokens: not learned yet") for kind in learned]
    names = dict.fromkeys(s.name for s in reading.stretches if s.kind == "field")
    keys = join_markup(
        Markup('<span class="pl-play-field pl-play-c{}">{}</span>').format(n % _COLOURS, name)
        for n, name in enumerate(names)
    )
    return Markup('<div class="pl-play-facts">{}{}</div>').format(join_markup(said), keys)


def _shortened(reading: PromptView) -> Markup:
    return Markup('<p class="pl-play-warning">{}</p>').format(
        f"Too long for {reading.model}: "
        f"{', '.join(f'{{{name}}}' for name in reading.shortened)} shortened to fit."
    )


def prompt_text_html(stretches: Sequence[PromptPart]) -> Markup:
    """The rendered prompt: fields in colours of their own, the slot and learned tokens marked."""
    names = list(dict.fromkeys(s.name for s in stretches if s.kind == "field"))
    left = MOST_SHOWN
    parts: list[Markup] = []
    for stretch in stretches:
        if stretch.kind not in ("text", "field"):
            parts.append(_place(stretch))
            continue
        text, out = stretch.text, 0
        if len(text) > left:
            head, tail = (2 * left) // 3, left // 3
            out = len(text) - head - tail
            text = f"{text[:head]} \u2026 {text[len(text) - tail :]}" if left else ""
        left -= min(len(stretch.text), left)
        if stretch.kind == "field":
            colour = names.index(stretch.name) % _COLOURS
            parts.append(
                Markup('<span class="pl-play-field pl-play-c{}" title="{}">{}</span>').format(
                    colour, stretch.name, text
                )
            )
        else:
            parts.append(Markup("{}").format(text))
        if out:
            parts.append(
                Markup('<i class="pl-play-out">[{:,} characters left out]</i>').format(out)
            )
    return Markup('<pre class="pl-prompt" tabindex="0">{}</pre>').format(join_markup(parts))


def _place(stretch: PromptPart) -> Markup:
    if stretch.kind == "slot":
        return Markup("<mark>{}</mark>").format(stretch.text)
    return Markup('<span class="pl-play-place pl-play-{}">{}</span>').format(
        stretch.kind, stretch.text
    )


def length_meter(count: int, window: int, *, estimated: bool = False) -> Markup:
    """The prompt's length against the model's window, in tokens."""
    share = count / window if window else 1.0
    tone = "pl-full" if share > 1 else "pl-nearly" if share > 0.8 else ""
    about = "about " if estimated else ""
    text = f"{about}{count:,} of {window:,} tokens"
    return Markup(
        '<div class="pl-play-meter {}" role="meter" aria-label="prompt length" aria-valuemin="0" '
        'aria-valuemax="{}" aria-valuenow="{}"><span class="pl-bar-track">'
        '<span style="width:{:.2f}%"></span></span><span>{}</span></div>'
    ).format(tone, window, count, 100 * min(share, 1), text)


def token_legend(tokens: Sequence[Token]) -> Markup:
    """The kinds of tokens that there are, with how many of each."""
    counts = Counter[str](token.kind for token in tokens)
    return Markup('<ul class="pl-play-legend">{}</ul>').format(
        join_markup(
            Markup('<li><i class="pl-play-token pl-play-{}"></i>{} <b>{:,}</b></li>').format(
                kind, name, counts[kind]
            )
            for kind, name in _KINDS.items()
            if kind in counts
        )
    )


def token_chips(tokens: Sequence[Token]) -> Markup:
    """One chip a token with its id; equal places that are not learned yet share one."""
    parts: list[Markup] = []
    at = 0
    for start, end in visible_ranges(tokens):
        if start > at:
            parts.append(_left_out(start - at))
        parts += [_chip(group) for group in _grouped(tokens[start:end])]
        at = end
    if at < len(tokens):
        parts.append(_left_out(len(tokens) - at))
    return Markup('<div class="pl-play-tokens">{}</div>').format(join_markup(parts))


def visible_ranges(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Which tokens are shown: all, or the beginning, what is around the slot, and the end."""
    count = len(tokens)
    if count <= MOST_CHIPS:
        return [(0, count)]
    slot = next((i for i, token in enumerate(tokens) if token.kind == "slot"), 0)
    head = MOST_CHIPS // 2
    ranges = [(0, head), (slot - _AROUND, slot + _AROUND), (count - _AROUND, count)]
    joined_up: list[tuple[int, int]] = []
    for start, end in sorted((max(0, a), min(count, b)) for a, b in ranges):
        if joined_up and start <= joined_up[-1][1]:
            joined_up[-1] = (joined_up[-1][0], max(end, joined_up[-1][1]))
        else:
            joined_up.append((start, end))
    return joined_up


def _left_out(count: int) -> Markup:
    return Markup('<span class="pl-play-gap">\u2026 {:,} tokens not shown \u2026</span>').format(
        count
    )


def _grouped(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Neighbouring places of one learned segment together, every other token alone."""
    group: list[Token] = []
    for token in tokens:
        joins = group and _bare(token) and _bare(group[-1])
        if joins and (token.kind, token.place) == (group[-1].kind, group[-1].place):
            group.append(token)
            continue
        if group:
            yield group
        group = [token]
    if group:
        yield group


def _bare(token: Token) -> bool:
    return token.id is None and token.kind in ("soft", "trigger", "prefix")


def _chip(group: Sequence[Token]) -> Markup:
    token = group[0]
    text, below = visible_piece(token.text), "" if token.id is None else str(token.id)
    if _bare(token):
        text = Markup("{} \u00d7{}").format(token.kind, len(group))
        below = "not learned"
    if token.kind == "slot" and token.id is None:
        below = "answer"
    told = [f"id {token.id}" if token.id is not None else below, _KINDS[token.kind]]
    told += [f"{token.text!r}"] if token.id is not None else []
    told += [] if token.read or token.kind == "slot" else [_UNREAD]
    tone = "" if token.read or token.kind == "slot" else " pl-play-unread"
    return Markup(
        '<span class="pl-play-token pl-play-{}{}" title="{}"><b>{}</b><small>{}</small></span>'
    ).format(token.kind, tone, " \u00b7 ".join(told), text, below)


_SPACES = {" ": "\u00b7", "\n": "\u23ce", "\t": "\u21e5", "\r": "\u240d"}


def visible_piece(text: str) -> Markup:
    """A token with its white space made visible."""
    return join_markup(
        Markup("<i>{}</i>").format(_SPACES[letter]) if letter in _SPACES else letter
        for letter in text
    ) or Markup("<i>\u2205</i>")
