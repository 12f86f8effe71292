"""A language model that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from promptlab.models.base import Fill, LanguageModel, Scores
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.prompt import Prompt

Write = Callable[[str, int], str]
"""The reply to a prompt (as a reader sees it) and a sample number; "!..." is an error."""
Rate = Callable[[str, str], float]
"""How likely an answer is in a prompt, in nats."""


class ScriptedModel(LanguageModel):
    """Writes by ``write`` and scores by ``rate``; keeps what it was asked in ``calls``.

    Tokens are words. ``calls`` holds, for every call of `generate`, its prompts with their sample
    numbers.
    """

    family = "causal"

    def __init__(
        self, write: Write | None = None, rate: Rate | None = None, *, max_tokens: int = 4096
    ) -> None:
        self.name = "scripted"
        self.key = "scripted"
        self.max_tokens = max_tokens
        self.capabilities = frozenset({"score", "generate", "chat"})
        self.write = write or (lambda prompt, sample: "")
        self.rate = rate or (lambda prompt, answer: -float(len(answer)))
        self.calls: list[list[tuple[str, int]]] = []
        self.decodings: list[Decoding] = []
        self.scored: list[str] = []

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Everything can be said."""

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """What ``rate`` says."""
        self.scored.extend(map(str, prompts))
        values = [[self.rate(str(prompt), answer) for answer in answers] for prompt in prompts]
        counts = [[len(answer.split()) or 1 for answer in answers] for _ in prompts]
        lengths = [self.count_tokens(prompt) for prompt in prompts]
        return Scores(np.array(values), np.array(counts), np.array(lengths), 0.01)

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """No single words."""
        raise NotImplementedError

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """What ``write`` says."""
        numbers = list(samples or [0] * len(prompts))
        self.decodings.append(decoding)
        self.calls.append([(str(p), n) for p, n in zip(prompts, numbers, strict=True)])
        found = [self._one(p, n) for p, n in zip(prompts, numbers, strict=True)]
        for number, one in enumerate(found):
            if on_text is not None and one.text:
                on_text(number, one.text)
        return found

    def _one(self, prompt: Prompt, number: int) -> Generation:
        said = self.write(str(prompt), number)
        used = self.count_tokens(prompt)
        if said.startswith("!"):
            return Generation("", used, 0, 0.01, "error", error=said[1:])
        return Generation(said, used, len(said.split()), 0.01, logprob=-0.1 * len(said.split()))

    def count_tokens(self, prompt: Prompt) -> int:
        """Words."""
        return len(str(prompt).split())

    def truncate(self, text: str, tokens: int) -> str:
        """So many words."""
        return " ".join(text.split()[:tokens])
