"""How quick a model is here: tokens a second, measured in a second and remembered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from promptlab.models.base import LanguageModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt, Text

PROBE_SECONDS = 0.5
_BATCH = 8
_WRITTEN = 12
_TRAINING = 3.0


@dataclass(frozen=True)
class Throughput:
    """Tokens a second: prompts that are ``read``, replies that are ``written``, a step's tokens.

    ``trained`` is not measured: forward and backward take about three times a forward.
    """

    read: float
    written: float | None
    trained: float


_KNOWN: dict[tuple[str, bool], Throughput] = {}


def measure_throughput(
    model: LanguageModel, prompts: Sequence[Prompt], *, writes: bool
) -> Throughput | None:
    """The throughput on such prompts; ``None`` for a remote model, which is never asked for it.

    Remembered for a model in this process, whatever the prompts. ``writes`` says whether
    generation is to be measured, too.
    """
    if model.family == "remote" or not prompts:
        return None
    writes = writes and "generate" in model.capabilities
    key = (model.key, writes)
    if key not in _KNOWN:
        read = _reading(model, prompts)
        written = _writing(model, prompts) if writes else None
        _KNOWN[key] = Throughput(read, written, read / _TRAINING)
    return _KNOWN[key]


def _reading(model: LanguageModel, prompts: Sequence[Prompt]) -> float:
    """Scoring prompts that nobody has asked yet, so that no cache answers."""
    model.score(_marked(prompts, "-1"), ["yes"])  # the first call of all is slow
    tokens, started, turn = 0, time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < PROBE_SECONDS:
        asked = _marked(prompts, f"{turn}-{started:.6f}")
        tokens += int(model.score(asked, ["yes"]).prompt_tokens.sum())
        turn += 1
    return tokens / max(spent, 1e-6)


def _writing(model: LanguageModel, prompts: Sequence[Prompt]) -> float:
    started = time.perf_counter()
    found = model.generate(
        _marked(prompts, f"w{started:.6f}"), Decoding(max_tokens=_WRITTEN, temperature=1.0)
    )
    return max(1, sum(g.tokens_out for g in found)) / max(time.perf_counter() - started, 1e-6)


def _marked(prompts: Sequence[Prompt], mark: str) -> list[Prompt]:
    """Prompts of the same length that differ from all before, from their first word on."""
    many = [prompts[i % len(prompts)] for i in range(_BATCH)]
    return [
        Prompt((Text(f"{mark} {i} "), *prompt.segments), chat=prompt.chat)
        for i, prompt in enumerate(many)
    ]
