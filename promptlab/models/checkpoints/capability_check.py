"""What a model of its family could do and this one cannot, found out by trying."""

from __future__ import annotations

from typing import Any

from promptlab.engine.scoring.engine import Engine
from promptlab.engine.self_check import (
    CheckedModel,
    accepts_prefix,
    accepts_vectors,
    choose_batching_mode,
)
from promptlab.models.base import Capability


def find_missing_capabilities(
    examined: CheckedModel, engine: Engine, tokenizer: Any
) -> dict[Capability, str]:
    """What a model of its family could do and this one cannot, each with its reason."""
    kind = type(examined.network.model).__name__
    found: dict[Capability, str] = {}
    if examined.family != "masked" and not choose_batching_mode(examined, engine, tokenizer):
        found["generate"] = (
            f"token by token {kind} writes something else than its own forward; use a model of "
            "another architecture"
        )
    if engine.runner.single_rows:
        found["gradients"] = (
            f"what {kind} gives for a text depends on the texts beside it in a batch, so nothing "
            "can be learned in batches; use a model of another architecture"
        )
    elif not accepts_vectors(examined, engine):
        found["gradients"] = (
            f"{kind} looks its words up in more places than one embedding, so no vector can stand "
            "for them; use a model of another architecture"
        )
    if examined.family == "masked":
        examined.network.can_attend_prefix = accepts_prefix(examined, engine.runner)
    return found
