"""A local model as DSPy's language model: ``dspy.LM(name, engine=PromptlabEngine(model))``.

DSPy calls an engine, from several threads, with a canonical request and expects a canonical
response. Retries, DSPy's cache and history stay with DSPy; the network is run by the model.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from promptlab.decoding import Decoding, Generation
from promptlab.errors import CapabilityError, InputError
from promptlab.models.language_model import LanguageModel
from promptlab.prompt import Prompt, Slot, Text

if TYPE_CHECKING:
    import dspy
    from dspy.lm15 import Config, Request, Response

_HEADINGS = {"user": "User", "assistant": "Assistant", "developer": "Developer", "tool": "Tool"}
_REFUSED = (
    "response_format", "tool_choice", "reasoning", "frequency_penalty", "presence_penalty",
    "logprobs", "probabilities", "extensions",
)  # fmt: skip
"""Settings that would change the reply and that a local model here does not have."""


class PromptlabEngine:
    """Answers DSPy's requests by generating with a causal or seq2seq model.

    ``model`` is a `LanguageModel` or a name for `load_model`; ``max_tokens`` is how long a reply
    may be when the request does not say. A model with a chat template gets the request as one
    user turn in that template. Without a seed in the request every sampled reply has the next
    seed, so that ``n=5`` gives five replies. Raises `CapabilityError` for a masked model.
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
        self._seeds = itertools.count()
        # The model guards its network; this also keeps a reply's seed and its sampling together.
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """One reply. Raises DSPy's errors: the context is too long, a setting is not supported."""
        lm15 = _lm15()
        try:
            prompt = self._prompt(request)
            decoding = self._decoding(request.config, prompt)
            with self._lock:
                reply = self.model.generate([prompt], decoding)[0]
        except CapabilityError as error:
            raise lm15.UnsupportedFeatureError(str(error)) from error
        except InputError as error:
            raise lm15.InvalidRequestError(str(error)) from error
        return _response(request, reply, decoding)

    def stream(self, request: Request) -> Iterator[Any]:
        """The finished reply as a stream's events."""
        events: Iterator[Any] = iter(_lm15().response_to_events(self.complete(request)))
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

    def _prompt(self, request: Request) -> Prompt:
        text = _conversation(request, closing="chat" not in self.model.can)
        return Prompt((Text(text), Slot()), chat="chat" in self.model.can)

    def _decoding(self, config: Config, prompt: Prompt) -> Decoding:
        _check_settings(config)
        used = self.model.count_tokens(prompt)
        room = self.model.max_tokens - used
        if room < 1:
            raise _lm15().ContextLengthError(
                f"the prompt has {used} tokens and {self.model.name} takes {self.model.max_tokens}"
            )
        return Decoding(
            max_tokens=min(config.max_tokens or self.max_tokens, room),
            temperature=config.temperature or 0.0,
            top_k=config.top_k,
            top_p=config.top_p,
            stop=tuple(config.stop),
            seed=next(self._seeds) if config.seed is None else config.seed,
        )


class AsyncPromptlabEngine:
    """The same engine for DSPy's asynchronous calls; the work is done in a thread."""

    def __init__(self, engine: PromptlabEngine) -> None:
        self.engine = engine

    async def complete(self, request: Request) -> Response:
        """One reply, as `PromptlabEngine.complete`."""
        return await asyncio.to_thread(self.engine.complete, request)

    async def stream(self, request: Request) -> Any:
        """The finished reply as a stream's events."""
        for event in _lm15().response_to_events(await self.complete(request)):
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
    _lm15()
    import dspy

    engine = PromptlabEngine(model, max_tokens=max_tokens)
    name = f"promptlab/{engine.model.name}@{engine.model.key[:12]}"
    return dspy.LM(name, engine=engine, async_engine=AsyncPromptlabEngine(engine), **options)


def _lm15() -> Any:
    """DSPy's module of requests and responses."""
    try:
        from dspy import lm15
    except ImportError as error:
        raise InputError(
            "DSPy is not installed (version 3.4 or newer is needed); run: "
            'pip install "promptlab-workbench[dspy]"'
        ) from error
    return lm15


def _conversation(request: Request, *, closing: bool) -> str:
    """The request as one text; several turns get headings, ``closing`` opens the reply's."""
    if request.tools:
        raise CapabilityError("local models here do not call tools; leave tools= out")
    parts = [] if request.system is None else [_system(request.system)]
    turns = [(_HEADINGS[message.role], _text(message)) for message in request.messages]
    if len(turns) == 1:
        return "\n\n".join([*parts, turns[0][1]])
    parts += [f"{heading}:\n{text}" for heading, text in turns]
    return "\n\n".join([*parts, "Assistant:"] if closing else parts)


def _system(system: Any) -> str:
    return system if isinstance(system, str) else "\n".join(_part(part) for part in system)


def _text(message: Any) -> str:
    return "\n".join(_part(part) for part in message.parts)


def _part(part: Any) -> str:
    if part.type != "text":
        raise CapabilityError(f"local models here read text alone; the request holds {part.type}")
    return str(part.text)


def _check_settings(config: Config) -> None:
    for name in _REFUSED:
        if getattr(config, name) not in (None, {}, ()):
            raise CapabilityError(f"local models here do not support {name}; leave it out")


def _response(request: Request, reply: Generation, decoding: Decoding) -> Response:
    lm15 = _lm15()
    response: Response = lm15.Response(
        id=None,
        model=request.model,
        message=lm15.Message.assistant(reply.text),
        finish_reason="length" if reply.tokens_out >= decoding.max_tokens else "stop",
        usage=lm15.Usage(input_tokens=reply.tokens_in, output_tokens=reply.tokens_out),
    )
    return response
