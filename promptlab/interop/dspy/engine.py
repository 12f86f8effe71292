"""A local model as DSPy's language model: ``dspy.LM(name, engine=PromptlabEngine(model))``.

DSPy calls an engine, from several threads, with a canonical request and expects a canonical
response. Retries, DSPy's cache and history stay with DSPy; the network is run by the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from promptlab.errors import AskError, CapabilityError, InputError
from promptlab.interop.dspy.model_client import ModelClient, TooLong
from promptlab.interop.dspy.request import decoding_of, prompt_of, response_to
from promptlab.interop.dspy.silence import dspy_package
from promptlab.interop.dspy.tracing import note_step
from promptlab.models.base import LanguageModel

if TYPE_CHECKING:
    import dspy
    from dspy.lm15 import Request, Response


class PromptlabEngine:
    """Answers DSPy's requests by generating with a causal, seq2seq or remote model.

    ``model`` is a `LanguageModel` or a name for `load_model`; ``max_tokens`` is how long a reply
    may be when the request does not say. A model with a chat template gets the request's turns in
    that template. Calls of several threads are answered as one batch. A sampled request without a
    seed gets the next sample every time it is repeated, so that ``n=5`` gives five replies; with
    a seed it always gets the same. Raises `CapabilityError` for a masked model.
    """

    def __init__(self, model: LanguageModel | str, *, max_tokens: int = 256) -> None:
        if max_tokens < 1:
            raise InputError(f"max_tokens is {max_tokens}; a reply has at least 1 token")
        if isinstance(model, str):
            from promptlab.models.pool import load_model

            model = load_model(model)
        model.require("generate")
        self.model = model
        self.max_tokens = max_tokens
        self.desk = ModelClient(model)

    def complete(self, request: Request) -> Response:
        """One reply. Raises DSPy's errors: the context is too long, a setting is not supported."""
        lm15 = dspy_package().lm15
        try:
            prompt = prompt_of(request, chat="chat" in self.model.capabilities)
            asked = decoding_of(request.config, self.max_tokens)
            decoding = self.desk.fitted(asked, prompt)
            sample = 0 if request.config.seed is not None else self.desk.sample(prompt, decoding)
            reply = self.desk.generate(prompt, decoding, sample)
        except CapabilityError as error:
            raise lm15.UnsupportedFeatureError(str(error)) from error
        except AskError as error:
            # A remote model has tried again already, so DSPy need not.
            kind = lm15.ContextLengthError if isinstance(error, TooLong) else lm15.ProviderError
            raise kind(str(error)) from error
        except InputError as error:
            raise lm15.InvalidRequestError(str(error)) from error
        note_step(
            "reply",
            prompt=self.model.display(prompt),
            reply=reply.text,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            seconds=reply.seconds,
        )
        return response_to(request, reply)

    def stream(self, request: Request) -> Iterator[Any]:
        """The finished reply as a stream's events."""
        lm15 = dspy_package().lm15
        events: Iterator[Any] = iter(lm15.response_to_events(self.complete(request)))
        return events

    def close(self) -> None:
        """Nothing to close: the model belongs to the pool."""

    def dump_state(self) -> dict[str, Any]:
        """JSON data for saved programs: the model's name, no weights."""
        return {"model": self.model.name, "max_tokens": self.max_tokens}

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `dump_state`; the model is loaded by its name."""
        return cls(str(state["model"]), max_tokens=int(state["max_tokens"]))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The engine itself: DSPy's optimizers copy programs, and the weights are shared."""
        return self


class AsyncPromptlabEngine:
    """The same engine for DSPy's asynchronous calls; the work is done in a thread."""

    def __init__(self, engine: PromptlabEngine) -> None:
        self.engine = engine

    async def complete(self, request: Request) -> Response:
        """One reply, as `PromptlabEngine.complete`."""
        return await asyncio.to_thread(self.engine.complete, request)

    async def stream(self, request: Request) -> Any:
        """The finished reply as a stream's events."""
        for event in dspy_package().lm15.response_to_events(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        """Nothing to close: the model belongs to the pool."""

    def dump_state(self) -> dict[str, Any]:
        """JSON data for saved programs."""
        return self.engine.dump_state()

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `dump_state`."""
        return cls(PromptlabEngine.load_state(state))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The engine itself, as for `PromptlabEngine`."""
        return self


def dspy_lm(model: LanguageModel | str, *, max_tokens: int = 256, **options: Any) -> dspy.LM:
    """A local model as a ``dspy.LM`` for ``dspy.configure(lm=...)``.

    ``options`` are those of ``dspy.LM`` (temperature, cache, ...). The name carries the model's
    content key, so that DSPy's cache never mixes up two models. Raises `InputError` when DSPy is
    not installed.
    """
    dspy = dspy_package()
    engine = PromptlabEngine(model, max_tokens=max_tokens)
    name = f"promptlab/{engine.model.name}@{engine.model.key[:12]}"
    return dspy.LM(name, engine=engine, async_engine=AsyncPromptlabEngine(engine), **options)
