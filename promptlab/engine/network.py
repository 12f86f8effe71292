"""One torch model, run with its head only where it is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from promptlab.compat.transformers import cache_inputs, cache_keyword, takes
from promptlab.engine.attention import PLAIN_ATTENTION
from promptlab.engine.finite import has_finite_rows, is_finite, not_finite
from promptlab.engine.memory import out_of_memory
from promptlab.engine.packed import PackedLinears
from promptlab.engine.private import copied
from promptlab.engine.virtual import VirtualTokens
from promptlab.engine.vocabulary_head import VocabularyHead
from promptlab.errors import CapabilityError, ModelError, NotFiniteError, PromptlabError

SHORT = 256
"""Rows of so many tokens are short: the memory of plain attention does not matter."""
TOLERANCE = 1e-3
"""Largest difference in nats, relative to the logits' spread, that the check at load accepts."""

REFUSALS = (
    TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError, AssertionError,
    CapabilityError, ModelError, NotFiniteError,
)  # fmt: skip
"""What models raise that cannot be run in the way in which they were tried."""


@dataclass
class Probed:
    """What a forward found at the probed places, in fp32.

    ``features`` ``[probe, dim]``, ``log_normaliser`` ``[probe]`` and ``target`` ``[probe]``: the
    log-probability in nats of each probe's target token (0 where it had none).
    """

    features: Float[Tensor, "probe dim"]
    log_normaliser: Float[Tensor, " probe"]
    target: Float[Tensor, " probe"]


class Network:
    """A transformers model with gathered outputs.

    A hook on the base model keeps only the probed positions, so the vocabulary head sees them
    alone; another on the head keeps its input, the *feature*. Both are checked once against the
    plain forward (`check`); where they differ the plain forward is used instead. Of a model that
    does not call its head as a module (MobileBERT) the feature is what its body gives.

    Several threads may use it: the lock is held for one forward at a time, so a short call waits
    for a step of a long one and not for its end.

    What is read must be numbers (`NotFiniteError` otherwise, with where they begin), and what the
    model's own code raises is a `ModelError` that names the model by ``name``.
    """

    def __init__(self, model: Any, name: str | None = None) -> None:
        self.model = model.eval()
        self.name = name or type(model).__name__
        self.cache_keyword = cache_keyword(model)
        self.uncached = {"use_cache": False} if takes(model.forward, "use_cache") else {}
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        self.vocabulary = VocabularyHead(model)
        self.head = self.vocabulary.layer
        self.virtual = VirtualTokens(model)
        self.packed = PackedLinears(model)
        self.gathers = True
        self.affine = True
        self.calls_head = True
        self.joining: str | None = None
        self.attends_prefix = True
        self._layers: int | None = None
        self._rows: Tensor | None = None
        self._columns: Tensor | None = None
        self._feature: Tensor | None = None
        self._given: Tensor | None = None
        self._headless = False
        self._sample: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._body(model).register_forward_hook(self._gather)
        self.head.register_forward_pre_hook(self._keep)

    @staticmethod
    def _body(model: Any) -> nn.Module:
        """The module whose output the vocabulary head reads."""
        body = model.get_decoder() if model.config.is_encoder_decoder else model.base_model
        return cast(nn.Module, body)

    def private(self) -> Network:
        """A network of its own over copies of the weights in fp32; training it leaves this as is.

        fp32 although this one may be in bf16: a step of 2e-5 of a weight is lost in its 8 bits.
        """
        with self._lock:
            model = copied(self.model, lambda hook: isinstance(_owner(hook), _HOOKED))
        other = Network(model, self.name)
        other.run_as(self)
        return other

    def run_as(self, other: Network) -> None:
        """Take over what was found out about another network of the same architecture."""
        for name in _FOUND:
            setattr(self, name, getattr(other, name))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' number format."""
        return next(self.model.parameters()).dtype

    @property
    def layers(self) -> int:
        """Number of layers that keep keys and values: as many as a forward has filled.

        Configurations do not always say it: a decoder may have more layers than its encoder, and
        layers may share what others keep. Without a check at load the configuration is believed.
        """
        if self._layers is None:
            config = self.model.config.get_text_config(decoder=True)
            return int(config.num_hidden_layers)
        return self._layers

    @property
    def caches(self) -> bool:
        """Whether the model takes keys and values of earlier tokens at all."""
        return self.cache_keyword is not None

    def cache_inputs(self, cache: Any) -> dict[str, Any]:
        """The argument that gives the model ``cache``, under the name its forward has for it.

        Raises `CapabilityError` for a model that takes none.
        """
        return cache_inputs(self.cache_keyword, cache, type(self.model).__name__)

    @contextmanager
    def learned(self, vectors: Float[Tensor, "token dim"] | None) -> Iterator[None]:
        """While inside, this thread's virtual token ids stand for the rows of ``vectors``."""
        with self.virtual.standing_for(vectors):
            yield

    @contextmanager
    def short_attention(self, longest: int) -> Iterator[None]:
        """While inside, attention over at most ``longest`` tokens is two plain products on a CPU.

        For short rows torch's fused attention has a backward of twice the time in bf16.
        """
        if self.device.type != "cpu" or longest > SHORT:
            yield
            return
        with PLAIN_ATTENTION:
            yield

    @torch.inference_mode()
    def probe(
        self,
        rows: Int[Tensor, " probe"],
        columns: Int[Tensor, " probe"],
        targets: Int[Tensor, " probe"],
        **inputs: Any,
    ) -> Probed:
        """Run the model on ``inputs`` and read it at the places ``(rows, columns)``.

        ``targets`` are token ids whose log-probability is wanted, -1 for none.
        """
        with self._lock, self._probing(rows, columns), self.packed.active():
            with self._own_code(inputs):
                output = self.model(**inputs)
            logits, features = output.logits, self._feature
        assert features is not None
        if not self.gathers:
            logits, features = logits[rows, columns], features[rows, columns]
        found = self._read(logits.reshape(len(rows), -1), features.reshape(len(rows), -1), targets)
        if not (is_finite(found.features) and is_finite(found.log_normaliser)):
            raise self.not_finite("what it reads at a slot", inputs)
        if not is_finite(found.target):
            token = int(targets[~torch.isfinite(found.target)][0])
            raise self.not_finite(f"the token {token} of an answer", inputs)
        return found

    def not_finite(self, what: str, inputs: dict[str, Any] | None = None) -> NotFiniteError:
        """The error for ``what`` is no number, after a forward on ``inputs``, if there was one."""
        with self._lock:
            return not_finite(self.model, self.name, what, inputs or {}, self.virtual.table)

    @contextmanager
    def _own_code(self, inputs: dict[str, Any]) -> Iterator[None]:
        """What the model's own code raises becomes a `ModelError`; lack of memory stays itself."""
        try:
            yield
        except PromptlabError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"{self.name} ({type(self.model).__name__}) fails on {_told(inputs)}: its own "
                f"forward raises {told_error(error)}; use another model, or other texts"
            ) from error

    def features_with_graph(
        self, rows: Int[Tensor, " probe"], columns: Int[Tensor, " probe"], **inputs: Any
    ) -> Float[Tensor, "probe dim"]:
        """The features at the places in fp32, with their graph; the head is left out."""
        with self._lock, self._probing(rows, columns):
            self._headless = True
            try:
                with self._own_code(inputs):
                    self.model(**inputs)
            finally:
                self._headless = False
            features = self._feature
        assert features is not None
        if not self.gathers:
            features = features[rows, columns]
        return features.reshape(len(rows), -1).float()

    def logits_with_graph(
        self, rows: Int[Tensor, " probe"], columns: Int[Tensor, " probe"], **inputs: Any
    ) -> Float[Tensor, "probe vocab"]:
        """The logits at the places in fp32, with the graph that leads back to what is learned."""
        with self._lock, self._probing(rows, columns), self._own_code(inputs):
            logits: Tensor = self.model(**inputs).logits
        if not self.gathers:
            logits = logits[rows, columns]
        return logits.reshape(len(rows), -1).float()

    @torch.inference_mode()
    def logits(
        self, rows: Int[Tensor, " probe"], columns: Int[Tensor, " probe"], **inputs: Any
    ) -> Float[Tensor, "probe vocab"]:
        """The logits at the places in fp32; what the model computed is left in a given cache."""
        with self._lock, self.packed.active():
            found = self.logits_with_graph(rows, columns, **inputs)
        if not has_finite_rows(found):
            raise self.not_finite("the next token", inputs)
        return found

    @torch.inference_mode()
    def try_cache(self, cache: Any) -> bool:
        """Run a small input with ``cache``; whether the model takes one."""
        try:
            self.run_with_cache(cache, **self._sample)
        except REFUSALS:
            return False
        return True

    @torch.inference_mode()
    def run_with_cache(self, cache: Any, **inputs: Any) -> None:
        """Run the model for what it leaves in ``cache``."""
        options = {"use_cache": True} if "decoder_input_ids" in inputs else {}
        with self._lock, self._own_code(inputs):
            self.model(**inputs, **self.cache_inputs(cache), **options)

    @torch.inference_mode()
    def encode(self, **inputs: Any) -> Any:
        """Run the base model alone (a prefix): no head."""
        with self._lock, self.packed.active():
            return self.encode_with_graph(**inputs)

    def encode_with_graph(self, **inputs: Any) -> Any:
        """`encode` with its graph, for what it leaves in a cache."""
        with self._lock, self._own_code(inputs):
            return self.model.base_model(**inputs)

    @torch.inference_mode()
    def encode_inputs(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """Run the encoder of an encoder-decoder model."""
        with self._lock, self.packed.active():
            return self.encode_inputs_with_graph(**inputs)

    def encode_inputs_with_graph(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """`encode_inputs` with its graph."""
        with self._lock, self._own_code(inputs):
            return cast(Tensor, self.model.get_encoder()(**inputs).last_hidden_state)

    def hidden_with_graph(self, **inputs: Any) -> Float[Tensor, "row token dim"]:
        """The last hidden states in fp32 with their graph; an encoder-decoder's encoder's."""
        seq2seq = self.model.config.is_encoder_decoder
        body = self.model.get_encoder() if seq2seq else self.model.base_model
        with self._lock, self._own_code(inputs):
            return cast(Tensor, body(**inputs).last_hidden_state).float()

    def _read(self, logits: Tensor, features: Tensor, targets: Tensor) -> Probed:
        logits, features = logits.float(), features.float()
        normaliser = logits.logsumexp(dim=-1)
        wanted = targets >= 0
        found = torch.zeros_like(normaliser)
        if wanted.any():
            ids = targets.clamp(min=0)
            if self.affine and self.dtype != torch.float32:
                # The head's own output is rounded to the model's format; the product is not.
                scores = (features * self.vocabulary.rows(ids)).sum(-1) + self.vocabulary.bias(ids)
            else:
                scores = logits.gather(1, ids[:, None])[:, 0]
            found = torch.where(wanted, scores - normaliser, found)
        return Probed(features, normaliser, found)

    @torch.inference_mode()
    def vocabulary_logprobs(self, features: Float[Tensor, "row dim"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities in nats of the whole vocabulary from features."""
        logits = self.vocabulary.logits(features) if self.affine else self._headed(features)
        if not has_finite_rows(logits):
            raise self.not_finite("the words of its vocabulary")
        return logits.log_softmax(-1)

    def _headed(self, features: Float[Tensor, "row dim"]) -> Float[Tensor, "row vocab"]:
        """Logits of features through all that the model does after its body (caps, scales).

        The features take the place of what the head (or all after the body) would read in a small
        forward.
        """
        with self._lock:
            self._given = features.to(self.device, self.dtype)[None]
            try:
                with self._own_code(self._sample):
                    logits: Tensor = self.model(**self._sample).logits[0]
            finally:
                self._given = None
        return logits.float()

    @torch.inference_mode()
    def check(self, **inputs: Any) -> None:
        """Compare gathered and plain outputs on a small input; fall back where they differ.

        Raises what the plain forward raises.
        """
        self._sample = inputs
        self.calls_head = True
        plain = self.plain(**inputs)
        if not has_finite_rows(plain):
            raise self.not_finite("a few of its own tokens", inputs)
        if not self._is_feature(self._feature, plain):
            self.calls_head = False
            self.plain(**inputs)
        rows = torch.tensor([0, 0], device=self.device)
        columns = torch.tensor([0, plain.shape[1] - 1], device=self.device)
        assert self._feature is not None
        feature = self._feature[rows, columns].float()
        expected = plain[rows, columns].float()
        scale = TOLERANCE * max(1.0, float(expected.std()))
        if self.dtype != torch.float32:
            scale *= 100
        self.gathers = self._gathers_like(expected, rows, columns, scale)
        self.affine = False
        if self.calls_head:
            ids = torch.arange(self.head.weight.shape[0], device=self.device)
            product = feature @ self.head.weight.float().T + self.vocabulary.bias(ids)
            self.affine = _near(product, expected, scale)

    def _is_feature(self, found: Tensor | None, plain: Tensor) -> bool:
        """Whether what the head was given is a vector for every token (and not token ids)."""
        width = self.head.weight.shape[-1]
        return found is not None and found.shape == (*plain.shape[:2], width)

    @torch.inference_mode()
    def count_layers(self, cache: Any, own: Any) -> None:
        """Run a small input with ``cache``, which makes layers as they are wanted in ``own``."""
        self._layers = len(own.layers) if self.try_cache(cache) else 0

    def _gathers_like(
        self, expected: Tensor, rows: Tensor, columns: Tensor, tolerance: float
    ) -> bool:
        """Whether the hook on the body makes the model give ``expected`` at the places alone."""
        self.gathers = True
        try:
            with self._lock, self._probing(rows, columns), self._own_code(self._sample):
                logits: Tensor = self.model(**self._sample).logits
        except REFUSALS:
            return False
        return logits.shape[1] == len(rows) and _near(
            logits.reshape(len(rows), -1).float(), expected, tolerance
        )

    @torch.inference_mode()
    def plain(self, **inputs: Any) -> Tensor:
        """The logits of the model's own forward: nothing gathered, no cache."""
        with self._lock:
            self._rows = self._columns = self._feature = None
            with self._own_code(inputs):
                logits: Tensor = self.model(**inputs, **self.uncached).logits
        return logits

    @contextmanager
    def _probing(self, rows: Tensor, columns: Tensor) -> Iterator[None]:
        self._rows, self._columns = rows, columns
        try:
            yield
        finally:
            self._rows = self._columns = None

    def _gather(self, module: nn.Module, args: Any, output: Any) -> Any:
        if not self.calls_head and self._given is not None:
            output["last_hidden_state"] = self._given
            return output
        hidden = output[0]
        if self._rows is not None and self.gathers:
            hidden = hidden[self._rows, self._columns][None]
            output["last_hidden_state"] = hidden
        if not self.calls_head:
            self._feature = hidden
        return output

    def _keep(self, module: nn.Module, args: tuple[Any, ...]) -> Any:
        if not self.calls_head:
            return None
        if self._given is not None:
            return (self._given, *args[1:])
        self._feature = args[0]
        # No rows: the head and all that follows it cost nothing.
        return (args[0][..., :0, :], *args[1:]) if self._headless else None


_FOUND = ("gathers", "affine", "calls_head", "joining", "attends_prefix", "_layers", "_sample")
_HOOKED = (Network, VirtualTokens)


def _owner(hook: Any) -> Any:
    """The object whose method a hook is."""
    return getattr(hook, "__self__", None)


def told_error(error: BaseException) -> str:
    """An exception of somebody else's code in a few words: its class and its first line."""
    told = (str(error).strip().splitlines() or [""])[0][:160].rstrip(".")
    return f"{type(error).__name__} ({told})" if told else type(error).__name__


def _told(inputs: dict[str, Any]) -> str:
    """How much a forward was given."""
    for name in ("input_ids", "decoder_input_ids"):
        if isinstance(ids := inputs.get(name), Tensor) and ids.dim() == 2:
            rows, tokens = ids.shape
            return f"{rows} {'row' if rows == 1 else 'rows'} of {tokens} tokens"
    return "what it was given"


def _near(left: Tensor, right: Tensor, tolerance: float) -> bool:
    if left.shape != right.shape:
        return False
    gaps = torch.where(left == right, 0.0, (left - right).abs())  # words masked out in both: none
    return bool(gaps.max() <= tolerance)
