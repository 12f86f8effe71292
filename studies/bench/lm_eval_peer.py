"""lm-evaluation-harness as a peer: its ``HFLM``, in this process, on the very same model."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from promptlab.errors import CapabilityError


def require_lm_eval() -> None:
    """Raise ``CapabilityError`` when lm-eval is not installed, before anything is loaded."""
    if importlib.util.find_spec("lm_eval") is None:
        raise CapabilityError(
            "the comparison needs lm-eval: pip install 'promptlab-workbench[bench]'"
        )


class HarnessPeer:
    """Answers scored by ``HFLM.loglikelihood``, with its caches on and its own batches.

    ``model`` and ``tokenizer`` are transformers objects and are used as they are (weights,
    dtype, device). ``batch_size`` is the harness's, 1 by default; it groups requests that differ
    only in a last token by itself. Raises ``CapabilityError`` when lm-eval is not installed.
    """

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 1) -> None:
        require_lm_eval()
        from lm_eval.models.huggingface import HFLM

        self._harness: Any = HFLM(
            pretrained=model,
            tokenizer=tokenizer,
            backend="causal",
            logits_cache=True,
            batch_size=batch_size,
        )

    def score(self, prompts: Sequence[str], answers: Sequence[str]) -> list[list[float]]:
        """Log-likelihoods in nats, ``[prompt][answer]``; an answer brings its own space."""
        from lm_eval.api.instance import Instance

        requests = [
            Instance("loglikelihood", doc={}, arguments=(prompt, answer), idx=index)
            for prompt in prompts
            for index, answer in enumerate(answers)
        ]
        pairs = self._harness.loglikelihood(requests, disable_tqdm=True)
        values = [float(value) for value, _ in pairs]
        width = len(answers)
        return [values[start : start + width] for start in range(0, len(values), width)]

    def token_ids(self, prompt: str, answer: str) -> tuple[list[int], list[int]]:
        """The ids that the harness reads for a prompt and for an answer after it."""
        context, continuation = self._harness._encode_pair(prompt, answer)
        return list(context), list(continuation)
