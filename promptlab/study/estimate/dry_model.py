"""A model that answers without computing: it counts what it is asked, for estimates of cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from jaxtyping import Float

from promptlab.models.base import Capability, Fill, LanguageModel, Scores
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.prompt import Prompt, Slot, Text

_WIDTH = 16


@dataclass
class CallCounts:
    """Tokens asked for; ``scored`` are in all, ``fresh`` those of prompts not seen before.

    ``read`` and ``written`` belong to generated replies.
    """

    scored: int = 0
    fresh: int = 0
    read: int = 0
    written: int = 0
    seen: set[Any] = field(default_factory=set)


class DryModel(LanguageModel):
    """Stands in for ``model``: exact token counts, scores by chance, replies of a given length.

    ``share`` of a decoding's most tokens is what every reply has; its words are those of
    ``material``. Chance depends on the prompt alone, so that a dry run repeats itself.
    """

    def __init__(self, model: LanguageModel, share: float, material: str) -> None:
        self.inner = model
        self.name, self.key, self.family = model.name, f"dry {model.key}", model.family
        self.max_tokens = model.max_tokens
        without: set[Capability] = {"gradients"}
        self.capabilities = frozenset(model.capabilities - without)
        self.share = share
        self.tally = CallCounts()
        self._material = f"{material} " * (1 + 8_000 // (len(material) + 1))
        self._texts: dict[int, str] = {}
        self._answers: dict[str, int] = {}

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """As the model itself would."""
        self.inner.check(prompts, answers)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Log-probabilities by chance, with the tokens that scoring would take."""
        lengths, tokens = self._lengths(prompts, answers)
        logprobs = np.stack([-_chance(str(prompt), len(answers)) for prompt in prompts])
        for prompt, length in zip(prompts, lengths, strict=True):
            self._count(prompt, int(length))
        return Scores(logprobs, tokens, lengths, 0.0)

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """Words of the material."""
        words = (self._material.split() * top)[:top]
        for prompt in prompts:
            self._count(prompt, self.count_tokens(prompt))
        return [[Fill(word, i, 1 / (i + 2)) for i, word in enumerate(words)] for _ in prompts]

    def features(self, prompts: Sequence[Prompt]) -> Float[np.ndarray, "prompt dim"]:
        """Vectors by chance."""
        self.require("features")
        for prompt in prompts:
            self._count(prompt, self.count_tokens(prompt))
        return np.stack([_chance(str(prompt), _WIDTH) for prompt in prompts])

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """Replies of the share of the most tokens, never more than the window holds."""
        self.require("generate")
        found = []
        for prompt in prompts:
            read = self._read(prompt)
            room = max(self.max_tokens - read, 1)
            written = min(max(1, round(self.share * decoding.max_tokens)), room)
            self.tally.read += read
            self.tally.written += written
            found.append(Generation(self._text(written), read, written, 0.0, logprob=-1.0))
        return found

    def count_tokens(self, prompt: Prompt) -> int:
        """As the model itself counts."""
        return self.inner.count_tokens(prompt)

    def truncate(self, text: str, tokens: int) -> str:
        """As the model itself cuts."""
        return self.inner.truncate(text, tokens)

    def _lengths(
        self, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of every prompt and of every answer after it."""
        shape = (len(prompts), len(answers))
        lengths, tokens = np.ones(len(prompts), np.int64), np.ones(shape, np.int64)
        if isinstance(self.inner, LocalModel) and all(p.is_text_only for p in prompts):
            for row, items in enumerate(self.inner.answer_requests(prompts, tuple(answers))):
                for item in items:
                    lengths[row] = len(item.context.ids)
                    for index, tail in zip(item.answers, item.continuations, strict=True):
                        tokens[row, index] = len(tail)
            return lengths, tokens
        lengths[:] = [self.count_tokens(prompt) for prompt in prompts]
        tokens[:] = [self._answer(answer) for answer in answers]
        return lengths, tokens

    def _answer(self, answer: str) -> int:
        if answer not in self._answers:
            empty = self.count_tokens(Prompt((Slot(),)))
            said = self.count_tokens(Prompt((Text(f" {answer.strip()}"), Slot())))
            self._answers[answer] = max(1, said - empty)
        return self._answers[answer]

    def _read(self, prompt: Prompt) -> int:
        if isinstance(self.inner, LocalModel):
            return len(self.inner.prompt_token_ids([prompt])[0])
        return self.count_tokens(prompt)

    def _text(self, tokens: int) -> str:
        if tokens not in self._texts:
            self._texts[tokens] = self.inner.truncate(self._material, tokens)
        return self._texts[tokens]

    def _count(self, prompt: Prompt, length: int) -> None:
        self.tally.scored += length
        if prompt not in self.tally.seen:
            self.tally.seen.add(prompt)
            self.tally.fresh += length


def _chance(text: str, count: int) -> np.ndarray:
    """``count`` numbers in [0, 9), always the same ones for a text."""
    return np.random.default_rng(crc32(text.encode())).uniform(0.0, 9.0, count)
