"""Models whose weights are on this machine."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float

from promptlab.engine.generation.generate import generate
from promptlab.engine.scoring.engine import Engine
from promptlab.engine.scoring.request import AnswerRequest, ScoringContext, Usage
from promptlab.errors import CapabilityError, InputError, TemplateError
from promptlab.files.provenance import Provenance
from promptlab.models.adaptable import AdaptableModel
from promptlab.models.answer_check import check_distinct, check_spelling
from promptlab.models.base import Capability, Fill, Scores
from promptlab.models.chat_template import ChatTemplate
from promptlab.models.encoding import Encoding
from promptlab.models.end_token import end_token
from promptlab.models.local_provenance import local_provenance
from promptlab.models.nested_answers import exclusive_logprobs
from promptlab.models.prompt_layout import lay_out_prompt, placeholder_ids
from promptlab.models.segments import (
    EncodedSides,
    left_side,
    mask_learned,
    right_side,
    split_segments,
    unmask_learned,
)
from promptlab.models.thinking import Thinking
from promptlab.models.token_texts import TokenTexts, ranked_fills
from promptlab.models.token_view import PromptLayout, Token, TokenView
from promptlab.prompts.decoding import Decoding, Generation, OnText
from promptlab.prompts.parsers.hidden_reasoning import opens_reasoning
from promptlab.prompts.prompt import Prompt, Soft, Text, Trigger

REMEMBERED = 20_000
"""So many encoded prompts are kept in memory."""
REMEMBERED_ANSWERS = 500_000
"""So many answers are, of all these prompts together."""


class LocalModel(AdaptableModel):
    """A transformers model behind an `Engine`.

    Subclasses, one a family, say how a prompt with its answers becomes questions. ``weights`` is
    the content hash of what it was loaded from, its files (``from_files``) or tensors in memory,
    ``run_mode`` says how the engine runs it.
    """

    def __init__(
        self,
        *,
        name: str,
        key: str,
        tokenizer: Any,
        engine: Engine,
        max_tokens: int,
        thinking: bool = False,
        cannot: Mapping[Capability, str] | None = None,
        weights: str = "",
        manner: str = "",
        from_files: bool = False,
    ) -> None:
        self.name = name
        self.key = key
        self.weights = weights
        self.run_mode = manner
        self.from_files = from_files
        self.tokenizer = tokenizer
        self.engine = engine
        self.max_tokens = max_tokens
        self.encoding = Encoding(tokenizer)
        self.token_texts = TokenTexts(tokenizer, self.family)
        # GPT-2's unknown token is its end of text, which no word is read as.
        unknown = tokenizer.unk_token_id
        self.unknown = None if unknown in self.encoding.after else unknown
        self.base = self
        self._remembered: dict[tuple[Prompt, tuple[str, ...]], list[AnswerRequest]] = {}
        self.chat = ChatTemplate(tokenizer, self.encoding.has_control_tokens)
        self.thinking: Thinking | None = None
        if tokenizer.chat_template:
            self.capabilities = self.capabilities | {"chat"}
            self.thinking = self.chat.thinking(thinking)
        elif thinking:
            raise InputError(
                f"thinking: {name} has no chat template, so there is no reasoning to switch on; "
                "leave the setting out"
            )
        self.unsupported = dict(cannot or {})
        self.capabilities = self.capabilities - self.unsupported.keys()

    @abstractmethod
    def scoring_requests(
        self, prompts: Sequence[Prompt], answers: Sequence[str]
    ) -> list[list[AnswerRequest]]:
        """For every prompt the questions that together cover all answers."""

    @abstractmethod
    def slot_contexts(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[ScoringContext]:
        """For every prompt the context whose slot is filled by one token.

        ``writes`` says that a reply is to be written there, which may begin with reasoning.
        """

    def reply_requests(
        self, prompts: Sequence[Prompt], texts: Sequence[str]
    ) -> list[AnswerRequest]:
        """For every prompt the question whose one continuation is its whole reply.

        It goes on from where `generate` would and ends with the token that ends a reply. Raises
        `CapabilityError` for a model that writes nothing, or has no such token.
        """
        self.require("generate")
        model = self.engine.network.model
        found = []
        for prompt, text in zip(prompts, texts, strict=True):
            end = end_token(model, self.tokenizer, self.name, chat=prompt.chat)
            context = self._written_after(self.slot_contexts([prompt], writes=True)[0])
            ids = (*self._reply(prompt, context, Text.from_data(text)), end)
            self._check_reply(len(context.ids), len(ids))
            found.append(AnswerRequest(context, (ids,), (0,)))
        return found

    def _written_after(self, context: ScoringContext) -> ScoringContext:
        """The context as it is when a reply is begun."""
        return context

    def _reply(self, prompt: Prompt, context: ScoringContext, text: Text) -> tuple[int, ...]:
        """The tokens of a reply that follows the context."""
        return self.encoding.encode(text)

    def _check_reply(self, context: int, reply: int) -> None:
        if max(context, reply) > self.max_tokens:
            raise CapabilityError(
                f"a prompt has {context} tokens and its reply {reply}, and {self.name} takes "
                f"{self.max_tokens} of each; shorten them"
            )

    def _forget(self) -> None:
        self._remembered = {}

    @property
    def usage(self) -> Usage:
        """What all calls together have cost so far."""
        return self.engine.usage

    @property
    def device(self) -> str:
        """Where the weights are."""
        return str(self.engine.network.device)

    @property
    def dtype(self) -> str:
        """The weights' number format, such as ``float32``."""
        return str(self.engine.network.dtype).removeprefix("torch.")

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Raise what `score` would raise about prompts and answers, without computing anything."""
        self._check(prompts)
        check_spelling(prompts, answers)
        for asked in self.scoring_requests(prompts, answers):
            check_distinct(asked, answers, self.name)

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Log-likelihood of every answer in every prompt's slot; exact for several tokens.

        Of answers that begin with one another the shorter one is not followed by a longer one.
        """
        self._check(prompts)
        started = time.perf_counter()
        shape = (len(prompts), len(answers))
        logprobs, tokens = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        lengths = np.zeros(len(prompts), dtype=np.int64)
        asked = [
            (row, item)
            for row, items in enumerate(self.answer_requests(prompts, tuple(answers)))
            for item in items
        ]
        found = self.engine.score([item for _, item in asked])
        for (row, item), values in zip(asked, found, strict=True):
            lengths[row] = len(item.context.ids)
            continuations = item.continuations
            own = exclusive_logprobs(np.asarray(values, dtype=np.float64), continuations)
            for index, continuation, value in zip(item.answers, continuations, own, strict=True):
                logprobs[row, index] = value
                tokens[row, index] = len(continuation)
        return Scores(logprobs, tokens, lengths, time.perf_counter() - started)

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """The most probable tokens at every prompt's slot, pieces of words too, best first."""
        return [
            list(islice(ranked_fills(self.token_texts, prompt, row), top))
            for prompt, row in zip(prompts, self.vocabulary_logprobs(prompts), strict=True)
        ]

    def vocabulary_logprobs(self, prompts: Sequence[Prompt]) -> Float[np.ndarray, "prompt vocab"]:
        """Log-probabilities in nats of all tokens at every prompt's slot."""
        self._check(prompts)
        return self.engine.vocabulary_logprobs(self.slot_contexts(prompts))

    def features(self, prompts: Sequence[Prompt]) -> Float[np.ndarray, "prompt dim"]:
        """The slots' vectors in fp32, kept by the store of features."""
        self._check(prompts)
        return self.engine.features(self.slot_contexts(prompts))

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """The text that continues every prompt at its slot.

        ``on_text`` is called with a prompt's number and its text so far, whenever that grows.
        What it raises (`Cancelled`, for one) ends the call; the model is as it was before.
        """
        self.require("generate")
        self._check(prompts)
        replies = generate(
            self.engine,
            self.tokenizer,
            self.prompt_token_ids(prompts, writes=True),
            decoding,
            samples=samples,
            window=self.max_tokens,
            name=self.name,
            on_text=on_text,
        )
        return [
            replace(reply, opened=True) if self._opens(prompt) else reply
            for prompt, reply in zip(prompts, replies, strict=True)
        ]

    def _opens(self, prompt: Prompt) -> bool:
        """Whether a reply to the prompt begins within reasoning."""
        return opens_reasoning(self.encode_sides(prompt, writes=True).left.text)

    def prompt_token_ids(
        self, prompts: Sequence[Prompt], *, writes: bool = False
    ) -> list[tuple[int, ...]]:
        """For every prompt the ids that are read before its slot is filled, however many."""
        return [context.ids for context in self.slot_contexts(prompts, writes=writes)]

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt with an empty slot, special tokens included."""
        around = len(self.encoding.before) + len(self.encoding.after) + self.prefix_tokens
        if prompt.is_text_only:
            return around + self._count(*self.sides(prompt))
        # Words are cut into tokens between learned segments, whatever these are.
        counts = [(0,) * s.count for s in prompt.segments if isinstance(s, Soft | Trigger)]
        found = self._pieces(prompt, counts)
        return around + len(found.before) + self._count(found.left, found.right) + len(found.after)

    def _count(self, left: Text, right: Text) -> int:
        """Tokens of the words beside the slot, and one for what will stand in it."""
        return len(self.encoding.encode(left)) + len(self.encoding.encode(right)) + 1

    def tokens(self, prompt: Prompt) -> list[Token]:
        """What is read of the prompt, token by token; places for what is not learned yet."""
        ids: Sequence[tuple[int | None, ...]] = placeholder_ids(prompt)
        if ids and self.learned is not None:
            ids = list(
                self.learned.segment_ids(
                    prompt.segments, self.engine.network.virtual_tokens.first_id
                )
            )
        if prompt.chat:
            self._check_chat(prompt)
        chat = (lambda words: self._chat(prompt, words, False)) if prompt.chat else None
        return self._read(prompt, lay_out_prompt(prompt, ids, chat), TokenView(self.encoding))

    @abstractmethod
    def _read(self, prompt: Prompt, laid: PromptLayout, made: TokenView) -> list[Token]:
        """The tokens of a prompt laid out, in the order in which they are read."""

    def truncate(self, text: str, tokens: int) -> str:
        """The beginning of ``text``, at most ``tokens`` tokens long."""
        ids, offsets = self.encoding.with_offsets([Text.from_data(text)])[0]
        return text if len(ids) <= tokens else text[: offsets[tokens - 1][1]] if tokens > 0 else ""

    def answer_requests(
        self, prompts: Sequence[Prompt], answers: tuple[str, ...]
    ) -> list[list[AnswerRequest]]:
        """`scoring_requests`, remembered: calibrations and repeated studies ask the same again."""
        if len(self._remembered) > min(REMEMBERED, REMEMBERED_ANSWERS // max(1, len(answers))):
            # Emptied by replacing it: other threads go on with the one that they have.
            self._remembered = {}
        remembered = self._remembered
        new = [p for p in dict.fromkeys(prompts) if (p, answers) not in remembered]
        if new:
            for prompt, asked in zip(new, self.scoring_requests(new, answers), strict=True):
                check_distinct(asked, answers, self.name)
                remembered[prompt, answers] = asked
        return [remembered[prompt, answers] for prompt in prompts]

    def sides(self, prompt: Prompt, *, writes: bool = False) -> tuple[Text, Text]:
        """The words before and after the slot; with ``chat`` in the model's chat template."""
        if not prompt.chat:
            return prompt.sides
        self._check_chat(prompt)
        said = self._chat(prompt, prompt.sides[0], writes)
        return said + Text.from_data(prompt.prefill), Text("")

    def encode_sides(self, prompt: Prompt, *, writes: bool = False) -> EncodedSides:
        """What stands around the slot, learned segments as token ids.

        ``writes`` says that a reply is to be written there, which may begin with reasoning.
        """
        if prompt.is_text_only:
            return EncodedSides((), *self.sides(prompt, writes=writes), ())
        assert self.learned is not None
        ids = list(
            self.learned.segment_ids(prompt.segments, self.engine.network.virtual_tokens.first_id)
        )
        return self._pieces(prompt, ids, writes)

    def _pieces(
        self, prompt: Prompt, ids: Sequence[tuple[int, ...]], writes: bool = False
    ) -> EncodedSides:
        slot = prompt.slot
        left, right = prompt.segments[:slot], prompt.segments[slot + 1 :]
        count = sum(not isinstance(segment, Text) for segment in left)
        if prompt.chat:
            self._check_chat(prompt)
            before = left_side(
                unmask_learned(self._chat(prompt, mask_learned(left), writes), ids[:count]),
                self.encoding,
            )
        else:
            before = left_side(split_segments(left, ids[:count]), self.encoding)
        return EncodedSides(*before, *right_side(split_segments(right, ids[count:]), self.encoding))

    def _check_chat(self, prompt: Prompt) -> None:
        self.require("chat")
        if prompt.right.strip() or prompt.segments[prompt.slot + 1 :]:
            raise TemplateError(
                "a chat prompt ends at its slot: the answer is the assistant's reply, so nothing "
                f"may follow {{mask}} (found {prompt.right.strip()!r})"
            )

    def _chat(self, prompt: Prompt, words: Text, writes: bool) -> Text:
        said = [(role, Text.from_data(text)) for role, text in prompt.turns]
        turns = (*said, ("user", words.strip()))
        return self.chat.text(turns, thinking=self.thinking == "on" and writes)

    def display(self, prompt: Prompt) -> str:
        """A prompt as a reader sees it, its trigger tokens as the words that were found."""
        triggers = self.learned.triggers if self.learned else ()
        if len(triggers) != sum(isinstance(segment, Trigger) for segment in prompt.segments):
            return str(prompt)
        return str(
            prompt.with_trigger_words(str(self.tokenizer.decode(list(ids))) for ids in triggers)
        )

    def provenance(self) -> Provenance:
        """Its files' content, number format, device, engine and libraries."""
        return local_provenance(self)

    def describe(self) -> dict[str, object]:
        """Plain facts for reports and records; of what was learned its hash.

        What is unusual about the way in which the model is run is told.
        """
        facts = super().describe() | {"device": self.device, "dtype": self.dtype}
        facts["key"] = self.base.key
        facts["weights"] = self.weights
        if self.thinking is not None:
            facts["thinking"] = self.thinking
        if self.thinking == "on":
            facts["options"] = {"thinking": True}
        if self.engine.runner.single_rows:
            facts["batches"] = (
                "one text at a time: what this architecture gives for a text depends on its "
                "padding or on the texts beside it"
            )
        if self.engine.network.batching_mode == "uncached" and "generate" in self.capabilities:
            facts["writing"] = "without a cache: the whole text is read anew for every token"
        return facts if self.learned is None else facts | {"learned": self.learned.key}

    def _check(self, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            if not prompt.is_text_only and self.learned is None:
                raise CapabilityError(
                    f"the prompt {str(prompt)!r} has soft or trigger tokens that nothing has "
                    "learned yet; fit it with a kind that learns them, or use a template of words"
                )

    def _special_before(self, prompt: Prompt) -> tuple[int, ...]:
        """Special tokens before the text; a chat template brings its own."""
        return () if prompt.chat else self.encoding.before
