"""What can be chosen about a remote model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from promptlab.errors import InputError
from promptlab.files.settings import Settings
from promptlab.security.redaction import has_secret

TRANSPORT = frozenset(
    {
        "concurrency", "connect_timeout", "read_timeout", "reply_timeout", "retries", "patience",
        "requests_per_minute", "tokens_per_minute", "stream", "price", "key_env", "cache",
    }
)  # fmt: skip
"""Options that decide how replies are fetched and paid, not what they say."""

_SECRETS = frozenset(
    {"api_key", "apikey", "key", "token", "access_token", "authorization", "password", "secret"}
)


def _names(value: Any) -> Iterator[str]:
    """The names of all fields, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


class Price(Settings):
    """Dollars for a million tokens of prompts (``input``) and of replies (``output``).

    ``cached`` is the price of a prompt's tokens that the endpoint still knew from before, by
    default that of all others.
    """

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)

    def dollars(self, tokens_in: int, tokens_out: int, tokens_known: int = 0) -> float:
        """Dollars; ``tokens_known`` of the prompts' were known to the endpoint."""
        known = self.input if self.cached is None else self.cached
        fresh = max(0, tokens_in - tokens_known)
        return (fresh * self.input + tokens_known * known + tokens_out * self.output) / 1e6


class RemoteOptions(Settings):
    """How a remote model is asked; the options of `load_model` for an endpoint.

    Attributes:
        api: *chat* completions or plain *completions*.
        concurrency: Requests under way at the same time, at most.
        connect_timeout: Seconds until a connection stands.
        read_timeout: Seconds between two pieces of a reply.
        reply_timeout: Seconds for a whole reply.
        retries: Further tries after a fault.
        patience: Seconds that one request waits in all because the endpoint asks for it.
        requests_per_minute: A limit of one's own; ``None`` for none.
        tokens_per_minute: The same, of prompts and replies together.
        stream: Whether replies are always asked for as streams.
        price: Dollars for a million tokens; without it no costs are told.
        key_env: The environment variable that holds the key, by default ``PROMPTLAB_API_KEY``,
            else ``OPENAI_API_KEY``.
        max_tokens: The context window; by default what the endpoint says of itself, else 8192.
        prefill: How a chat goes on after what the assistant has said: *turn* asks for it in a
            further user turn, which works everywhere, *continue* has vLLM extend the very message.
        extra: Fields for every request as they are; ``null`` takes one out.
        cache: Whether replies are kept on disk.

    Example:
        >>> options = RemoteOptions.parse(retries=2, price={"input": 0.15, "output": 0.6})
        >>> options.price.dollars(1_000_000, 500_000)
        0.45
        >>> options.changed()
        {'retries': 2, 'price': {'input': 0.15, 'output': 0.6}}
    """

    api: Literal["chat", "completions"] = "chat"
    concurrency: int = Field(default=8, ge=1, le=1024)
    connect_timeout: float = Field(default=10.0, gt=0)
    read_timeout: float = Field(default=120.0, gt=0)
    reply_timeout: float = Field(default=3600.0, gt=0)
    retries: int = Field(default=5, ge=0, le=100)
    patience: float = Field(default=600.0, ge=0)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    stream: bool = False
    price: Price | None = None
    key_env: str | None = None
    max_tokens: int | None = Field(default=None, ge=2)
    prefill: Literal["turn", "continue"] = "turn"
    extra: dict[str, Any] = Field(default={})
    cache: bool = True

    @field_validator("extra")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        if any(name.lower().replace("-", "_") in _SECRETS for name in _names(value)):
            raise ValueError("keys come from the environment alone; take it out of extra")
        if has_secret(json.dumps(value, default=str)):
            raise ValueError(
                "a value in it is a key or password that the environment holds; take it out: extra "
                "is written into the study's files"
            )
        for name in ("n", "best_of"):
            if value.get(name) not in (None, 1):
                raise ValueError(
                    f"{name} pays for replies that nobody reads: every sample is asked for by "
                    "itself; take it out of extra"
                )
        return value

    @classmethod
    def parse(cls, **options: Any) -> RemoteOptions:
        """Options from keyword arguments. Raises `InputError` naming every wrong one."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            told = []
            for problem in error.errors(include_input=False, include_url=False):
                place = ".".join(map(str, problem["loc"]))
                if problem["type"] == "extra_forbidden":
                    known = ", ".join(sorted(cls.model_fields))
                    told.append(f"{place}: a remote model has no such option; it has {known}")
                else:
                    told.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
            raise InputError("\n".join(told)) from None  # its text repeats what was given

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults, as plain JSON data."""
        return self.model_dump(mode="json", exclude_defaults=True)
