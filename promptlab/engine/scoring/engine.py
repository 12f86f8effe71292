"""The engine: asks the store first, the network for the rest, and counts what it cost."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.engine.kv_cache.budget import generation_token_budget
from promptlab.engine.kv_cache.radix_cache import RadixKVCache
from promptlab.engine.kv_cache.state import kv_state_from_prefix
from promptlab.engine.memory import TokenBudget, peak_bytes
from promptlab.engine.network.network import Network
from promptlab.engine.network.vocabulary_head import batch_invariant_products
from promptlab.engine.scoring.feature_store import FeatureStore, context_key, tail_key
from promptlab.engine.scoring.readout import SlotReadout
from promptlab.engine.scoring.request import ScoringContext, ScoringRequest, ScoringResult, Usage
from promptlab.engine.scoring.runner import Runner
from promptlab.errors import NotFiniteError

VERSION = 2
"""Part of every cache key; raised when the engine's results change."""
_USAGE_LOCK = threading.Lock()


class Engine:
    """Log-likelihoods of continuations at the slots of contexts.

    What the store knows is given again to the last bit, whatever else is asked.

    Args:
        network: the model.
        runner: how it is run; it has to fit the network's family.
        store: where results are kept.
        deterministic: whether a result may not depend on the other requests of a call; the runner
            has to run every row in a forward of its own then.
    """

    def __init__(
        self, network: Network, runner: Runner, store: FeatureStore, *, deterministic: bool = False
    ) -> None:
        self.network = network
        self.deterministic = deterministic
        self.runner = runner
        self.store = store
        self.usage = Usage()
        self.generation_budget = generation_token_budget(network)
        self.vectors: Float[Tensor, "token dim"] | None = None
        self.learned_key = ""

    def with_learned_parts(
        self,
        vectors: Float[Tensor, "token dim"] | None,
        prefix: Float[Tensor, "layer 2 head length size"] | None,
        learned_key: str,
        *,
        keep: bool = True,
    ) -> Engine:
        """A view of this engine with learned vectors and a learned prefix.

        Args:
            vectors: what the virtual tokens stand for, ``[token, dim]``; ``None`` for nothing.
            prefix: keys and values that every row attends, ``[layer, 2, head, token, size]``.
            learned_key: content hash of both, part of every cache key.
            keep: whether results go to the store; vectors that are still being learned are never
                seen again.

        Returns:
            An engine over the same network, with a usage of its own.
        """
        other = copy.copy(self)
        other.usage = Usage()
        other.vectors = None if vectors is None else vectors.to(self.network.device)
        if prefix is not None:
            state = kv_state_from_prefix(prefix.to(self.network.device, self.network.dtype))
            other.runner = self.runner.with_prefix(state)
        if vectors is not None or prefix is not None:
            other.learned_key = learned_key
        return other._with_kv_cache(self.kv_cache, keep)

    def with_network(self, network: Network, learned_key: str, *, keep: bool = True) -> Engine:
        """A view of this engine over another network of the same shape, with trained weights.

        Args:
            network: the network with the trained weights.
            learned_key: content hash of these weights, part of every cache key.
            keep: whether results go to the store.

        Returns:
            An engine over ``network``, with a usage of its own.
        """
        other = copy.copy(self)
        other.usage = Usage()
        other.network = network
        other.runner = self.runner.with_network(network)
        other.generation_budget = TokenBudget(self.generation_budget.tokens)
        other.learned_key = learned_key
        return other._with_kv_cache(self.kv_cache, keep)

    @property
    def kv_cache(self) -> RadixKVCache | None:
        """Keys and values that earlier calls have left; ``None`` where none are kept."""
        return self.runner.kv_cache

    def _with_kv_cache(self, cache: RadixKVCache | None, keep: bool) -> Engine:
        """This new view with the keys and values of what it learned, or with nothing kept."""
        if not keep:
            self.store = FeatureStore(None)
            cache = None
        cache = None if cache is None else cache.scoped_to(self.learned_key)
        self.runner = self.runner.with_kv_cache(cache)
        return self

    def score(
        self, requests: Sequence[ScoringRequest]
    ) -> list[Float[np.ndarray, " _continuation"]]:
        """Log-likelihood in nats of every continuation of every request.

        Equal contexts are computed once, and what the store knows is not computed at all.

        Args:
            requests: contexts with their continuations, in any order.

        Returns:
            For every request an array with a number for each continuation.

        Raises:
            NotFiniteError: the model gives NaN or infinity there.
        """
        results = self._results(requests)
        first = self._first_token_logprobs(requests, results)
        found = [
            np.array(
                [
                    result.tail_logprobs.get(c, 0.0)
                    + (first[i][c[0]] if self.network.head_is_linear else 0.0)
                    for c in request.continuations
                ]
            )
            for i, (request, result) in enumerate(zip(requests, results, strict=True))
        ]
        if found and not np.isfinite(np.concatenate(found)).all():
            raise self._masked_out_error(requests, found)
        return found

    def _masked_out_error(
        self, requests: Sequence[ScoringRequest], found: Sequence[np.ndarray]
    ) -> NotFiniteError:
        """The error for the first score that is no number."""
        token = next(
            continuation[0]
            for request, values in zip(requests, found, strict=True)
            for continuation, value in zip(request.continuations, values, strict=True)
            if not np.isfinite(value)
        )
        return self.network.not_finite_error(f"the token {token} of an answer")

    def features(self, contexts: Sequence[ScoringContext]) -> Float[np.ndarray, "context dim"]:
        """The slot's feature vectors in fp32."""
        if not contexts:
            return np.zeros((0, self.network.head.weight.shape[1]), dtype=np.float32)
        results = self._results([ScoringRequest(context, ()) for context in contexts])
        found = np.stack([result.feature for result in results])
        if not np.isfinite(found).all():
            raise self.network.not_finite_error("what it reads at a slot")
        return found

    def read_slots(self, contexts: Sequence[ScoringContext]) -> SlotReadout:
        """The slots' features with their log-normalisers, one context at least."""
        return SlotReadout.from_results(
            self._results([ScoringRequest(context, ()) for context in contexts])
        )

    def vocabulary_logprobs(
        self, contexts: Sequence[ScoringContext]
    ) -> Float[np.ndarray, "context vocab"]:
        """Log-probabilities in nats of every vocabulary token at the slots."""
        features = torch.from_numpy(self.features(contexts))
        return self.network.vocabulary_logprobs(features).cpu().numpy()

    def _results(self, requests: Sequence[ScoringRequest]) -> list[ScoringResult]:
        """The result to every request, with the tails of its context's other requests beside."""
        started = time.perf_counter()
        merged = _merge_requests(requests)
        results = self._stored_results(merged)
        missing: list[ScoringRequest] = []
        for context, continuations in merged.items():
            if context not in results:
                # as at the first time: beside other continuations it would be other last digits
                missing.append(ScoringRequest(context, continuations))
                continue
            known = results[context].tail_logprobs
            if wanted := tuple(c for c in continuations if self.has_tail(c) and c not in known):
                missing.append(ScoringRequest(context, wanted))
        computed = self._compute(missing, results) if missing else 0
        self.add_usage(
            Usage(
                sum(len(q.context.ids) + sum(map(len, q.continuations)) for q in requests),
                computed,
                time.perf_counter() - started,
                peak_bytes(self.network.device),
            )
        )
        return [results[request.context] for request in requests]

    def has_tail(self, continuation: tuple[int, ...]) -> bool:
        """Whether more is to be read than the first token; learned vectors are no words."""
        start = self.network.virtual_tokens.first_id
        return not self.network.head_is_linear or any(token < start for token in continuation[1:])

    def _stored_results(
        self, merged: dict[ScoringContext, tuple[tuple[int, ...], ...]]
    ) -> dict[ScoringContext, ScoringResult]:
        """What the store knows of these contexts and their continuations."""
        keys = {context: context_key(context, self.learned_key) for context in merged}
        slots = self.store.find_slots(list(keys.values()))
        found = {
            context: ScoringResult(slots[key].feature, slots[key].log_normaliser)
            for context, key in keys.items()
            if key in slots
        }
        places = {
            tail_key(context, c, self.learned_key): (context, c)
            for context in found
            for c in merged[context]
            if self.has_tail(c)
        }
        for key, value in self.store.find_tails(list(places)).items():
            context, continuation = places[key]
            found[context].tail_logprobs[continuation] = value
        return found

    def _compute(
        self, missing: list[ScoringRequest], results: dict[ScoringContext, ScoringResult]
    ) -> int:
        """Add what is missing to ``results``; how many tokens went through the network for it."""
        new_slots, new_tails = [], []
        # A runner of this call's own counts what this call computes, whoever else is at work.
        runner = copy.copy(self.runner)
        runner.computed_tokens = 0
        with self.network.use_virtual_tokens(self.vectors):
            found = runner.run(missing)
        for request, result in zip(missing, found, strict=True):
            context = request.context
            if context not in results:
                results[context] = result
                new_slots.append((context_key(context, self.learned_key), result))
            results[context].tail_logprobs.update(result.tail_logprobs)
            for continuation, value in result.tail_logprobs.items():
                new_tails.append((tail_key(context, continuation, self.learned_key), value))
        self.store.save(new_slots, new_tails)
        with _USAGE_LOCK:
            self.runner.computed_tokens += runner.computed_tokens
        return runner.computed_tokens

    def add_usage(self, usage: Usage) -> None:
        """Add what a call has cost."""
        with _USAGE_LOCK:
            self.usage += usage

    def _first_token_logprobs(
        self, requests: Sequence[ScoringRequest], results: Sequence[ScoringResult]
    ) -> list[dict[int, float]]:
        """Log-probability of each continuation's first token: one product for all requests."""
        tokens = sorted({c[0] for request in requests for c in request.continuations})
        if not tokens or not self.network.head_is_linear:
            return [{} for _ in requests]
        ids = torch.tensor(tokens, device=self.network.device)
        rows = self.network.vocabulary_head.rows(ids).cpu().numpy()
        bias = self.network.vocabulary_head.bias(ids).cpu().numpy()
        scores = (
            batch_invariant_products(np.stack([result.feature for result in results]), rows) + bias
        )
        scores -= np.array([[result.log_normaliser] for result in results])
        return [dict(zip(tokens, row, strict=True)) for row in scores.tolist()]


def _merge_requests(
    requests: Sequence[ScoringRequest],
) -> dict[ScoringContext, tuple[tuple[int, ...], ...]]:
    """Distinct contexts with all continuations asked of them."""
    merged: dict[ScoringContext, dict[tuple[int, ...], None]] = {}
    for request in requests:
        merged.setdefault(request.context, {}).update(dict.fromkeys(request.continuations))
    return {context: tuple(continuations) for context, continuations in merged.items()}
