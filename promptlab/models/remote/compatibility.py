"""What an endpoint turned out not to understand, and what it is told instead."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from promptlab.errors import EndpointError
from promptlab.models.remote.error_message import ErrorMessage

_STRANGE_CODES = frozenset(
    {
        "unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden",
        "value_error.extra", "unrecognized_parameter", "unsupported", "invalid_parameter",
    }
)  # fmt: skip
_STRANGE = re.compile(
    r"unexpected|un-?supported|not (?:yet |currently )?supported|(?:does|do) ?n[o']t support"
    r"|unknown|unrecogni[sz]ed|not (?:permitted|allowed|accepted|available|implemented)"
    r"|extra (?:fields|inputs)|cannot both be|only one|isn't supported|is deprecated"
    r"|invalid (?:parameter|argument|field)|(?:only|default) (?:the )?\(?(?:default|1)\b"
    r"|(?:got|has) an? unexpected",
    re.IGNORECASE,
)
_MANY_STOPS = re.compile(
    r"too (?:many|long)|at most|up to|maximum|no more than|max length", re.IGNORECASE
)
_STOPS = re.compile(r"\bstop[_ ]sequences?\b|\bstop[_ ]words\b|\bstop strings?\b", re.IGNORECASE)
_SYSTEM = re.compile(
    r"system\W{0,3} ?(?:role|message|prompt|instruction)|'?role'?.{0,60}system"
    r"|(?:roles|conversation).{0,40}must (?:alternate|start)"
    r"|developer (?:role|instruction|message)|'developer'",
    re.IGNORECASE,
)
_TURNS = re.compile(r"must (?:alternate|start)|only user", re.IGNORECASE)
_MOST_STOPS = 4
_SHAPES = ("model", "messages", "prompt", "stream")
_LIMITS = ("max_tokens", "max_completion_tokens")
_LEFT_OUT = {
    "seed": "takes no seed: sampled replies do not repeat on it",
    "stream_options": "takes no stream_options: tokens of streamed replies are estimated",
    "stop": "takes no stop strings: replies are cut at them here, after all was written",
    "temperature": "takes no temperature: it was left out, as 1 is the usual default",
    "top_p": "takes no top_p: it was left out, as 1 keeps everything",
}
_ROLES = ("system", "developer", "user")
"""How the words of a system turn are given: as they are, renamed, or before the user's own."""


class EndpointCompatibility:
    """What one endpoint has refused for one model; learned once, then known for all requests.

    Mended by itself is what changes no answer: newer hosted models want ``max_completion_tokens``
    for ``max_tokens`` and a developer for the system, some take no ``stop`` (replies are cut here
    as well), no ``seed`` or ``stream_options``, or not even a temperature of 1. All of it stands
    in ``adjustments``. What would change answers is never left out in silence: it is an error that
    names the setting to write.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_out: frozenset[str] = frozenset()
        self._limit: str | None = None
        self._few_stops = False
        self._system = 0
        self._remarks: dict[str, str] = {}
        self._told: set[str] = set()

    @property
    def adjustments(self) -> tuple[str, ...]:
        """What is sent otherwise than asked, in the words of a sentence's end."""
        return tuple(self._remarks.values())

    def new_adjustments(self) -> list[str]:
        """The remarks that nobody has been told yet; each is given once."""
        with self._lock:
            found = [words for words in self._remarks.values() if words not in self._told]
            self._told.update(found)
        return found

    def adapt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this endpoint understands it."""
        told = {name: value for name, value in body.items() if name not in self._left_out}
        for name in _LIMITS:
            if self._limit is not None and name in told:
                told[self._limit] = told.pop(name)
                break
        if self._few_stops and "stop" in told:
            told["stop"] = told["stop"][:_MOST_STOPS]
        if self._system and "messages" in told:
            told["messages"] = _without_system(told["messages"], _ROLES[self._system])
        return told

    def learn_from_error(
        self, complaint: ErrorMessage, sent: Mapping[str, Any], model: str
    ) -> bool:
        """Whether what was refused of ``sent`` is mended now, so that it can be sent again.

        Raises `EndpointError` with the setting to write for a field that must not be left out.
        """
        with self._lock:
            return self._learn(complaint, sent, model)

    def _learn(self, complaint: ErrorMessage, sent: Mapping[str, Any], model: str) -> bool:
        said = complaint.message
        if self._is_about_limits(complaint, sent):
            return self._turn_limit(said, sent)
        if "stop" in sent and "stop" in _named(complaint, sent) and _MANY_STOPS.search(said):
            return self._take_few_stops(sent)
        if "stop" in sent and _STOPS.search(said):  # whatever is wrong with them
            return self._leave_out("stop")
        if self._is_about_system(complaint, sent):
            return self._turn_system(sent)
        named = _by_itself(complaint, sent)  # also for a value that is out of range
        if _STRANGE.search(said) or complaint.codes & _STRANGE_CODES:
            named = _named(complaint, sent)
        harmful = [name for name in named if not _is_harmless(name, sent[name])]
        if harmful:
            raise EndpointError(f"{model} refuses {_refused(harmful, sent)}: {said}")
        for name in named:
            self._leave_out(name)
        return bool(named)

    def _leave_out(self, name: str) -> bool:
        self._left_out |= {name}
        self._remarks.setdefault(name, _LEFT_OUT[name])
        return True

    def _is_about_limits(self, complaint: ErrorMessage, sent: Mapping[str, Any]) -> bool:
        own = next((name for name in _LIMITS if name in sent), None)
        if own is None:
            return False
        said = complaint.message
        other = _LIMITS[1 - _LIMITS.index(own)]
        if re.search(rf"\b{other}\b", said) and re.search(r"\buse\b|instead", said, re.IGNORECASE):
            return True
        strange = bool(_STRANGE.search(said) or complaint.codes & _STRANGE_CODES)
        return strange and own in _named(complaint, sent)

    def _turn_limit(self, said: str, sent: Mapping[str, Any]) -> bool:
        """Name the limit otherwise; once, or else both names would be tried for ever."""
        own = next(name for name in _LIMITS if name in sent)
        other = _LIMITS[1 - _LIMITS.index(own)]
        if self._limit == own:
            return False
        self._limit = other
        self._remarks.setdefault("limit", f"is sent {other} for {own}")
        return True

    def _take_few_stops(self, sent: Mapping[str, Any]) -> bool:
        if len(sent["stop"]) <= _MOST_STOPS:
            return False
        self._few_stops = True
        self._remarks.setdefault(
            "stops", f"takes {_MOST_STOPS} stop strings: replies are cut at the others here"
        )
        return True

    def _is_about_system(self, complaint: ErrorMessage, sent: Mapping[str, Any]) -> bool:
        roles = {turn.get("role") for turn in sent.get("messages", ())}
        if not roles & {"system", "developer"}:
            return False
        placed = any(re.search(r"messages.*role", field) for field in complaint.fields)
        said = complaint.message
        refused = _STRANGE.search(said) or _TURNS.search(said)
        return placed or bool(_SYSTEM.search(said) and refused)

    def _turn_system(self, sent: Mapping[str, Any]) -> bool:
        roles = {turn.get("role") for turn in sent["messages"]}
        used = 0 if "system" in roles else 1
        self._system = max(self._system, used + 1)
        if self._system >= len(_ROLES):
            return False
        words = (
            "is sent the system's words as a developer's"
            if self._system == 1
            else "takes no system turn: its words stand before the first user's"
        )
        self._remarks["system"] = words
        return True


def _by_itself(complaint: ErrorMessage, sent: Mapping[str, Any]) -> list[str]:
    """The fields of what was sent that the complaint names apart from its words."""
    fields = {re.split(r"[.\[]", field)[0] for field in complaint.fields}
    return [name for name in sent if name in fields and name not in _SHAPES]


def _named(complaint: ErrorMessage, sent: Mapping[str, Any]) -> list[str]:
    """The fields of what was sent that are complained of."""
    if by_itself := _by_itself(complaint, sent):
        return by_itself
    said = complaint.message
    return [name for name in sent if name not in _SHAPES and _mentions(said, name)]


def _mentions(said: str, name: str) -> bool:
    """Whether a text names a field; one that is a plain word has to be marked as a field."""
    word = re.escape(name)
    if "_" in name:
        return re.search(rf"\b{word}\b", said) is not None
    marked = (
        rf"['\"`]{word}['\"`]|\b{word}:"
        rf"|(?:parameters?|arguments?|fields?|supplied|keyword)\W+(?:\w+\W+){{0,2}}?{word}\b"
        rf"|\b{word} (?:parameter|is|are|does|argument|field|and|sequences?)\b"
    )
    return re.search(marked, said, re.IGNORECASE) is not None


def _is_harmless(name: str, value: Any) -> bool:
    """Whether leaving it out changes no answer."""
    if name in ("temperature", "top_p"):
        return bool(value == 1)
    return name in _LEFT_OUT


def _refused(names: list[str], sent: Mapping[str, Any]) -> str:
    """The fields with their values, and what to write."""
    told = " and ".join(f"{name} {sent[name]!r}" for name in names)
    if "continue_final_message" in names or "add_generation_prompt" in names:
        return f"{told} (write prefill: turn)"
    ways = []
    ways += [f"another {name} in the decoding" for name in names if name in _LIMITS]
    if "temperature" in names:
        ways.append(
            "temperature: 1 in the decoding, or extra: {temperature: null} in the model's section "
            "to leave it out (replies are then drawn at the model's own temperature, so that "
            "greedy decoding and votes over samples mean something else)"
        )
    ways += [
        f"{name}: null in the decoding, or extra: {{{name}: null}} in the model's section"
        for name in names
        if name in ("top_p", "top_k")
    ]
    drawn = ("temperature", "top_p", "top_k", *_LIMITS)
    others = [name for name in names if name not in drawn]
    if others:
        ways.append(f"the model's section without extra: {', '.join(others)}")
    return f"{told} (write {'; '.join(ways)})"


def _without_system(messages: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """The turns with the system's words under another role; as a user's, before the user's own."""
    if role != "user":
        return [
            {**turn, "role": role} if turn.get("role") == "system" else turn for turn in messages
        ]
    said = [t["content"] for t in messages if t.get("role") in ("system", "developer")]
    turns = [dict(t) for t in messages if t.get("role") not in ("system", "developer")]
    first = next((turn for turn in turns if turn.get("role") == "user"), None)
    if first is None:
        return [{"role": "user", "content": "\n\n".join(said)}, *turns]
    first["content"] = "\n\n".join([*said, first["content"]])
    return turns


_lock = threading.Lock()
_dialects: WeakValueDictionary[tuple[str, ...], EndpointCompatibility] = WeakValueDictionary()


def compatibility_for(*key: str) -> EndpointCompatibility:
    """The dialect of an endpoint and a model, the same one within this process."""
    with _lock:
        dialect = _dialects.get(key)
        if dialect is None:
            dialect = _dialects[key] = EndpointCompatibility()
        return dialect
