"""One sequence at a time with transformers' own cache: exact for every kind of layer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from promptlab.compat.transformers import DynamicCache, EncoderDecoderCache, EncoderOutput
from promptlab.engine.generation.sampler import sample_tokens
from promptlab.engine.generation.sequence import GeneratedSequence
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.network.network import Network


class SequentialDecoder:
    """Texts of models whose layers keep other state than keys and values of every token.

    A context is read once for all its texts. ``start`` is an encoder-decoder's start token;
    ``None`` for a causal model. A learned ``prefix`` stands before what a decoder writes.
    """

    def __init__(
        self,
        network: Network,
        vectors: Tensor | None,
        start: int | None,
        prefix: KVState | None,
    ) -> None:
        self.network, self.vectors, self.start = network, vectors, start
        self.prefix = prefix
        self.computed_tokens = 0

    def generate(self, ids: tuple[int, ...], sequences: Sequence[GeneratedSequence]) -> None:
        """Write all texts after one context."""
        given = self._encoder_inputs(ids)
        read = ids if self.start is None else (self.start,)
        cache = self._empty_cache()
        logits = self._step(read, cache, given)
        for number, sequence in enumerate(sequences):
            # Copied for all but the last: what it writes goes into the cache.
            own = cache if number == len(sequences) - 1 else copy.deepcopy(cache)
            self._decode(sequence, logits, own, given, read)

    def _decode(
        self,
        sequence: GeneratedSequence,
        logits: Tensor,
        cache: Any,
        given: dict[str, Any],
        read: tuple[int, ...],
    ) -> None:
        while True:
            tokens, logprobs = sample_tokens(logits, sequence.decoding, [sequence.next_uniform()])
            sequence.append(int(tokens[0]), float(logprobs[0]))
            if sequence.finish is not None:
                return
            new = tuple(sequence.tokens[-1:]) if cache is not None else (*read, *sequence.tokens)
            logits = self._step(new, cache, given)

    def _encoder_inputs(self, ids: tuple[int, ...]) -> dict[str, Any]:
        """The encoder's output for a context; nothing for a causal model."""
        if self.start is None:
            return {}
        rows = torch.tensor([ids], device=self.network.device)
        with self.network.use_virtual_tokens(self.vectors):
            encoded = self.network.run_encoder(input_ids=rows)
        self.computed_tokens += len(ids)
        return {
            "encoder_outputs": EncoderOutput(last_hidden_state=encoded),
            "attention_mask": torch.ones_like(rows),
        }

    def _empty_cache(self) -> Any:
        uncached = not self.network.can_cache or self.network.batching_mode == "uncached"
        if uncached and self.prefix is None:
            return None  # the whole text is read anew for every token
        config = self.network.model.config
        own = DynamicCache(config=config.get_text_config(decoder=True))
        for layer, (keys, values) in enumerate(self.prefix.layers if self.prefix else ()):
            own.update(keys.to(self.network.dtype), values.to(self.network.dtype), layer)
        return own if self.start is None else EncoderDecoderCache(own, DynamicCache())

    def _step(self, ids: Sequence[int], cache: Any, given: dict[str, Any]) -> Tensor:
        """Feed tokens; the logits after the last, ``[1, vocab]``."""
        device = self.network.device
        name = "input_ids" if self.start is None else "decoder_input_ids"
        inputs = {name: torch.tensor([list(ids)], device=device), **given}
        if cache is None:
            inputs |= self.network.no_cache_inputs
        else:
            inputs |= {**self.network.cache_inputs(cache), "use_cache": True}
        with self.network.use_virtual_tokens(self.vectors):
            logits = self.network.logits(
                torch.zeros(1, dtype=torch.long, device=device),
                torch.tensor([len(ids) - 1], device=device),
                **inputs,
            )
        self.computed_tokens += len(ids)
        return logits
