"""What ``promptlab model check`` says of a remote model: whether it answers, how fast, how dear."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlab.models.remote.model import RemoteModel

_PROMPTS, _NEW_TOKENS = 8, 32
_QUESTION = "Write a few sentences about the number {number}, in plain words."


def endpoint_row(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Everything that is reported of an endpoint; it is asked nine short questions anew.

    Raises `WorkError` when it answers none of them, `InputError` for a wrong key or model.
    """
    from promptlab.errors import WorkError
    from promptlab.models.remote.model import load_remote

    model = load_remote(name, **{**options, "cache": False})
    first, alone = _ask_at_once(model, [0])
    if first:
        raise WorkError(f"{model.name} does not answer: {first[0]}")
    before = model.usage_cost()
    errors, seconds = _ask_at_once(model, range(1, 1 + _PROMPTS))
    spent = model.usage_cost()
    written = spent["tokens_out"] - before["tokens_out"]
    return {
        "name": model.name,
        "family": model.family,
        "endpoint": model.endpoint.url,
        "api": model.options.api,
        "capabilities": sorted(model.capabilities),
        "max_tokens": model.max_tokens,
        "concurrency": model.options.concurrency,
        "first_reply_seconds": round(alone, 3),
        "written_tokens_per_second": round(written / seconds, 1),
        "asked": 1 + _PROMPTS,
        "errors": errors,
        "adapted": model.adjustments(),
        "cost": spent,
        "key": model.key,
    }


def _ask_at_once(model: RemoteModel, numbers: Any) -> tuple[list[str], float]:
    """The errors of greedy replies to questions that were asked at once, and the seconds."""
    from promptlab.prompts.decoding import Decoding
    from promptlab.prompts.prompt import Prompt, Slot, Text

    chat = "chat" in model.capabilities
    prompts = [
        Prompt((Text(_QUESTION.format(number=number) + "\n"), Slot()), chat=chat)
        for number in numbers
    ]
    started = time.perf_counter()
    replies = model.generate(prompts, Decoding(max_tokens=_NEW_TOKENS))
    # One that spends 32 tokens on hidden reasoning does answer.
    errors = [reply.error or "" for reply in replies if not reply.is_answered]
    return errors, time.perf_counter() - started


def endpoint_lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The row for people."""
    from promptlab.models.remote.cost import cost_summary

    failed = row["errors"]
    return [
        ("model", row["name"]),
        ("family", f"remote, {row['api']} at {row['endpoint']}"),
        ("can", ", ".join(row["capabilities"])),
        ("window", f"{row['max_tokens']:,} tokens"),
        ("first reply", f"{row['first_reply_seconds']:.2f} s"),
        (
            "speed",
            f"{row['written_tokens_per_second']:,.0f} tokens/s written, "
            f"{min(row['concurrency'], row['asked'] - 1)} requests at a time",
        ),
        ("cost", cost_summary(row["cost"])),
        *(("note", remark) for remark in row["adapted"]),
        *([("failed", f"{len(failed)} of {row['asked']}: {failed[0]}")] if failed else []),
    ]
