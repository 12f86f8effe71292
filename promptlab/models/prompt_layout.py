"""A prompt laid out for its tokens: chat template, words, learned segments, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from promptlab.models.token_view import LearnedRun, Part, PromptLayout, TextRun
from promptlab.prompts.prompt import CharacterRange, Prompt, Segment, Slot, Soft, Text, Trigger

Ids = Sequence[tuple[int | None, ...]]
Chat = Callable[[Text], Text]
"""The user's words in the model's chat template."""
_PROBE = "\ue002"
_MASK = "{mask}"


def lay_out_prompt(prompt: Prompt, ids: Ids, chat: Chat | None) -> PromptLayout:
    """The prompt's layout; ``ids`` are those of its learned segments, in order."""
    places = _places(prompt)
    slot = prompt.slot
    learned = iter(ids)
    parts = [_part(s, place, learned) for s, place in zip(prompt.segments, places, strict=True)]
    start, end = places[slot]
    left = parts[:slot] if chat is None else _in_chat(prompt, parts[:slot], chat, end)
    return PromptLayout.of(
        [p for p in left if p], (start, end), [p for p in parts[slot + 1 :] if p]
    )


def placeholder_ids(prompt: Prompt) -> list[tuple[int | None, ...]]:
    """Ids of learned segments that nothing has learned yet."""
    return [(None,) * s.count for s in prompt.segments if isinstance(s, Soft | Trigger)]


def _places(prompt: Prompt) -> list[CharacterRange]:
    """Where every segment stands in ``str(prompt)``; the slot's holds a prefill, too."""
    found: list[CharacterRange] = []
    shown = [str(_alone(prompt, index)) for index in range(len(prompt.segments))]
    end = len(str(prompt)) - sum(map(len, shown))
    for text in shown:
        found.append((end, end + len(text)))
        end += len(text)
    at = found[prompt.slot][1]
    found[prompt.slot] = (at - len(_MASK), at)
    return found


def _alone(prompt: Prompt, index: int) -> str:
    """One segment as a reader sees it."""
    segment = prompt.segments[index]
    if isinstance(segment, Text):
        return segment.text
    if isinstance(segment, Slot):
        return Prompt((segment,), prefill=prompt.prefill).fill(_MASK)
    return Prompt((segment, Slot())).fill("")


def _part(segment: Segment, place: CharacterRange, ids: Iterator[tuple[int | None, ...]]) -> Part:
    if isinstance(segment, Text):
        return (TextRun(segment, "text", place[0]),)
    if isinstance(segment, Soft):
        return LearnedRun("soft", next(ids), place)
    return LearnedRun("trigger", next(ids), place) if isinstance(segment, Trigger) else ()


def _in_chat(prompt: Prompt, parts: Sequence[Part], chat: Chat, slot_end: int) -> list[Part]:
    """The user's turn between the words of the chat template, white space around it dropped."""
    around = chat(Text(_PROBE))
    opening, found, closing = around.text.partition(_PROBE)
    before = TextRun(around.slice(0, len(opening)), "chat")
    after = TextRun(around.slice(len(around) - len(closing)), "chat")
    runs = _trimmed(parts)
    words = Text.join(
        run.words for part in runs if not isinstance(part, LearnedRun) for run in part
    )
    place = slot_end - len(_MASK) - len(prompt.prefill)
    prefill = TextRun(Text.from_data(prompt.prefill), "text", place)
    if prompt.is_text_only:
        whole = chat(words)
        if not found or whole.text != opening + words.text + closing:
            return [(TextRun(whole, "chat"), prefill)]
        return [(before, *_flat(runs), after, prefill)]
    return _grouped([(before,), *runs, (after,)])


def _trimmed(parts: Sequence[Part]) -> list[Part]:
    """The parts without the white space at their beginning and end."""
    kept = list(parts)
    if kept and not isinstance(kept[0], LearnedRun):
        run = kept[0][0]
        words = run.words.lstrip()
        shown = None if run.shown is None else run.shown + len(run.text) - len(words)
        kept[0] = (TextRun(words, run.kind, shown),)
    if kept and not isinstance(kept[-1], LearnedRun):
        run = kept[-1][0]
        kept[-1] = (TextRun(run.words.rstrip(), run.kind, run.shown),)
    return kept


def _flat(parts: Sequence[Part]) -> list[TextRun]:
    return [run for part in parts if not isinstance(part, LearnedRun) for run in part]


def _grouped(parts: Sequence[Part]) -> list[Part]:
    """Neighbouring words joined: a chat template's words and the user's are one string."""
    groups: list[Part] = []
    for part in parts:
        last = groups[-1] if groups else None
        if isinstance(part, LearnedRun) or last is None or isinstance(last, LearnedRun):
            groups.append(part)
        else:
            groups[-1] = (*last, *part)
    return groups
