"""Masked models: an answer of k tokens fills k mask tokens at the slot."""

from __future__ import annotations

from collections.abc import Sequence

from promptlab.engine.scoring.request import AnswerRequest, ScoringContext
from promptlab.errors import CapabilityError
from promptlab.models.answer_check import check_answer_tokens
from promptlab.models.local import LocalModel
from promptlab.models.segments import EncodedSides
from promptlab.models.token_view import PromptLayout, TextRun, Token, TokenView
from promptlab.prompts.prompt import Prompt, Text


class MaskedModel(LocalModel):
    """Scores answers at mask tokens; both sides of the slot are seen."""

    family = "masked"
    capabilities = frozenset({"score", "features", "fill", "gradients"})

    def scoring_requests(
        self, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> list[list[AnswerRequest]]:
        """For every prompt one question for each answer length in tokens."""
        pieces = [self.encode_sides(prompt) for prompt in prompts]
        spaced = [piece.left.text[-1:].isspace() for piece in pieces]
        tokens = {
            space: [self._answer(answer, space) for answer in answers] for space in set(spaced)
        }
        lengths = [sorted({len(ids) for ids in tokens[space]}) for space in spaced]
        pairs = [(row, k) for row, ks in enumerate(lengths) for k in ks]
        contexts = self._contexts(
            [prompts[row] for row, _ in pairs],
            [pieces[row] for row, _ in pairs],
            [k for _, k in pairs],
        )
        result: list[list[AnswerRequest]] = [[] for _ in prompts]
        for (row, k), context in zip(pairs, contexts, strict=True):
            ids = tokens[spaced[row]]
            chosen = tuple(i for i, answer in enumerate(ids) if len(answer) == k)
            continuations = tuple(ids[i] for i in chosen)
            result[row].append(AnswerRequest(context, continuations, chosen))
        return result

    def slot_contexts(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[ScoringContext]:
        """Every prompt with one mask token in its slot."""
        pieces = [self.encode_sides(prompt) for prompt in prompts]
        return self._contexts(prompts, pieces, [1] * len(prompts))

    def _answer(self, answer: str, spaced: bool) -> tuple[int, ...]:
        ids = self.encoding.encode(f" {answer}" if spaced else answer)
        check_answer_tokens(ids, answer, self.unknown)
        return ids

    def _contexts(
        self, prompts: Sequence[Prompt], pieces: Sequence[EncodedSides], masks: Sequence[int]
    ) -> list[ScoringContext]:
        mask, mask_id = self.tokenizer.mask_token, self.tokenizer.mask_token_id
        texts = [
            Text.join((piece.left, Text(mask * k), piece.right))
            for piece, k in zip(pieces, masks, strict=True)
        ]
        contexts = []
        for row, (ids, offsets) in enumerate(self.encoding.with_offsets(texts)):
            piece = pieces[row]
            slot = len(piece.left) + len(mask)
            place = next(
                i
                for i, (token, (_, end)) in enumerate(zip(ids, offsets, strict=True))
                if token == mask_id and end == slot
            )
            before = self._special_before(prompts[row]) + piece.before
            whole = before + ids + piece.after + self.encoding.after
            if len(whole) > self.max_tokens:
                raise CapabilityError(
                    f"a prompt has {len(whole)} tokens and {self.name} takes {self.max_tokens}; "
                    "shorten the template or use fewer demonstrations"
                )
            contexts.append(ScoringContext(whole, len(before) + place))
        return contexts

    def _count(self, left: Text, right: Text) -> int:
        return len(self.encoding.encode(left + Text(self.tokenizer.mask_token) + right))

    def _read(self, prompt: Prompt, laid: PromptLayout, made: TokenView) -> list[Token]:
        mask = TextRun(Text(self.tokenizer.mask_token), "slot", laid.slot[0])
        return [
            *made.prefix((None,) * self.prefix_tokens),
            *made.special(self._special_before(prompt)),
            *made.parts(laid.before),
            *made.words((*laid.left, mask, *laid.right)),
            *made.parts(laid.after),
            *made.special(self.encoding.after),
        ]
