"""Causal models: an answer is scored as the continuation of what stands before the slot."""

from __future__ import annotations

from collections.abc import Sequence

from promptlab.engine.question import Context, Question
from promptlab.errors import CapabilityError
from promptlab.models.local import Asked, LocalModel, check_answer_tokens
from promptlab.prompt import Prompt


class CausalModel(LocalModel):
    """Scores the log-likelihood of the filled prompt from the slot on.

    For a prefix template that is the answer; for a cloze template the answer and all that
    follows, because a causal model cannot see to the right. The whole filled text is tokenised
    as one string, and what it shares with the text before the slot is the context, so white
    space before the slot belongs to the answer as in the language model's training text.
    """

    family = "causal"
    can = frozenset({"score", "features", "fill", "generate", "gradients"})

    def questions(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[list[Asked]]:
        """One question a prompt (more only if answers change how the text before them splits)."""
        sides = [self.sides(prompt) for prompt in prompts]
        lefts = self.encoding.ids([left for left, _ in sides])
        filled = self.encoding.ids([left + a + right for left, right in sides for a in answers])
        result = []
        for row, prompt in enumerate(prompts):
            whole = filled[row * len(answers) : (row + 1) * len(answers)]
            result.append(self._split(self._start(prompt), lefts[row], whole, answers))
        return result

    def slot_contexts(self, prompts: Sequence[Prompt]) -> list[Question]:
        """The text before the slot, trailing white space left to the answer."""
        lefts = [self.sides(prompt)[0] for prompt in prompts]
        kept = [
            left if prompt.chat else left.rstrip()
            for left, prompt in zip(lefts, prompts, strict=True)
        ]
        return [
            Question(Context((self._start(prompt) + ids) or self._nothing()), ())
            for prompt, ids in zip(prompts, self.encoding.ids(kept), strict=True)
        ]

    def _start(self, prompt: Prompt) -> tuple[int, ...]:
        return self._special_before(prompt)

    def _split(
        self,
        start: tuple[int, ...],
        left: tuple[int, ...],
        whole: Sequence[tuple[int, ...]],
        answers: Sequence[str],
    ) -> list[Asked]:
        shared = len(left)
        for ids in whole:
            shared = _agreement(left[:shared], ids)
        context = (start + left[:shared]) or self._nothing()
        for ids, answer in zip(whole, answers, strict=True):
            check_answer_tokens(ids[shared:], answer)
            self._check_length(len(context) + len(ids) - shared)
        tails = tuple(ids[shared:] for ids in whole)
        return [Asked(Question(Context(context), tails), tuple(range(len(answers))))]

    def _nothing(self) -> tuple[int, ...]:
        """What a text that begins with the slot follows."""
        token = self.tokenizer.bos_token_id
        token = self.tokenizer.eos_token_id if token is None else token
        if token is None:
            raise CapabilityError(
                f"{self.name} has no start token, so nothing can be scored at the very beginning; "
                "put a word before {mask}"
            )
        return (int(token),)

    def _check_length(self, tokens: int) -> None:
        if tokens > self.max_tokens:
            raise CapabilityError(
                f"a filled prompt has {tokens} tokens and {self.name} takes {self.max_tokens}; "
                "shorten the template or use fewer demonstrations"
            )


def _agreement(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens two sequences share."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
