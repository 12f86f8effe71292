"""How near to the machine's matrix-product limit some work came, measured in the same run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

_SIDE = 1536
_REPEATS = 4


@dataclass(frozen=True)
class Roofline:
    """Peak of square matrix products at the current thread count, in FLOP per second."""

    fp32: float
    bf16: float
    threads: int

    @classmethod
    def measure(cls, device: str = "cpu") -> Roofline:
        """Best of a few products of each type; under half a second on two cores.

        Something else may run just now: take the `best` of several measurements.
        """
        import torch

        return cls(
            fp32=_peak(torch.float32, device),
            bf16=_peak(torch.bfloat16, device),
            threads=torch.get_num_threads(),
        )

    def best(self, other: Roofline) -> Roofline:
        """The higher of two measurements, number by number."""
        return Roofline(
            max(self.fp32, other.fp32), max(self.bf16, other.bf16), max(self.threads, other.threads)
        )

    def percent(self, flops: float, seconds: float, dtype: Literal["fp32", "bf16"]) -> float:
        """``flops`` done in ``seconds``, as a percentage of the peak for ``dtype``."""
        peak = {"fp32": self.fp32, "bf16": self.bf16}[dtype]
        return 100.0 * flops / seconds / peak

    def document(self) -> dict[str, float]:
        """The figures as plain JSON data, in GFLOP per second."""
        return {
            "fp32_gflops": self.fp32 / 1e9,
            "bf16_gflops": self.bf16 / 1e9,
            "threads": self.threads,
        }


@dataclass(frozen=True)
class ForwardCost:
    """What one forward costs: weights of body and head, and the shape of the attention."""

    body: int
    head: int
    layers: int
    width: int
    causal: bool

    def flops(self, lengths: Iterable[int], *, slots: int, shared: int = 0) -> float:
        """FLOPs needed for rows of ``lengths`` tokens whose head is applied at ``slots`` places.

        Two a weight and token, and 4 · layers · context · width a token for attention, where a
        causal token's context is what stands before it. The first ``shared`` tokens of every row
        are the same and are counted once.
        """
        rows = list(lengths)
        total = 2.0 * self.head * slots
        if shared and rows:
            total += self._tokens(0, shared)
        return total + sum(self._tokens(shared, length) for length in rows)

    def training_flops(
        self,
        lengths: Iterable[int],
        *,
        slots: int,
        known: Sequence[int] | None = None,
        frozen: bool = True,
    ) -> float:
        """FLOPs of a training step, forward and backward; learned vectors count as tokens.

        A product with a frozen weight costs the same once more in the backward, for the gradient
        of what goes in; with ``frozen`` false once more again, for the weight's. Both sides of
        attention's two products carry gradients, so their backward is always twice the forward.
        The first ``known[i]`` tokens of row i have stored keys and values: they are not computed
        and take no gradient, but later tokens attend to them (once forward, once backward).
        """
        rows = list(lengths)
        starts = [0] * len(rows) if known is None else list(known)
        passes = 2.0 if frozen else 3.0
        total = passes * 2.0 * self.head * slots
        for end, start in zip(rows, starts, strict=True):
            seen = 2.0 * start + 3.0 * (self._context(start, end) - start)
            per_token = passes * 2.0 * self.body + 4.0 * self.layers * seen * self.width
            total += (end - start) * per_token
        return total

    def _tokens(self, start: int, end: int) -> float:
        """Tokens ``start`` to ``end`` of one row."""
        context = self._context(start, end)
        return (end - start) * (2.0 * self.body + 4.0 * self.layers * context * self.width)

    def _context(self, start: int, end: int) -> float:
        """How many tokens those from ``start`` to ``end`` attend to, on average."""
        return (start + end + 1) / 2 if self.causal else end


@cache
def _families() -> tuple[frozenset[str], frozenset[str]]:
    """Model types of transformers' masked and causal language models."""
    from transformers.models.auto import modeling_auto

    return (
        frozenset(modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES),
        frozenset(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
    )


def forward_cost(config: Any, *, masked: bool) -> ForwardCost:
    """The cost of one forward, read off the model that a transformers ``config`` describes.

    The model is built without memory, so that every projection is counted as it really is
    (grouped keys, gated layers, the head's own dense layer). Raises ``ValueError`` for a model
    type that has no such language model.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    if config.model_type not in _families()[0 if masked else 1]:
        raise ValueError(f"{config.model_type} has no {'masked' if masked else 'causal'} model")
    with torch.device("meta"):
        auto: Any = AutoModelForMaskedLM if masked else AutoModelForCausalLM
        model = auto.from_config(config)
    inside = {id(module) for module in model.base_model.modules()}
    body = head = 0
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if weight is None or weight.dim() != 2 or isinstance(module, torch.nn.Embedding):
            continue
        if id(module) in inside:
            body += weight.numel()
        else:
            head += weight.numel()
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return ForwardCost(body, head, config.num_hidden_layers, heads * size, causal=not masked)


def _peak(dtype: Any, device: str) -> float:
    """FLOP per second of the fastest of several square products."""
    import torch

    generator = torch.Generator(device).manual_seed(0)
    left = torch.randn(_SIDE, _SIDE, generator=generator, device=device).to(dtype)
    right = torch.randn(_SIDE, _SIDE, generator=generator, device=device).to(dtype)
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for an accelerator
        seconds.append(time.perf_counter() - start)
    return 2.0 * _SIDE**3 / min(seconds)
