"""The tokens of a vocabulary that command a model, and a tokenizer in which no text is one."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

from promptlab.errors import InputError
from promptlab.prompts.prompt import CharacterRange, Text

Offsets = list[tuple[int, int]]

_NONCE = secrets.token_hex(8)
_FRAMED = re.compile(r"<[|\uff5c].*[|\uff5c]>|</?(think|thinking|reasoning)>|\[/?(THINK|INST)\]")
"""How control tokens look that a tokenizer's file does not call special (DeepSeek's, Qwen's)."""


def control_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that command a model instead of being words.

    The special ones, and of the other added ones those that the chat template writes or that look
    like ``<|name|>`` or a mark of reasoning. Words that somebody has added (``<table>``) are none.
    """
    template = tokenizer.chat_template
    written = json.dumps(template, ensure_ascii=False) if template else ""
    found = set(tokenizer.all_special_ids)
    for number, token in tokenizer.added_tokens_decoder.items():
        if not token.content.strip():
            continue  # runs of blanks that a vocabulary keeps whole
        marks = not token.content.isalnum() and json.dumps(token.content)[1:-1] in written
        if token.special or marks or _FRAMED.fullmatch(token.content):
            found.add(int(number))
    return frozenset(found)


class PlainTokenizer:
    """A copy of a fast tokenizer whose control tokens have secret names.

    Whatever a text says, it is tokenised as words; what the author of a template wrote keeps its
    control tokens, because they are called by their secret names.
    """

    def __init__(self, tokenizer: Any, controls: frozenset[int]) -> None:
        from tokenizers import Tokenizer

        document = json.loads(tokenizer.backend_tokenizer.to_str())
        document["truncation"] = document["padding"] = document["post_processor"] = None
        self.controls = controls
        names = {i: _secret(i) for i in controls}
        for token in document["added_tokens"]:
            if token["id"] in names:
                token |= {"content": names[token["id"]], "normalized": False, "single_word": False}
        _rename(document["model"], names)
        self._core = Tokenizer.from_str(json.dumps(document))
        self._unknown = tokenizer.unk_token_id
        self._name = tokenizer.name_or_path or type(tokenizer).__name__
        for number, name in names.items():
            if self._core.token_to_id(name) != number:
                raise self._refused()

    def encode(
        self, text: Text, kept: Sequence[tuple[int, CharacterRange]]
    ) -> tuple[list[int], Offsets]:
        """Ids and offsets of a text in which ``kept`` are the author's control tokens."""
        written, cuts, at = "", [], 0
        for number, (start, end) in kept:
            written += text.text[at:start]
            cuts.append((len(written), len(written) + len(_secret(number)), (start, end)))
            written += _secret(number)
            at = end
        found = self._core.encode(written + text.text[at:], add_special_tokens=False)
        offsets = [_original(span, cuts) for span in found.offsets]
        for token, span in zip(found.ids, offsets, strict=True):
            if token in self.controls and token != self._unknown and _is_given(span, text):
                raise self._refused()
        return list(found.ids), offsets

    def _refused(self) -> InputError:
        return InputError(
            f"the tokenizer of {self._name} reads control tokens in users' texts and its file "
            "gives no way to keep them apart; remove them from the texts, or use another model"
        )


def has_forged_controls(
    ids: Sequence[int], offsets: Offsets, text: Text, controls: frozenset[int]
) -> bool:
    """Whether characters that came from data were read as a control token."""
    return any(
        token in controls and _is_given(span, text)
        for token, span in zip(ids, offsets, strict=True)
    )


def written_controls(
    ids: Sequence[int], offsets: Offsets, text: Text, controls: frozenset[int]
) -> list[tuple[int, CharacterRange]]:
    """The control tokens that the template's author wrote, with their places."""
    return [
        (token, (span[0], span[1]))
        for token, span in zip(ids, offsets, strict=True)
        if token in controls and span[0] < span[1] and not _is_given(span, text)
    ]


def _is_given(span: CharacterRange, text: Text) -> bool:
    return any(start < span[1] and span[0] < end for start, end in text.data_ranges)


def _secret(number: int) -> str:
    return f"\ue004{_NONCE}:{number}\ue005"


def _original(
    span: CharacterRange, cuts: Sequence[tuple[int, int, CharacterRange]]
) -> CharacterRange:
    """Where characters of the text with secret names stand in the text without."""
    shift = 0
    for start, end, original in cuts:
        if span[0] < end and start < span[1]:
            return original
        if span[0] >= end:
            shift = original[1] - end
    return span[0] + shift, span[1] + shift


def _rename(model: dict[str, Any], names: dict[int, str]) -> None:
    """Give the control tokens in a model's vocabulary their secret names."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, list):  # Unigram: [piece, score] by id
        for number, name in names.items():
            if number < len(vocabulary):
                vocabulary[number][0] = name
        return
    renamed = {word: names[number] for word, number in vocabulary.items() if number in names}
    model["vocab"] = {renamed.get(word, word): number for word, number in vocabulary.items()}
    if model.get("unk_token") in renamed:
        model["unk_token"] = renamed[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [
            merge
            for merge in model["merges"]
            if not {*_parts(merge), "".join(_parts(merge))} & renamed.keys()
        ]


def _parts(merge: Any) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else list(merge)
