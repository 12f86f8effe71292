"""Other wordings of a template, ranked by how likely they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from promptlab.cancellation import Cancellation
from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from promptlab.tuning.instruction_search.reply import read_instruction, repeats_request
from promptlab.tuning.paraphrasing.placeholders import MARKS, MarkedText, mark_parts
from promptlab.tuning.paraphrasing.translator import Translation

Source = Literal["translation", "rewriting"]
_LONGEST = 1_000
"""Characters of a wording; a model that goes on has lost the thread."""
_LABEL = re.compile(r"^(?:the )?(?:new |other )?(?:sentence|wording)\s*:\s*", re.I)
"""What a writer may put before its wording."""
_UNRANKED = "{} tells no probabilities: its wordings stand in the order of its replies"
Wording = tuple[str, float | None, str]
"""A text of a model, its log-probability, and the translation that it came back from."""
_REQUEST = Template(
    "Say this sentence in other words. Keep every mark such as {mark} exactly as it is, each once, "
    "and write the new sentence alone.\n\nSentence: {sentence}\n\nNew sentence: {mask}",
    name="another wording",
)
WRITING = Decoding(max_tokens=96, temperature=0.9, top_p=0.95)


@runtime_checkable
class Translates(Protocol):
    """What gives translations with their log-probabilities.

    Args:
        text: What is translated.
        beams: How many translations are wanted.
    """

    def translate(self, text: str, beams: int) -> list[Translation]:
        """The likeliest translations, best first."""


@dataclass(frozen=True)
class Paraphrase:
    """A wording of a template.

    Args:
        text: The template's text.
        logprob: Its round-trip log-probability, or that of the reply that it was written in, in
            nats; ``None`` where a writer tells none.
        by: How it was found.
        through: The translation that it came back from; empty for a rewriting.

    Example:
        >>> Paraphrase("It was {mask}: {text}", -3.5, "translation", "Es war [1]: [0]").logprob
        -3.5
    """

    text: str
    logprob: float | None
    by: Source
    through: str = ""

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "text": self.text, "logprob": self.logprob, "by": self.by, "through": self.through
        }  # fmt: skip


@dataclass(frozen=True)
class ParaphrasingResult:
    """The wordings, and what was left out.

    Args:
        original: The template's text.
        paraphrases: The likeliest first.
        tried: How many wordings there were.
        dropped: How many were dropped, by reason.
        remarks: What is to be known of the models.

    Example:
        >>> ParaphrasingResult("{text} It was {mask}.", (), 4, {"it is empty": 4}).describe()
        ['0 of 4 wordings of "{text} It was {mask}."', '4 dropped: it is empty']
    """

    original: str
    paraphrases: tuple[Paraphrase, ...]
    tried: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """What was found and left out, in sentences."""
        told = [f'{len(self.paraphrases)} of {self.tried} wordings of "{self.original}"']
        told += [f"{count} dropped: {reason}" for reason, count in self.dropped.items()]
        return told + list(self.remarks)

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "original": self.original, "tried": self.tried, "dropped": dict(self.dropped),
            "paraphrases": [one.record() for one in self.paraphrases],
            "remarks": list(self.remarks),
        }  # fmt: skip


OnStep = Callable[[str], None]


def paraphrase_by_translation(
    source: str, forward: Translates, backward: Translates, *, beams: int = 7, top: int = 10,
    on_step: OnStep | None = None, cancellation: Cancellation | None = None,
) -> ParaphrasingResult:  # fmt: skip
    """Translate a template there and back: ``beams``² wordings by their round-trip probability.

    A wording's is P(there | template) · P(wording | there), the largest where several translations
    lead to it (Jiang et al. 2020; equation 3.9 of the survey). Probabilities are those of whole
    texts.

    Args:
        source: The template's text.
        forward: Into the other language.
        backward: Back from it.
        beams: Translations there, and back of each.
        top: How many wordings are kept.
        on_step: Is told how far it is.
        cancellation: Stops it between two translations.

    Returns:
        The wordings, the likeliest first. Marks in the place of fields and slot are tried in
        several forms, until one survives.

    Raises:
        InputError: For a template that cannot be put in other words.
        Cancelled: When it was stopped.
    """
    best: ParaphrasingResult | None = None
    for form in MARKS:
        marked = mark_parts(source, form)
        found = _round_trip(source, marked, forward, backward, beams, top, on_step, cancellation)
        if best is None or len(found.paraphrases) > len(best.paraphrases):
            best = found
        if found.paraphrases:
            break
    assert best is not None
    return best


def _round_trip(
    source: str, marked: MarkedText, forward: Translates, backward: Translates, beams: int,
    top: int, on_step: OnStep | None, cancellation: Cancellation | None,
) -> ParaphrasingResult:  # fmt: skip
    wordings: list[Wording] = []
    there = forward.translate(marked.text, beams)
    for number, translation in enumerate(there):
        if cancellation is not None:
            cancellation.check()
        if on_step is not None:
            on_step(f"translation {number + 1} of {len(there)}, back")
        for back in backward.translate(translation.text, beams):
            total = translation.logprob + back.logprob
            wordings.append((back.text, total, translation.text))
    remarks = _remarks(marked.text, there, wordings)
    return _ranked(source, marked, wordings, "translation", top, remarks)


def _remarks(text: str, there: list[Translation], wordings: list[Wording]) -> tuple[str, ...]:
    """What the words say of the direction of the models."""
    own = _words(text)
    found = []
    if there and all(_words(one.text) == own for one in there):
        found.append(
            "the forward model gives the text back as it is: it may not translate from its language"
        )
    if own and wordings and not any(own & _words(back) for back, _, _ in wordings):
        found.append(
            "no translation back shares a word with the template: the backward model may translate "
            "in the wrong direction"
        )
    return tuple(found)


def paraphrase_by_rewriting(
    source: str, model: LanguageModel, *, samples: int = 12, top: int = 10,
    decoding: Decoding = WRITING, on_step: OnStep | None = None,
    cancellation: Cancellation | None = None,
) -> ParaphrasingResult:  # fmt: skip
    """Let a language model say a template in other words, ranked by the model's own probability.

    Args:
        source: The template's text.
        model: A model that generates; with a chat template it is asked in a conversation.
        samples: Replies.
        top: How many wordings are kept.
        decoding: How it writes.
        on_step: Is told how far it is.
        cancellation: Stops it between two replies.

    Returns:
        The wordings, the likeliest first.

    Raises:
        CapabilityError: For a model that does not generate.
        InputError: For a template that cannot be put in other words, or no samples.
        Cancelled: When it was stopped.
    """
    if samples < 1:
        raise InputError(f"samples is {samples}; use 1 or more")
    model.require("generate")
    marked = mark_parts(source)
    request = replace(_REQUEST, chat="chat" in model.capabilities)
    fields = {"sentence": marked.text, "mark": marked.form.format(0)}
    prompt = render_truncated(request, Example("wording", fields), (), model, decoding.max_tokens)
    wordings: list[Wording] = []
    dropped: Counter[str] = Counter()
    for number in range(samples if decoding.temperature else 1):
        if cancellation is not None:
            cancellation.check()
        if on_step is not None:
            on_step(f"wording {number + 1} of {samples}")
        (reply,) = model.generate([prompt], decoding, samples=[number])
        if reply.error is not None:
            dropped[f"no reply ({reply.error})"] += 1
            continue
        text = read_instruction(reply.split_reply.answer or "")
        if repeats_request(text, request.source):
            dropped["it repeats the request"] += 1
            continue
        wordings.append((_LABEL.sub("", text), reply.logprob, ""))
    silent = any(logprob is None for _, logprob, _ in wordings)
    remarks = (_UNRANKED.format(model.name),) if silent else ()
    found = _ranked(source, marked, wordings, "rewriting", top, remarks)
    return replace(
        found,
        tried=found.tried + sum(dropped.values()),
        dropped=dict((dropped + Counter(found.dropped)).most_common()),
    )


def _ranked(
    source: str, marked: MarkedText, wordings: list[Wording], by: Source, top: int,
    remarks: tuple[str, ...],
) -> ParaphrasingResult:  # fmt: skip
    """The wordings that are templates, the likeliest of each; what is dropped is counted."""
    dropped: Counter[str] = Counter()
    unique: dict[str, Paraphrase] = {}
    for text, logprob, through in sorted(wordings, key=_rank):
        restored, reason = _read(source, marked, text)
        if not reason and restored.casefold() in unique:
            reason = "it repeats another one"
        if reason:
            dropped[reason] += 1
            continue
        unique[restored.casefold()] = Paraphrase(restored, logprob, by, through)
    kept = tuple(unique.values())[:top]
    return ParaphrasingResult(source, kept, len(wordings), dict(dropped.most_common()), remarks)


def _rank(wording: Wording) -> tuple[bool, float]:
    """The likeliest first; those of unknown probability behind them, in their order."""
    return wording[1] is None, -(wording[1] or 0.0)


def _read(source: str, marked: MarkedText, text: str) -> tuple[str, str]:
    if not text.strip():
        return "", "it is empty"
    if len(text) > _LONGEST:
        return "", f"it has more than {_LONGEST:,} characters"
    restored, reason = marked.restore(text)
    if reason:
        return "", reason
    if restored.casefold() == " ".join(source.split()).casefold():
        return "", "it is the template itself"
    try:
        Template(restored)
    except InputError:
        return "", "it is no template"
    return restored, ""


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", text.casefold()))
