"""From a prompt to what is sent, and to the key under which the reply is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from promptlab.errors import CapabilityError, TemplateError
from promptlab.models.remote.endpoint import Endpoint
from promptlab.models.remote.options import RemoteOptions
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt

VERSION = 1
"""Of the keys: a change of what is sent for the same prompt makes another one."""
GO_ON = "Go on exactly where you stopped, without repeating anything you have already written."
"""Asks for what follows a prefill where an endpoint cannot extend a message."""
_BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Request:
    """What is sent (``body``) to which ``path``; ``key`` is a content hash of all of it."""

    path: str
    body: dict[str, Any]
    key: bytes
    tokens: int
    """Tokens of the prompt, estimated."""


def make_request(
    endpoint: Endpoint, options: RemoteOptions, prompt: Prompt, decoding: Decoding, sample: int
) -> Request:
    """The request for one reply.

    Sampled replies get a seed of their own from the decoding's seed and ``sample``; at
    temperature 0 both change nothing. Raises `CapabilityError` for learned segments and
    `TemplateError` for a chat prompt with words after its slot.
    """
    check_prompt(prompt, options, endpoint.name)
    body: dict[str, Any] = {"model": endpoint.model, "max_tokens": decoding.max_tokens}
    body["temperature"] = float(decoding.temperature)
    drawn: tuple[int, ...] = ()
    if decoding.temperature > 0:
        drawn = (decoding.seed, sample)
        body["seed"] = _seed(*drawn)
        chosen = {"top_p": decoding.top_p, "top_k": decoding.top_k}
        body |= {name: value for name, value in chosen.items() if value is not None}
    if decoding.stop:
        body["stop"] = list(decoding.stop)
    if options.api == "chat":
        path, said = "/chat/completions", _turns(prompt, options)
    else:
        path, said = "/completions", {"prompt": prompt.left.rstrip()}
    body = {**body, **said, **options.extra}
    body = {name: value for name, value in body.items() if value is not None}
    content = json.dumps([VERSION, endpoint.url, path, body, drawn], sort_keys=True)
    key = hashlib.sha256(content.encode()).digest()
    return Request(path, body, key, count_tokens(prompt))


def check_prompt(prompt: Prompt, options: RemoteOptions, name: str) -> None:
    """Refuse a prompt that cannot be sent."""
    if not prompt.is_text_only:
        raise CapabilityError(
            f"the prompt {str(prompt)!r} has soft or trigger tokens, and {name} is a remote model "
            "that takes words alone; use a local model, or a template of words"
        )
    if not prompt.chat:
        return
    if options.api != "chat":
        raise CapabilityError(
            f"{name} is asked for plain completions (api: completions) and cannot chat; use "
            "api: chat, or a template without chat"
        )
    if prompt.segments[prompt.slot + 1 :]:
        raise TemplateError(
            "a chat prompt ends at its slot: the answer is the assistant's reply, so nothing "
            f"may follow {{mask}} (found {prompt.right.strip()!r})"
        )


def count_tokens(prompt: Prompt) -> int:
    """About how many tokens a prompt has: a token for four bytes, and the chat's own."""
    said = sum(estimate_tokens(words) + 4 for _, words in prompt.turns)
    return (
        said
        + estimate_tokens(prompt.left)
        + estimate_tokens(prompt.prefill)
        + (4 if prompt.chat else 1)
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text.encode()) // _BYTES_A_TOKEN)


def truncate(text: str, tokens: int) -> str:
    """The beginning of ``text``, about ``tokens`` tokens long; whole characters alone."""
    return text.encode()[: max(0, tokens) * _BYTES_A_TOKEN].decode(errors="ignore")


def _seed(seed: int, sample: int) -> int:
    """31 bits, so that every endpoint takes them."""
    digest = hashlib.sha256(f"{seed} {sample}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _turns(prompt: Prompt, options: RemoteOptions) -> dict[str, Any]:
    """The messages, and what makes an endpoint extend the last one."""
    turns = [{"role": role, "content": words} for role, words in prompt.turns]
    if not turns or prompt.left.strip():
        turns.append({"role": "user", "content": prompt.left.strip()})
    if not prompt.prefill:
        return {"messages": turns}
    turns.append({"role": "assistant", "content": prompt.prefill})
    if options.prefill == "continue":
        return {
            "messages": turns,
            "continue_final_message": True,
            "add_generation_prompt": False,
        }
    return {"messages": [*turns, {"role": "user", "content": GO_ON}]}
