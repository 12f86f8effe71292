"""Causal models: an answer is scored as the continuation of what stands before the slot."""

from __future__ import annotations

from collections.abc import Sequence

from promptlab.engine.scoring.request import AnswerRequest, ScoringContext
from promptlab.errors import CapabilityError
from promptlab.models.answer_check import check_answer_tokens
from promptlab.models.local import LocalModel
from promptlab.models.token_view import PromptLayout, Token, TokenView, strip_end
from promptlab.prompts.prompt import Prompt, Text


class CausalModel(LocalModel):
    """Scores the log-likelihood of the filled prompt from the slot on.

    For a prefix template that is the answer; for a cloze template the answer and all that
    follows, because a causal model cannot see to the right. The whole filled text is tokenised
    as one string, and what it shares with the text before the slot is the context, so white
    space before the slot belongs to the answer as in the language model's training text.
    """

    family = "causal"
    capabilities = frozenset({"score", "features", "fill", "generate", "gradients"})

    def scoring_requests(
        self, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> list[list[AnswerRequest]]:
        """One question a prompt (more only if answers change how the text before them splits)."""
        pieces = [self.encode_sides(prompt) for prompt in prompts]
        lefts = self.encoding.encode_batch([piece.left for piece in pieces])
        filled = self.encoding.encode_batch(
            [p.left + Text(a) + p.right for p in pieces for a in answers]
        )
        result = []
        for row, (prompt, piece) in enumerate(zip(prompts, pieces, strict=True)):
            whole = filled[row * len(answers) : (row + 1) * len(answers)]
            if piece.after:
                whole = [ids + piece.after for ids in whole]
            start = self._start(prompt) + piece.before
            result.append(self._split(start, lefts[row], whole, answers))
        return result

    def slot_contexts(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[ScoringContext]:
        """The text before the slot, trailing white space left to the answer."""
        pieces = [self.encode_sides(prompt, writes=writes) for prompt in prompts]
        kept = [
            piece.left if prompt.chat else piece.left.rstrip()
            for piece, prompt in zip(pieces, prompts, strict=True)
        ]
        return [
            ScoringContext(self._context(self._start(prompt) + piece.before + ids))
            for prompt, piece, ids in zip(
                prompts, pieces, self.encoding.encode_batch(kept), strict=True
            )
        ]

    def _reply(self, prompt: Prompt, context: ScoringContext, text: Text) -> tuple[int, ...]:
        piece = self.encode_sides(prompt, writes=True)
        if piece.after:
            raise CapabilityError(
                "a causal model that writes its answer never reads what stands behind {mask}; put "
                "the learned tokens in front of it"
            )
        left = piece.left
        words = self.encoding.encode(left + text)
        whole = self._start(prompt) + piece.before + words
        read = len(context.ids)
        if whole[:read] == context.ids:
            return whole[read:]
        # The reply would change how the words before it are cut, which have been read by then.
        kept = len(left) if prompt.chat else len(left.rstrip())
        return self.encoding.encode(left.slice(kept) + text)

    def _check_reply(self, context: int, reply: int) -> None:
        self._check_length(context + reply)

    def _read(self, prompt: Prompt, laid: PromptLayout, made: TokenView) -> list[Token]:
        before = made.parts(laid.before)
        kept = laid.left if prompt.chat else strip_end(laid.left)
        words = made.words(kept)
        start = self._start(prompt)
        prefix, special = start[: self.prefix_tokens], start[self.prefix_tokens :]
        nothing = () if special or before or words else self._nothing()
        space = "".join(run.text for run in laid.left)[sum(len(run.text) for run in kept) :]
        place = (laid.slot[0] - len(space), laid.slot[1])
        return [
            *made.prefix(prefix),
            *made.special((*special, *nothing)),
            *before,
            *words,
            Token(f"{space}{{mask}}", None, "slot", place, read=False),
            *made.words(laid.right, read=False),
            *made.parts(laid.after, read=False),
        ]

    def _start(self, prompt: Prompt) -> tuple[int, ...]:
        """A learned prefix, and the special tokens before the text.

        The prefix is in the context as so many ids beyond the vocabulary, which the runner
        replaces by its keys and values.
        """
        first = self.engine.network.virtual_tokens.first_id
        if self.learned is not None and self.learned.vectors is not None:
            first += len(self.learned.vectors)
        prefix = tuple(range(first, first + self.prefix_tokens))
        return prefix + self._special_before(prompt)

    def _context(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """Ids to be read after; a start token when there is nothing but a learned prefix."""
        return ids if len(ids) > self.prefix_tokens else ids + self._nothing()

    def _split(
        self,
        start: tuple[int, ...],
        left: tuple[int, ...],
        whole: Sequence[tuple[int, ...]],
        answers: Sequence[str],
    ) -> list[AnswerRequest]:
        shared = len(left)
        for ids in whole:
            shared = _agreement(left[:shared], ids)
        context = self._context(start + left[:shared])
        for ids, answer in zip(whole, answers, strict=True):
            check_answer_tokens(ids[shared:], answer, self.unknown)
            self._check_length(len(context) + len(ids) - shared)
        tails = tuple(ids[shared:] for ids in whole)
        return [AnswerRequest(ScoringContext(context), tails, tuple(range(len(answers))))]

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
