"""What an endpoint says is wrong, in the many shapes in which servers say it."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptlab.security.untrusted_text import sanitize

_LONGEST = 500  # characters of what an endpoint says
_SHOWN = 80  # characters of what cannot be read
_READ = 20_000  # characters of a text that are looked at
_MOST_FIELDS = 20
_DEEPEST = 10
_MOST_NODES = 20_000  # parts of a document that are looked into
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,500}?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class ErrorMessage:
    """An error as a document tells it; empty texts where it does not.

    ``message`` is one line for people, ``codes`` are its codes and types in lower case, ``fields``
    the request's fields that it names by itself, ``status`` the HTTP status that stands inside
    (gateways answer 200 and put it there), ``filtered`` what a content filter found.
    """

    message: str
    codes: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    status: int | None = None
    filtered: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ErrorMessage:
        """Read the body of an answer."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return cls(preview(text))
        return cls.from_document(document, text)

    @classmethod
    def from_document(cls, document: Any, text: str = "") -> ErrorMessage:
        """Read what stands in a JSON document."""
        found = list(_objects(document))
        message = _message(document)
        codes = {
            str(each[name])[:_SHOWN].lower()
            for each in found
            for name in ("code", "type", "status", "error_type")
            if isinstance(each.get(name), str | int) and not isinstance(each.get(name), bool)
        }
        return cls(
            _line(message, _LONGEST) or preview(text or _kind(document)),
            frozenset(codes),
            tuple(dict.fromkeys(field[:_SHOWN] for field in _fields(found)))[:_MOST_FIELDS],
            _status(found),
            tuple(dict.fromkeys(filtered_categories(document))),
        )


def preview(text: str) -> str:
    """The beginning of a text in quotes; of a web page its title."""
    text = text[:_READ]
    line = sanitize(" ".join(text.split()), lines=False, longest=None)
    if not line:
        return "empty"
    if is_page(text):
        title = _TITLE.search(text)
        named = _line(title[1], _SHOWN) if title else ""
        return f"a web page{f' ({named})' if named else ''}"
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")


def _line(text: str, longest: int) -> str:
    """The beginning of a text as one line that may be shown."""
    line = sanitize(" ".join(text[:_READ].split()), lines=False, longest=None)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _kind(document: Any) -> str:
    return "" if document is None else type(document).__name__


def is_page(text: str) -> bool:
    """Whether it is HTML."""
    return text.lstrip("\ufeff \t\r\n")[:15].lower().startswith(("<!doctype", "<html", "<head"))


def has_error(document: Any) -> bool:
    """Whether a document says that something failed, whatever its status is."""
    if not isinstance(document, Mapping):
        return False
    return bool(document.get("error")) or document.get("object") == "error"


def filtered_categories(document: Any) -> Iterator[str]:
    """The categories that a content filter withheld something for (Azure's results)."""
    waiting = deque([(document, 0)])
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        part, depth = waiting.popleft()
        if isinstance(part, Mapping):
            yield from (
                _line(str(name), _SHOWN)
                for name, value in part.items()
                if isinstance(value, Mapping) and value.get("filtered") is True
            )
        inner = part.values() if isinstance(part, Mapping) else part
        if depth < _DEEPEST and isinstance(part, Mapping | list):
            waiting.extend((each, depth + 1) for each in inner if isinstance(each, Mapping | list))


def _objects(document: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects that describe the error: the outermost, and those that it holds."""
    if depth > 4:
        return
    if isinstance(document, list):
        for each in document[:20]:
            yield from _objects(each, depth + 1)
    elif isinstance(document, Mapping):
        yield document
        for name in ("error", "errors", "detail", "message", "innererror", "metadata", "details"):
            yield from _objects(document.get(name), depth + 1)


def _message(document: Any, depth: int = 0) -> str:
    """The words for people, wherever they stand."""
    if isinstance(document, str):
        return document
    if depth > 6:
        return ""
    if isinstance(document, list):  # of faults (FastAPI), or of errors (Google)
        told = [_message(each, depth + 1) for each in document[:5]]
        return "; ".join(filter(None, told))
    if not isinstance(document, Mapping):
        return ""
    if "msg" in document:  # a fault with its place
        where = document.get("loc")
        place = ".".join(map(str, _plain(where))) if isinstance(where, list) else ""
        said = _message(document["msg"], depth + 1)
        return f"{place}: {said}" if place else said
    for name in ("error", "errors", "detail", "message", "error_description", "title", "code"):
        value = document.get(name)
        found = str(value) if type(value) is int else _message(value, depth + 1)
        if found:
            raw = document.get("metadata")
            more = _message(raw.get("raw"), depth + 1) if isinstance(raw, Mapping) else ""
            return f"{found} ({more})" if more and more not in found else found
    return ""


def _plain(values: list[Any]) -> list[str | int]:
    return [value for value in values[:_MOST_FIELDS] if isinstance(value, str | int)]


def _fields(found: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in found:
        param, place = each.get("param"), each.get("loc")
        if isinstance(param, str) and param:
            yield param
        if isinstance(place, list):
            names = [str(part) for part in _plain(place) if part not in ("body", "request")]
            if names:
                yield names[0]


def _status(found: list[Mapping[str, Any]]) -> int | None:
    for each in found:
        for name in ("code", "status", "status_code", "statusCode"):
            value = each.get(name)
            text = str(value) if isinstance(value, str | int) else ""
            if re.fullmatch(r"[45]\d\d", text):
                return int(text)
    return None
