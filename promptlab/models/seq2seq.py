"""Encoder-decoder models: the sentinel stands in the slot, the decoder fills it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from promptlab.engine.generation.sequence import StopTokens
from promptlab.engine.scoring.request import AnswerRequest, ScoringContext
from promptlab.errors import CapabilityError
from promptlab.models.answer_check import check_answer_tokens
from promptlab.models.local import LocalModel
from promptlab.models.token_view import PromptLayout, TextRun, Token, TokenView, strip_end
from promptlab.prompts.prompt import Prompt, Text

SENTINEL = "<extra_id_0>"


def sentinel_id(tokenizer: object) -> int | None:
    """The id of T5's first sentinel, or ``None`` for a model that has none."""
    found = tokenizer.get_vocab().get(SENTINEL)  # type: ignore[attr-defined]
    return None if found is None else int(found)


class Seq2SeqModel(LocalModel):
    """With sentinels (T5) any slot is filled; without, the decoder continues a prefix template."""

    family = "seq2seq"
    capabilities = frozenset({"score", "features", "fill", "generate", "gradients"})

    def scoring_requests(
        self, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> list[list[AnswerRequest]]:
        """One question a prompt."""
        tokens = tuple(self.encoding.encode(answer) for answer in answers)
        for ids, answer in zip(tokens, answers, strict=True):
            check_answer_tokens(ids, answer, self.unknown)
        every = tuple(range(len(answers)))
        return [[AnswerRequest(context, tokens, every)] for context in self.slot_contexts(prompts)]

    def slot_contexts(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[ScoringContext]:
        """The encoder's input."""
        contexts = [ScoringContext(ids) for ids in self.prompt_token_ids(prompts, writes=writes)]
        for context in contexts:
            if len(context.ids) > self.max_tokens:
                raise CapabilityError(
                    f"a prompt has {len(context.ids)} tokens and {self.name} takes "
                    f"{self.max_tokens}; shorten the template"
                )
        return contexts

    def prompt_token_ids(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[tuple[int, ...]]:
        """The encoder's input, however long."""
        sentinel = sentinel_id(self.tokenizer) is not None
        texts = []
        pieces = [self.encode_sides(prompt, writes=writes) for prompt in prompts]
        for piece in pieces:
            left, right = piece.left, piece.right
            if (right.text.strip() or piece.after) and not sentinel:
                raise self._one_sided()
            texts.append(left + Text(SENTINEL) + right if sentinel else left.rstrip())
        contexts = []
        encoded = self.encoding.encode_batch(texts)
        for prompt, piece, ids in zip(prompts, pieces, encoded, strict=True):
            around = self._special_before(prompt) + piece.before, piece.after + self.encoding.after
            contexts.append(around[0] + ids + around[1])
        return contexts

    def _read(self, prompt: Prompt, laid: PromptLayout, made: TokenView) -> list[Token]:
        sentinel = sentinel_id(self.tokenizer) is not None
        right = "".join(run.text for run in laid.right)
        if (right.strip() or laid.after) and not sentinel:
            raise self._one_sided()
        mask = (TextRun(Text(SENTINEL), "slot", laid.slot[0]),)
        words = (*laid.left, *mask, *laid.right) if sentinel else strip_end(laid.left)
        slot = [] if sentinel else [Token("{mask}", None, "slot", laid.slot, read=False)]
        return [
            *made.prefix((None,) * self.prefix_tokens),
            *made.special(self._special_before(prompt)),
            *made.parts(laid.before),
            *made.words(words),
            *made.parts(laid.after),
            *made.special(self.encoding.after),
            *slot,
        ]

    def _written_after(self, context: ScoringContext) -> ScoringContext:
        model = self.engine.network.model
        forced = StopTokens.from_model(model, self.tokenizer).forced
        start = (int(model.config.decoder_start_token_id),)
        return replace(context, decoder_ids=start if forced is None else (*start, forced))

    def _count(self, left: Text, right: Text) -> int:
        if sentinel_id(self.tokenizer) is None:
            return super()._count(left, right)
        return len(self.encoding.encode(left + Text(SENTINEL) + right))

    def _one_sided(self) -> CapabilityError:
        return CapabilityError(
            f"{self.name} has no sentinel token, so it cannot fill a slot with words on both "
            "sides; use a prefix template"
        )
