"""DSPy's canonical requests as prompts and decodings, and replies as its responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptlab.errors import CapabilityError
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt, Slot, Text

if TYPE_CHECKING:
    from dspy.lm15 import Config, Request, Response

_ROLES = {"user": "user", "assistant": "assistant", "developer": "system", "system": "system"}
_HEADINGS = {"user": "User", "assistant": "Assistant", "system": "System"}
_REFUSED = (
    "response_format", "tool_choice", "reasoning", "frequency_penalty", "presence_penalty",
    "logprobs", "probabilities", "extensions",
)  # fmt: skip
"""Settings that would change the reply and that a local model here does not have."""


def prompt_of(request: Request, *, chat: bool) -> Prompt:
    """The conversation as one prompt.

    With ``chat`` its turns stay turns, and a last assistant turn is what the reply goes on from;
    without, several turns are one text under headings. Raises `CapabilityError` for tools and
    pictures.
    """
    if request.tools:
        raise CapabilityError("local models here do not call tools; leave tools= out")
    turns = [] if request.system is None else [("system", _system(request.system))]
    turns += [(_role(message.role), _text(message)) for message in request.messages]
    if not chat:
        return Prompt((Text.from_data(_conversation(turns)), Slot()))
    prefill = turns.pop()[1] if turns[-1][0] == "assistant" else ""
    words = turns.pop()[1] if turns and turns[-1][0] == "user" else ""
    return Prompt((Text.from_data(words), Slot()), chat=True, prefill=prefill, turns=tuple(turns))


def decoding_of(config: Config, max_tokens: int) -> Decoding:
    """The request's decoding; ``max_tokens`` where it does not say.

    Raises `CapabilityError` for settings that local models do not have.
    """
    for name in _REFUSED:
        if getattr(config, name) not in (None, {}, ()):
            raise CapabilityError(f"local models here do not support {name}; leave it out")
    return Decoding(
        max_tokens=config.max_tokens or max_tokens,
        temperature=config.temperature or 0.0,
        top_k=config.top_k,
        top_p=config.top_p,
        stop=tuple(config.stop),
        seed=config.seed or 0,
    )


def response_to(request: Request, reply: Generation) -> Response:
    """A generated text as DSPy's response, without hidden reasoning: its adapters parse it."""
    from dspy import lm15

    response: Response = lm15.Response(
        id=None,
        model=request.model,
        message=lm15.Message.assistant(reply.answer),
        finish_reason="length" if reply.finish == "length" else "stop",
        usage=lm15.Usage(input_tokens=reply.tokens_in, output_tokens=reply.tokens_out),
    )
    return response


def _conversation(turns: list[tuple[str, str]]) -> str:
    """One text; several turns get headings, and the reply's is opened."""
    system = [words for role, words in turns if role == "system"]
    said = [(role, words) for role, words in turns if role != "system"]
    if len(said) == 1:
        return "\n\n".join([*system, said[0][1]])
    parts = [*system, *(f"{_HEADINGS[role]}:\n{words}" for role, words in said)]
    closed = bool(said) and said[-1][0] == "assistant"
    return "\n\n".join(parts if closed else [*parts, "Assistant:"])


def _role(role: str) -> str:
    if role not in _ROLES:
        raise CapabilityError(f"local models here have no turns of the role {role!r}")
    return _ROLES[role]


def _system(system: Any) -> str:
    return system if isinstance(system, str) else "\n".join(_part(part) for part in system)


def _text(message: Any) -> str:
    return "\n".join(_part(part) for part in message.parts)


def _part(part: Any) -> str:
    if part.type != "text":
        raise CapabilityError(f"local models here read text alone; the request holds {part.type}")
    return str(part.text)
