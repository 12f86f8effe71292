"""The answer of a reply, told apart from the reasoning that a model hides before it.

Models that reason put it into tags, channels or marked sections. What stands there is no answer,
whatever it says; reasoning that a prompt asked for in the open has no such marks and is untouched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SplitReply:
    """A reply in its two parts.

    ``reasoning`` is what was hidden. ``answer`` is all else, ``None`` where nothing is left or
    the reply ends (``finished`` is false) before its hidden reasoning does.
    """

    reasoning: str
    answer: str | None
    finished: bool = True


def split_reasoning(text: str, *, opened: bool = False) -> SplitReply:
    """Tell the hidden reasoning of a reply and its answer apart.

    A block that is opened ends at the first mark that closes it; one that is never closed leaves
    no answer, even if words stood before it. A closing mark alone says that all before it was
    reasoning, which is how a reply looks when the chat template opened the block. A mark that is
    merely spoken of is text: set in quotation marks or backticks by itself, or, outside of
    reasoning, within a code span or a code block. Any other mark counts: an answer that is lost
    is seen as unparsed, a thought that is taken for the answer would not be seen.

    Args:
        text: The reply as the model or its server gave it.
        opened: Whether the prompt's last words opened a block of reasoning already.

    Returns:
        The two parts. Without any mark ``answer`` is ``text``, unchanged.

    Example:
        >>> split_reasoning("<think>negative? No.</think> positive").answer
        'positive'
    """
    hidden: list[str] = []
    plain: list[str] = []
    for part in _parts(text, opened):
        words = text[part.start : part.end]
        if part.role == "answer":
            plain.append(words)
        else:
            # What is closed without having been opened was reasoning, with all before it.
            hidden.extend((*plain, words) if part.role == "unopened" else (words,))
            plain = [] if part.role == "unopened" else plain
        if part.role == "cut":
            return SplitReply("".join(hidden).strip(), None, finished=False)
    if not hidden and "".join(plain) == text:
        return SplitReply("", _unwrapped(text) or None)
    return SplitReply("".join(hidden).strip(), _unwrapped("".join(plain)).strip() or None)


def find_stop(text: str, stops: Sequence[str], *, opened: bool = False) -> int | None:
    """Where the first stop string begins that ends the answer, ``None`` if none does.

    Stop strings within hidden reasoning end nothing, and neither do those in the blanks after it.
    """
    if not any(stop in text for stop in stops):
        return None
    for part in _parts(text, opened):
        if part.role not in ("answer", "unopened"):
            continue
        start = part.start
        if start:  # line ends stand between reasoning and answer
            start += len(text[start : part.end]) - len(text[start : part.end].lstrip())
        found = (text.find(stop, start, part.end) for stop in stops)
        places = [place for place in found if place >= 0]
        if places and part.role == "answer":
            return min(places)
    return None


def opens_reasoning(prompt: str) -> bool:
    """Whether the last words of a prompt open a block of reasoning, as some chat templates do."""
    end = prompt.rstrip()
    tail = end[-_LONGEST_MARK:]
    return any(
        mark.role == "open" and mark.end == len(tail) and mark.family in _BLOCKS
        for mark in _marks(tail, 0)
    )


def is_reasoning_mark(token: str) -> bool:
    """Whether a token of a vocabulary is a mark that must not be dropped from a reply's text."""
    word = token.strip()
    if word in _FRAMES:
        return True
    return any((mark.start, mark.end) == (0, len(word)) for mark in _marks(word, 0))


Role = Literal["open", "close", "empty"]


@dataclass(frozen=True)
class _Part:
    """A stretch of a reply: reasoning without an end is *cut*, without a beginning *unopened*."""

    start: int
    end: int
    role: Literal["answer", "hidden", "unopened", "cut"]


def _parts(text: str, opened: bool) -> Iterator[_Part]:
    """The stretches of a reply, in order, without the marks between them."""
    block = _ANY if opened else None
    place = 0
    while True:
        if block is not None:
            mark = next(_closing(text, place, block), None)
            if mark is None:
                yield _Part(place, len(text), "cut")
                return
            yield _Part(place, mark.start, "hidden")
            block = None
        else:
            mark = next(_outside(text, place), None)
            if mark is None:
                yield _Part(place, len(text), "answer")
                return
            yield _Part(place, mark.start, "answer" if mark.role == "open" else "unopened")
            block = mark.family if mark.role == "open" else None
        place = mark.end


@dataclass(frozen=True)
class _Mark:
    """A mark in a text. ``alone``: whether it closes reasoning that nothing has opened."""

    start: int
    end: int
    role: Role
    family: str
    alone: bool = True


_ANY = "any"
_THINK, _TOKEN, _CHANNEL = "think", "token", "channel"
_BLOCKS = (_THINK, _TOKEN, _CHANNEL, "square", "triangle", "kimi", "pangu", "reasoning")
_LONGEST_MARK = 120  # characters
_LONGEST_SPACE = 200  # characters of a tag's attributes

# Names of tags; those of the first row are one family, as models mix them up.
_NAMES = (
    r"(?P<think>(?:ant)?think(?:ing)?|thoughts?|thought_process|thinking_process|cot|"
    r"chain_of_thoughts?)|reasoning|reasoning_process|reason|reflection|reflect|scratchpad|"
    r"analysis|inner_monologue|internal_monologue|monologue|inner_thoughts?|deliberation|"
    r"contemplation|contemplator"
)
_PATTERN = re.compile(
    rf"""
    (?P<tag>(?:<|&lt;)\s*(?P<slash>/?)\s*(?:[a-z][\w.-]{{0,30}}[:_])?(?P<name>{_NAMES})
        (?:\s[^<>]{{0,{_LONGEST_SPACE}}})?(?P<empty>/?)\s*(?:>|&gt;))
    | \[(?P<square>/?)think\] | ◁(?P<triangle>/?)think▷
    | (?P<pangu>\[unused1[67]\])
    | <\|(?P<kimi>open|close)\|>\s*think\s*<\|sep\|>
    | (?P<response><\|open\|>\s*response\s*<\|sep\|>)
    | (?P<gemma><\|channel>(?:thought)?) | (?P<gemma_end><channel\|>)
    | (?P<final>(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*final[^<>]{{0,80}}
        (?:<\|constrain\|>[^<>]{{0,40}})?<\|message\|>)
    | (?P<channel>(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*\w*[^<>]{{0,80}}
        (?:<\|constrain\|>[^<>]{{0,40}})?(?:<\|message\|>)?)
    | (?P<self>(?:<\|start\|>\s*assistant\s*)?to=self\s*<\|message\|>)
    | (?P<user><\|start\|>\s*assistant\s*(?:to=user\s*)?<\|message\|>)
    | (?P<inkling><\|content_thinking\|>) | (?P<inkling_end><\|content_text\|>)
    | <[|｜](?P<special>[^|｜<>\s]{{1,60}})[|｜]>
    | (?P<details><details\b[^<>]{{0,{_LONGEST_SPACE}}}\btype\s*=\s*["']?reasoning[^<>]{{0,200}}>)
    | (?P<details_end></details>)
    | (?P<granite>\A\s*(?:here\s+is|here[’']s)\s+my\s+thought\s+process\s*:)
    | (?P<granite_end>(?:here\s+is|here[’']s)\s+my\s+response\s*:)
    | (?P<ollama>\A\s*thinking\.\.\.\s*\n) | (?P<ollama_end>^[ \t]*\.\.\.\s?done\s+thinking\.?)
    | (?P<bare>\A\s*(?-i:(?:analysis|commentary)(?=[A-Z"'(])))
    | (?P<bare_end>(?-i:assistant\s?final))(?P<lower>(?-i:[a-z]))?
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_SPECIAL = re.compile(r"think|thought|reason|inner_(?:prefix|suffix)", re.IGNORECASE)
_SPECIAL_END = re.compile(r"(?:^|[_:/-])(?:end|close|stop|suffix)|^/|/think", re.IGNORECASE)
_FRAMES = frozenset(
    ("<|channel|>", "<|message|>", "<|start|>", "<|constrain|>", "<|open|>", "<|close|>", "<|sep|>",
     "<|channel>", "<channel|>", "<|content_text|>")
)  # fmt: skip
"""Tokens of which marks are made."""
_WRAPS = re.compile(
    r"\A(?:\s*<\|(?:begin_of_solution|start_response|start_text|begin_of_box|message_model)\|>)+|"
    r"(?:<\|(?:end_of_solution|end_response|end_text|end_of_box|end|return|call|im_end|eot_id|eom|"
    r"eot|end_message|content_model_end_sampling|end_of_msg|plamo:tag|endoftext)\|>\s*|"
    r"<\|close\|>\s*(?:response|message)\s*<\|sep\|>\s*)+\Z",
    re.IGNORECASE,
)
"""Marks around an answer that are no part of it."""
_SIMPLE = {
    # group: (role, family, whether it also closes what nothing has opened)
    "response": ("close", "kimi", True),
    "gemma": ("open", _CHANNEL, True),
    "gemma_end": ("close", _CHANNEL, True),
    "final": ("close", _CHANNEL, True),
    "channel": ("open", _CHANNEL, True),
    "self": ("open", _CHANNEL, True),
    "user": ("close", _CHANNEL, True),
    "inkling": ("open", "inkling", True),
    "inkling_end": ("close", "inkling", True),
    "details": ("open", "details", True),
    "details_end": ("close", "details", False),
    "granite": ("open", "granite", True),
    "granite_end": ("close", "granite", False),
    "ollama": ("open", "ollama", True),
    "ollama_end": ("close", "ollama", False),
    "bare": ("open", "bare", True),
    "bare_end": ("close", "bare", True),
}
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "„": "“"}
_CODE_SPAN = re.compile(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[^`\n]*\n.*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)


def _marks(text: str, start: int) -> Iterator[_Mark]:
    """The marks of a text from a place on; what is quoted by itself is none."""
    for match in _PATTERN.finditer(text, start):
        mark = _read_mark(match)
        if mark is not None and not _is_quoted(text, mark):
            yield mark


def _read_mark(match: re.Match[str]) -> _Mark | None:
    start, end = match.span()
    if match["tag"]:
        family = _THINK if match["think"] else match["name"].casefold()
        role: Role = "close" if match["slash"] else "empty" if match["empty"] else "open"
        return _Mark(start, end, role, family)
    for name, family in (("square", "square"), ("triangle", "triangle")):
        if match[name] is not None:
            return _Mark(start, end, "close" if match[name] else "open", family)
    if match["kimi"]:
        return _Mark(start, end, "open" if match["kimi"].casefold() == "open" else "close", "kimi")
    if match["pangu"]:
        return _Mark(start, end, "open" if "6" in match["pangu"] else "close", "pangu")
    if match["special"]:
        if not _SPECIAL.search(match["special"]):
            return None
        closes = _SPECIAL_END.search(match["special"]) is not None
        return _Mark(start, end, "close" if closes else "open", _TOKEN)
    name = next(name for name in _SIMPLE if match[name])
    found, family, alone = _SIMPLE[name]
    if match["bare_end"]:
        # "assistantfinally" is a mark where such reasoning was opened, and nowhere else.
        start, end, alone = *match.span("bare_end"), match["lower"] is None
    return _Mark(start, end, "open" if found == "open" else "close", family, alone)


def _is_quoted(text: str, mark: _Mark) -> bool:
    """Whether a mark stands by itself in quotation marks or backticks."""
    before = text[mark.start - 1 : mark.start]
    return before in _QUOTES and text[mark.end : mark.end + 1] == _QUOTES[before]


def _closing(text: str, start: int, block: str) -> Iterator[_Mark]:
    """The marks that close an open block."""
    for mark in _marks(text, start):
        if mark.role == "close" and (mark.family == block or (block == _ANY and mark.alone)):
            yield mark


def _outside(text: str, start: int) -> Iterator[_Mark]:
    """The marks that open reasoning or close what was never opened, outside of code."""
    code: list[tuple[int, int]] | None = None
    for mark in _marks(text, start):
        if mark.role == "empty" or (mark.role == "close" and not mark.alone):
            continue
        if code is None:
            code = [
                m.span() for m in (*_FENCE.finditer(text, start), *_CODE_SPAN.finditer(text, start))
            ]
        if not any(first <= mark.start and mark.end <= last for first, last in code):
            yield mark


def _unwrapped(answer: str) -> str:
    return _WRAPS.sub("", answer)
