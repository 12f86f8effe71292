"""A sequence that is being generated: its tokens so far, and when it stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptlab.engine.generation.detokenizer import (
    IncrementalDetokenizer,
    decode_reply,
    truncate_at_stop,
)
from promptlab.engine.generation.sampler import PhiloxStream
from promptlab.prompts.decoding import Decoding, Finish
from promptlab.prompts.parsers.hidden_reasoning import opens_reasoning

_MARK_TOKENS = 24
"""So many tokens hold what opens a block of reasoning."""


@dataclass(frozen=True)
class StopTokens:
    """Tokens that end a text: the model's end tokens, and T5's sentinel after the slot's words.

    ``forced`` is a token that every text begins with (BART's ``<s>``).
    """

    tokens: frozenset[int]
    sentinel: int | None = None
    forced: int | None = None

    @classmethod
    def from_model(cls, model: Any, tokenizer: Any) -> StopTokens:
        """What a model and its tokenizer say."""
        settings = getattr(model, "generation_config", None)
        found = getattr(settings, "eos_token_id", None)
        if found is None:
            found = getattr(model.config, "eos_token_id", None)
        tokens = {int(token) for token in _as_list(found)} | {
            int(token) for token in _as_list(tokenizer.eos_token_id)
        }
        sentinel = tokenizer.get_vocab().get("<extra_id_1>")
        forced = getattr(settings, "forced_bos_token_id", None)
        return cls(
            frozenset(tokens) | ({int(sentinel)} if sentinel is not None else frozenset()),
            None if sentinel is None else int(sentinel),
            None if forced is None or not model.config.is_encoder_decoder else int(forced),
        )


def decoder_start_token(model: Any) -> int | None:
    """The token with which an encoder-decoder's decoder begins, by its configuration."""
    for settings in (model.config, getattr(model, "generation_config", None)):
        found = getattr(settings, "decoder_start_token_id", None)
        if found is not None:
            return int(found)
    return None


def _as_list(found: Any) -> Sequence[Any]:
    return () if found is None else found if isinstance(found, list | tuple) else (found,)


@dataclass(eq=False)
class GeneratedSequence:
    """One sequence: tokens are appended until `finish` is set.

    Attributes:
        ids: token ids of the context that it continues.
        sample: its number among the samples of one context; it seeds the random numbers.
        limit: the most tokens, what is left of the window taken into account.
        on_text: called with the text whenever it has grown.
        tokens: ids generated so far.
        logprob: sum of their log-probabilities in nats, at temperature 1.
        finish: why it has ended; ``None`` while it goes on.
    """

    context_ids: tuple[int, ...]
    sample: int
    max_tokens: int
    decoding: Decoding
    tokenizer: Any
    stop_tokens: StopTokens
    on_text: Callable[[str], None] | None = None
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish: Finish | None = None

    def __post_init__(self) -> None:
        self._stream = PhiloxStream(self.decoding.seed, self.sample, self.context_ids)
        stops = self.decoding.stop
        watched = bool(stops) or self.on_text is not None
        self._opened = bool(stops) and self._begins_within_reasoning()
        self._growing = (
            IncrementalDetokenizer(self.tokenizer, stops, opened=self._opened) if watched else None
        )

    def next_uniform(self) -> float:
        """The uniform number of the next step."""
        return self._stream.next() if self.decoding.temperature > 0 else 0.0

    def append(self, token: int, logprob: float) -> None:
        """Take in the token that was chosen, or the one that every text begins with."""
        forced = self.stop_tokens.forced if not self.tokens else None
        if forced is not None:
            token, logprob = forced, 0.0
        self.tokens.append(token)
        self.logprob += logprob
        ended = forced is None and token in self.stop_tokens.tokens
        if ended or self._stopped(token):
            self.finish = "stop"
        elif len(self.tokens) >= self.max_tokens:
            self.finish = "length"

    def reset(self) -> None:
        """Forget what was written: the same text can be written again."""
        self.tokens, self.logprob, self.finish = [], 0.0, None
        self.__post_init__()

    @property
    def text(self) -> str:
        """What was written, up to the first stop string."""
        tokens = self.tokens
        if self.stop_tokens.sentinel in tokens:
            tokens = tokens[: tokens.index(self.stop_tokens.sentinel)]
        whole = decode_reply(self.tokenizer, tokens)
        return truncate_at_stop(whole, self.decoding.stop, opened=self._opened)

    def _begins_within_reasoning(self) -> bool:
        """Whether the prompt's last words open a block of hidden reasoning."""
        words = [token for token in self.context_ids[-_MARK_TOKENS:] if token < len(self.tokenizer)]
        return opens_reasoning(str(self.tokenizer.decode(words, skip_special_tokens=False)))

    def _stopped(self, token: int) -> bool:
        """Whether a stop string stands in the text; the listener is told what is new."""
        growing = self._growing
        if growing is None:
            return False
        before = growing.shown_text if self.on_text is not None else ""
        growing.add(token)
        if self.on_text is not None and growing.shown_text != before:
            self.on_text(growing.shown_text)
        if not growing.stopped:
            return False
        # A decoder may join what is decoded as a whole in another way.
        whole = decode_reply(self.tokenizer, self.tokens)
        growing.stopped = truncate_at_stop(whole, self.decoding.stop, opened=self._opened) != whole
        return growing.stopped
