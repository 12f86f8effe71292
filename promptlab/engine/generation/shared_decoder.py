"""One continuation of several contexts at once: what it is likely to be in all of them together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.compat.transformers import (
    DynamicCache,
    DynamicLayer,
    EncoderDecoderCache,
    EncoderOutput,
    accepts_argument,
)
from promptlab.engine.network.model_errors import MODEL_FAILURES, raise_own_mistake
from promptlab.engine.network.network import Network
from promptlab.errors import CapabilityError

_TOLERANCE = (0.5, 1e-3)
"""How many nats two contexts may lie apart: in half precision, and in fp32."""
_COMPARED = 20
"""So many of the likeliest tokens are compared."""
_MOST_VALUES = 60_000_000
"""So many logits are held at a time."""
_MOST_ROWS = 1_024
"""So many rows of keys and values are lent at a time."""
Layers = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class SharedContexts:
    """The contexts that one continuation is to be likely in.

    Args:
        ids: Token ids of every context: the encoder's input, or what a causal model has read.
        start: Tokens that every continuation begins with: an encoder-decoder's start token and
            what stands before the first hole; empty for a causal model.
        padding: A token that fills up shorter rows, and is never seen.
    """

    ids: tuple[tuple[int, ...], ...]
    start: tuple[int, ...] = ()
    padding: int = 0


class SharedDecoder(ABC):
    """Sums log-probabilities of next tokens over all contexts, for many continuations at once.

    `begin` gives them for the first token; `advance` takes the continuations that a search keeps,
    each with its next token, and gives those of the token after it.
    """

    def __init__(self, network: Network, contexts: SharedContexts) -> None:
        self.network, self.contexts = network, contexts
        self.rows_computed = 0
        self.tokens_computed = 0

    @abstractmethod
    def begin(self) -> Float[Tensor, "1 vocab"]:
        """Sums over the contexts of the first token's log-probabilities, in nats."""

    @abstractmethod
    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Float[Tensor, "beam vocab"]:
        """The same after continuations of the last call, by their places, and a token each."""


class RecomputingDecoder(SharedDecoder):
    """The plain way: every continuation is read anew after every context. It keeps nothing."""

    def begin(self) -> Float[Tensor, "1 vocab"]:
        """The sums for the first token."""
        self._written: list[tuple[int, ...]] = [()]
        return self._sums()

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Float[Tensor, "beam vocab"]:
        """The sums after every kept continuation."""
        self._written = [
            (*self._written[parent], token) for parent, token in zip(parents, tokens, strict=True)
        ]
        return self._sums()

    def _sums(self) -> Float[Tensor, "beam vocab"]:
        return torch.stack([self._sum(written) for written in self._written])

    def _sum(self, written: tuple[int, ...]) -> Float[Tensor, " vocab"]:
        found = []
        for ids in self.contexts.ids:
            if self.contexts.start:
                read = (*self.contexts.start, *written)
                inputs = {
                    "input_ids": _row(ids, self.network),
                    "decoder_input_ids": _row(read, self.network),
                }
            else:
                read = (*ids, *written)
                inputs = {"input_ids": _row(read, self.network)}
            place = torch.tensor([len(read) - 1], device=self.network.device)
            logits = self.network.logits(torch.zeros_like(place), place, **inputs)
            self.rows_computed += 1
            self.tokens_computed += len(read) + (len(ids) if self.contexts.start else 0)
            found.append(logits[0].double().log_softmax(-1))
        return torch.stack(found).sum(0)


class KeptDecoder(SharedDecoder):
    """Every context is read once; every continuation computes its new token alone.

    The contexts' keys and values (of an encoder-decoder those of its encoder's output) are lent to
    as many continuations at a time as there is room for; own keys and values follow the search.

    Raises:
        CapabilityError: By `make_shared_decoder`, for a network that keeps no keys and values.
    """

    def begin(self) -> Float[Tensor, "1 vocab"]:
        """Read the contexts; the sums for the first token."""
        logits = self._read_seq2seq() if self.contexts.start else self._read_causal()
        self._own: Layers = [(k[None, :, :, :0], v[None, :, :, :0]) for k, v in self._context]
        if self.contexts.start:
            self._own = [(k[None], v[None]) for k, v in self._context]
        self._steps = 0
        self._lent: dict[int, tuple[Layers, Tensor]] = {}
        return self.combine(logits[None])

    @staticmethod
    def combine(logits: Float[Tensor, "beam row vocab"]) -> Float[Tensor, "beam vocab"]:
        """What the contexts of a continuation say together: the sum of their log-probabilities."""
        # As a difference of sums: no second table of all logits is written.
        normalisers = logits.logsumexp(-1).double().sum(1)
        return logits.sum(1, dtype=torch.float64) - normalisers[:, None]

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> Float[Tensor, "beam vocab"]:
        """The sums after the kept continuations, each one token longer."""
        chosen = torch.tensor(list(parents), device=self.network.device)
        own = [(k.index_select(0, chosen), v.index_select(0, chosen)) for k, v in self._own]
        rows = len(self.contexts.ids)
        vocabulary = self.network.model.config.get_text_config(decoder=True).vocab_size
        most = max(1, min(_MOST_VALUES // vocabulary, _MOST_ROWS) // rows)
        sums, grown = [], []
        for start in range(0, len(tokens), most):
            part = slice(start, start + most)
            logits, layers = self._step([(k[part], v[part]) for k, v in own], tokens[part])
            sums.append(self.combine(logits.view(-1, rows, logits.shape[-1])))
            grown.append(layers)
        self._own = [
            (torch.cat([p[n][0] for p in grown]), torch.cat([p[n][1] for p in grown]))
            for n in range(len(own))
        ]
        self._steps += 1
        return torch.cat(sums)

    def _read_seq2seq(self) -> Float[Tensor, "row vocab"]:
        ids, mask = _padded(self.contexts, left=False, device=self.network.device)
        encoded = self.network.run_encoder(input_ids=ids, attention_mask=mask)
        self._encoded, self._mask = encoded, mask
        cache = EncoderDecoderCache(self._empty_cache(), DynamicCache())
        start = _rows_of(self.contexts.start, len(ids), self.network)
        logits = self._logits(
            start, cache, decoder_input_ids=start, attention_mask=mask,
            encoder_outputs=EncoderOutput(last_hidden_state=encoded),
        )  # fmt: skip
        self._context = _layers(cache.self_attention_cache)
        self._cross = _layers(cache.cross_attention_cache)
        self.tokens_computed += int(mask.sum()) + start.numel()
        return logits

    def _read_causal(self) -> Float[Tensor, "row vocab"]:
        ids, mask = _padded(self.contexts, left=True, device=self.network.device)
        self._mask = mask
        cache = self._empty_cache()
        positions = self._positions(mask.cumsum(-1) - 1)
        logits = self._logits(ids, cache, input_ids=ids, attention_mask=mask, **positions)
        self._context = _layers(cache)
        self.tokens_computed += int(mask.sum())
        return logits

    def _step(self, own: Layers, tokens: Sequence[int]) -> tuple[Tensor, Layers]:
        """One token of several continuations in every context; their keys and values, grown."""
        beams, rows = len(tokens), len(self.contexts.ids)
        device = self.network.device
        ids = torch.tensor(list(tokens), device=device).repeat_interleave(rows)[:, None]
        before: Layers = []
        for number, (keys, values) in enumerate(own):
            pair = (keys.flatten(0, 1), values.flatten(0, 1))
            if not self.contexts.start:
                lent = _lend(self._context[number], beams)
                pair = (torch.cat([lent[0], pair[0]], -2), torch.cat([lent[1], pair[1]], -2))
            before.append(pair)
        cache = self._cache_of(before)
        self.tokens_computed += ids.numel()
        if self.contexts.start:
            cross, encoded = self._lent_to(beams)
            logits = self._logits(
                ids, EncoderDecoderCache(cache, cross), decoder_input_ids=ids,
                attention_mask=self._mask.repeat(beams, 1),
                encoder_outputs=EncoderOutput(last_hidden_state=encoded),
            )  # fmt: skip
        else:
            seen = torch.ones(rows, self._steps + 1, dtype=self._mask.dtype, device=device)
            mask = torch.cat([self._mask, seen], -1).repeat(beams, 1)
            positions = self._positions(mask.sum(-1, keepdim=True) - 1)
            logits = self._logits(ids, cache, input_ids=ids, attention_mask=mask, **positions)
        lent_tokens = 0 if self.contexts.start else self._mask.shape[1]

        def own_part(state: Tensor) -> Tensor:
            return state[:, :, lent_tokens:].unflatten(0, (beams, rows))

        return logits, [(own_part(keys), own_part(values)) for keys, values in _layers(cache)]

    def _lent_to(self, beams: int) -> tuple[Any, Tensor]:
        """The encoder's keys, values and output for so many continuations; kept for the next step.

        (A cache that is given to a model grows: it is made anew from the same tensors.)
        """
        if beams not in self._lent:
            encoded = self._encoded.expand(beams, *self._encoded.shape).flatten(0, 1)
            self._lent = {beams: ([_lend(pair, beams) for pair in self._cross], encoded)}
        layers, encoded = self._lent[beams]
        return self._cache_of(layers), encoded

    def _positions(self, positions: Int[Tensor, "row token"]) -> dict[str, Tensor]:
        if not accepts_argument(self.network.model.forward, "position_ids"):
            return {}
        return {"position_ids": positions.clamp(min=0)}

    def _empty_cache(self) -> Any:
        config = self.network.model.config.get_text_config(decoder=True)
        return DynamicCache(config=config)

    def _cache_of(self, layers: Layers) -> Any:
        """A cache that holds these tensors themselves: an update would copy them."""
        cache = self._empty_cache()
        for number, (keys, values) in enumerate(layers):
            layer = cache.layers[number] if number < len(cache.layers) else None
            if type(layer) is not DynamicLayer:
                cache.update(keys, values, number)
                continue
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
        return cache

    def _logits(self, ids: Tensor, cache: Any, **inputs: Any) -> Float[Tensor, "row vocab"]:
        """The logits behind the last token of every row."""
        rows = torch.arange(len(ids), device=ids.device)
        last = torch.full_like(rows, ids.shape[1] - 1)
        self.rows_computed += len(ids)
        given = {**inputs, **self.network.cache_inputs(cache), "use_cache": True}
        return self.network.logits(rows, last, **given)


def make_shared_decoder(network: Network, contexts: SharedContexts) -> SharedDecoder:
    """The quick decoder where it says what the plain one says, else the plain one.

    Both are tried on the first two contexts and one token.

    Raises:
        CapabilityError: Where there is no context.
    """
    if not contexts.ids:
        raise CapabilityError("there is no context to continue")
    return (KeptDecoder if _agrees(network, contexts) else RecomputingDecoder)(network, contexts)


def _agrees(network: Network, contexts: SharedContexts) -> bool:
    if not network.can_cache:
        return False
    few = SharedContexts(contexts.ids[:2], contexts.start, contexts.padding)
    try:
        kept, plain = KeptDecoder(network, few), RecomputingDecoder(network, few)
        begun = (kept.begin(), plain.begin())
        tokens = [int(token) for token in begun[1][0].topk(2).indices]
        advanced = (kept.advance([0, 0], tokens), plain.advance([0, 0], tokens))
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return False
    limit = _TOLERANCE[network.dtype == torch.float32]
    return all(_difference(*pair) < limit for pair in (begun, advanced))


def _difference(kept: Tensor, plain: Tensor) -> float:
    """The largest, in nats, among the likeliest tokens."""
    likeliest = plain.topk(min(_COMPARED, plain.shape[-1]), dim=-1).indices
    return float((kept.gather(-1, likeliest) - plain.gather(-1, likeliest)).abs().max())


def _layers(cache: Any) -> Layers:
    return [cast(tuple[Tensor, Tensor], (layer.keys, layer.values)) for layer in cache.layers]


def _lend(pair: tuple[Tensor, Tensor], beams: int) -> tuple[Tensor, Tensor]:
    keys, values = (state.expand(beams, *state.shape).flatten(0, 1) for state in pair)
    return keys, values


def _row(ids: Sequence[int], network: Network) -> Int[Tensor, "1 token"]:
    return torch.tensor([list(ids)], device=network.device)


def _rows_of(ids: Sequence[int], rows: int, network: Network) -> Int[Tensor, "row token"]:
    return _row(ids, network).expand(rows, -1).contiguous()


def _padded(
    contexts: SharedContexts, *, left: bool, device: torch.device
) -> tuple[Int[Tensor, "row token"], Int[Tensor, "row token"]]:
    """The contexts as one batch, and which of its tokens are read."""
    longest = max(map(len, contexts.ids))
    ids, mask = [], []
    for row in contexts.ids:
        gap, ones = [contexts.padding] * (longest - len(row)), [1] * len(row)
        zeros = [0] * len(gap)
        ids.append([*gap, *row] if left else [*row, *gap])
        mask.append([*zeros, *ones] if left else [*ones, *zeros])
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
