"""One torch model, run with its head only where it is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.compat.transformers import accepts_argument, cache_inputs, cache_keyword
from promptlab.engine.network.finite_check import has_finite_rows, is_finite, not_finite_error
from promptlab.engine.network.gather_hooks import GatherHooks
from promptlab.engine.network.math_attention import MATH_ATTENTION
from promptlab.engine.network.model_errors import MODEL_FAILURES, model_errors, raise_own_mistake
from promptlab.engine.network.packed_linear import PackedLinears
from promptlab.engine.network.virtual_tokens import VirtualTokens
from promptlab.engine.network.vocabulary_head import VocabularyHead, log_normalisers
from promptlab.engine.network.weight_copy import copy_weights
from promptlab.errors import NotFiniteError

MAX_SHORT_TOKENS = 256
"""Rows of so many tokens are short: the memory of plain attention does not matter."""


@dataclass
class GatheredOutput:
    """What a forward found at these places, in fp32.

    ``features`` ``[place, dim]``, ``log_normaliser`` ``[place]`` and ``target`` ``[place]``: the
    log-probability in nats of each place's target token (0 where it had none).
    """

    features: Float[Tensor, "place dim"]
    log_normaliser: Float[Tensor, " place"]
    target_logprob: Float[Tensor, " place"]


class Network:
    """A transformers model with gathered outputs.

    Hooks on the model keep only the places that are read (`GatherHooks`). They are checked once
    against the plain forward (`check_outputs`), which is used instead where they differ.

    Several threads may use it: the lock is held for one forward at a time, so a short call waits
    for a step of a long one and not for its end.

    What is read must be numbers (`NotFiniteError` otherwise, with where they begin), and what the
    model's own code raises is a `ModelError` that names the model.

    Args:
        model: a transformers model with a vocabulary head; its parameters are frozen.
        name: what messages call it; its class by default.
    """

    def __init__(self, model: Any, name: str | None = None) -> None:
        self.model = model.eval()
        self.name = name or type(model).__name__
        self.cache_keyword = cache_keyword(model)
        self.no_cache_inputs = (
            {"use_cache": False} if accepts_argument(model.forward, "use_cache") else {}
        )
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self.vocabulary_head = VocabularyHead(model)
        self.head = self.vocabulary_head.layer
        self.virtual_tokens = VirtualTokens(model)
        self.packed_linears = PackedLinears(model)
        self.hooks = GatherHooks(model, self.head)
        self.head_is_linear = True
        self.batching_mode: str | None = None
        self.can_attend_prefix = True
        self._layers: int | None = None
        self.sample: dict[str, Any] = {}
        self._lock = threading.RLock()

    def trainable_copy(self) -> Network:
        """A network of its own over copies of the weights in fp32; training it leaves this as is.

        fp32 although this one may be in bf16: a step of 2e-5 of a weight is lost in its 8 bits.
        """
        with self._lock:
            model = copy_weights(self.model, (GatherHooks, VirtualTokens))
        other = Network(model, self.name)
        other.adopt_checks(self)
        return other

    def adopt_checks(self, other: Network) -> None:
        """Take over what was found out about another network of the same architecture."""
        self.hooks.can_gather = other.hooks.can_gather
        self.hooks.calls_head = other.hooks.calls_head
        self.head_is_linear, self.batching_mode = other.head_is_linear, other.batching_mode
        self.can_attend_prefix = other.can_attend_prefix
        self._layers, self.sample = other._layers, other.sample

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' number format."""
        return next(self.model.parameters()).dtype

    @property
    def layer_count(self) -> int:
        """Number of layers that keep keys and values: as many as a forward has filled.

        Configurations do not always say it: a decoder may have more layers than its encoder, and
        layers may share what others keep. Without a check at load the configuration is believed.
        """
        if self._layers is None:
            config = self.model.config.get_text_config(decoder=True)
            return int(config.num_hidden_layers)
        return self._layers

    @property
    def can_cache(self) -> bool:
        """Whether the model takes keys and values of earlier tokens at all."""
        return self.cache_keyword is not None

    def cache_inputs(self, cache: Any) -> dict[str, Any]:
        """The argument that gives the model ``cache``, under the name its forward has for it.

        Raises `CapabilityError` for a model that takes none.
        """
        return cache_inputs(self.cache_keyword, cache, type(self.model).__name__)

    @contextmanager
    def use_virtual_tokens(self, vectors: Float[Tensor, "token dim"] | None) -> Iterator[None]:
        """While inside, this thread's virtual token ids stand for the rows of ``vectors``."""
        with self.virtual_tokens.use_vectors(vectors):
            yield

    @contextmanager
    def short_attention(self, longest: int) -> Iterator[None]:
        """While inside, attention over at most ``longest`` tokens is two plain products on a CPU.

        For short rows torch's fused attention has a backward of twice the time in bf16.
        """
        if self.device.type != "cpu" or longest > MAX_SHORT_TOKENS:
            yield
            return
        with MATH_ATTENTION:
            yield

    @torch.inference_mode()
    def gather(
        self,
        rows: Int[Tensor, " gather"],
        columns: Int[Tensor, " gather"],
        targets: Int[Tensor, " gather"],
        **inputs: Any,
    ) -> GatheredOutput:
        """Run the model on ``inputs`` and read it at the places ``(rows, columns)``.

        ``targets`` are token ids whose log-probability is wanted, -1 for none.
        """
        with self._lock, self.hooks.reading(rows, columns), self.packed_linears.active():
            logits = self.hooks.at(self.run(inputs).logits, rows, columns)
            features = self.hooks.feature_at(rows, columns)
        found = self._gathered_output(logits, features, targets)
        if not (is_finite(found.features) and is_finite(found.log_normaliser)):
            raise self.not_finite_error("what it reads at a slot", inputs)
        if not is_finite(found.target_logprob):
            token = int(targets[~torch.isfinite(found.target_logprob)][0])
            raise self.not_finite_error(f"the token {token} of an answer", inputs)
        return found

    def not_finite_error(self, what: str, inputs: dict[str, Any] | None = None) -> NotFiniteError:
        """The error for ``what`` is no number, after a forward on ``inputs``, if there was one."""
        with self._lock:
            return not_finite_error(
                self.model, self.name, what, inputs or {}, self.virtual_tokens.table
            )

    def run(self, inputs: dict[str, Any], **options: Any) -> Any:
        """What the model gives for ``inputs``; ``options`` say how it is run."""
        with self._lock, model_errors(self.name, self.model, inputs):
            return self.model(**inputs, **options)

    def features_with_graph(
        self, rows: Int[Tensor, " gather"], columns: Int[Tensor, " gather"], **inputs: Any
    ) -> Float[Tensor, "place dim"]:
        """The features at the places in fp32, with their graph; the head is left out."""
        with self._lock, self.hooks.reading(rows, columns, head=False):
            self.run(inputs)
            return self.hooks.feature_at(rows, columns).float()

    def logits_with_graph(
        self, rows: Int[Tensor, " gather"], columns: Int[Tensor, " gather"], **inputs: Any
    ) -> Float[Tensor, "place vocab"]:
        """The logits at the places in fp32, with the graph that leads back to what is learned."""
        with self._lock, self.hooks.reading(rows, columns):
            return self.hooks.at(self.run(inputs).logits, rows, columns).float()

    @torch.inference_mode()
    def logits(
        self, rows: Int[Tensor, " gather"], columns: Int[Tensor, " gather"], **inputs: Any
    ) -> Float[Tensor, "place vocab"]:
        """The logits at the places in fp32; what the model computed is left in a given cache."""
        with self._lock, self.packed_linears.active():
            found = self.logits_with_graph(rows, columns, **inputs)
        if not has_finite_rows(found):
            raise self.not_finite_error("the next token", inputs)
        return found

    @torch.inference_mode()
    def accepts_cache(self, cache: Any) -> bool:
        """Run a small input with ``cache``; whether the model takes one."""
        try:
            self.fill_cache(cache, **self.sample)
        except MODEL_FAILURES as error:
            raise_own_mistake(error)
            return False
        return True

    @torch.inference_mode()
    def fill_cache(self, cache: Any, **inputs: Any) -> None:
        """Run the model for what it leaves in ``cache``."""
        options = {"use_cache": True} if "decoder_input_ids" in inputs else {}
        self.run(inputs, **self.cache_inputs(cache), **options)

    @torch.inference_mode()
    def run_body(self, **inputs: Any) -> Any:
        """Run the base model alone (a prefix): no head."""
        with self._lock, self.packed_linears.active():
            return self.run_body_with_graph(**inputs)

    def run_body_with_graph(self, **inputs: Any) -> Any:
        """`run_body` with its graph, for what it leaves in a cache."""
        with self._lock, model_errors(self.name, self.model, inputs):
            return self.model.base_model(**inputs)

    @torch.inference_mode()
    def run_encoder(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """Run the encoder of an encoder-decoder model."""
        with self._lock, self.packed_linears.active():
            return self.run_encoder_with_graph(**inputs)

    def run_encoder_with_graph(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """`run_encoder` with its graph."""
        with self._lock, model_errors(self.name, self.model, inputs):
            return cast(Tensor, self.model.get_encoder()(**inputs).last_hidden_state)

    def hidden_states_with_graph(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """The last hidden states in fp32 with their graph; an encoder-decoder's encoder's."""
        seq2seq = self.model.config.is_encoder_decoder
        body = self.model.get_encoder() if seq2seq else self.model.base_model
        with self._lock, model_errors(self.name, self.model, inputs):
            return cast(Tensor, body(**inputs).last_hidden_state).float()

    def _gathered_output(self, logits: Tensor, features: Tensor, targets: Tensor) -> GatheredOutput:
        features, normaliser = features.float(), log_normalisers(logits)
        wanted = targets >= 0
        found = torch.zeros_like(normaliser)
        if wanted.any():
            ids = targets.clamp(min=0)
            if self.head_is_linear and self.dtype != torch.float32:
                # The head's own output is rounded to the model's format; the product is not.
                scores = (features * self.vocabulary_head.rows(ids)).sum(
                    -1
                ) + self.vocabulary_head.bias(ids)
            else:
                scores = logits.gather(1, ids[:, None])[:, 0].float()
            found = torch.where(wanted, scores - normaliser, found)
        return GatheredOutput(features, normaliser, found)

    @torch.inference_mode()
    def vocabulary_logprobs(self, features: Float[Tensor, "row dim"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities in nats of the whole vocabulary from features."""
        logits = (
            self.vocabulary_head.logits(features)
            if self.head_is_linear
            else self._logits_from_features(features)
        )
        if not has_finite_rows(logits):
            raise self.not_finite_error("the words of its vocabulary")
        return logits.log_softmax(-1)

    def _logits_from_features(
        self, features: Float[Tensor, "row dim"]
    ) -> Float[Tensor, "row vocab"]:
        """Logits of features through all that the model does after its body (caps, scales).

        The features take the place of what the head (or all after the body) would read in a small
        forward.
        """
        with self._lock, self.hooks.replacing(features.to(self.device, self.dtype)[None]):
            logits: Tensor = self.run(self.sample).logits[0]
        return logits.float()

    @torch.inference_mode()
    def count_layers(self, cache: Any, own: Any) -> None:
        """Run a small input with ``cache``, which makes layers as they are wanted in ``own``."""
        self._layers = len(own.layers) if self.accepts_cache(cache) else 0

    @torch.inference_mode()
    def plain_logits(self, **inputs: Any) -> Tensor:
        """The logits of the model's own forward: nothing gathered, no cache."""
        with self._lock:
            self.hooks.forget()
            logits: Tensor = self.run(inputs, **self.no_cache_inputs).logits
        return logits
