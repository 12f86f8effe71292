"""What an endpoint says is wrong, in the many shapes in which servers say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 500  # characters of what an endpoint says
_SHOWN = 80  # characters of what cannot be read
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Complaint:
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
    def of(cls, text: str) -> Complaint:
        """Read the body of an answer."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return cls(shown(text))
        return cls.read(document, text)

    @classmethod
    def read(cls, document: Any, text: str = "") -> Complaint:
        """Read what stands in a JSON document."""
        found = list(_objects(document))
        message = _message(document)
        codes = {
            str(each[name]).lower()
            for each in found
            for name in ("code", "type", "status", "error_type")
            if isinstance(each.get(name), str | int) and not isinstance(each.get(name), bool)
        }
        return cls(
            " ".join(message.split())[:_LONGEST] or shown(text or repr(document)),
            frozenset(codes),
            tuple(dict.fromkeys(_fields(found))),
            _status(found),
            tuple(dict.fromkeys(filtered_of(document))),
        )


def shown(text: str) -> str:
    """The beginning of a text in quotes; of a web page its title."""
    line = " ".join(text.split())
    if not line:
        return "empty"
    if is_page(text):
        title = _TITLE.search(text)
        named = " ".join(title[1].split())[:_SHOWN] if title else ""
        return f"a web page{f' ({named})' if named else ''}"
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")


def is_page(text: str) -> bool:
    """Whether it is HTML."""
    return text.lstrip("\ufeff \t\r\n")[:15].lower().startswith(("<!doctype", "<html", "<head"))


def has_error(document: Any) -> bool:
    """Whether a document says that something failed, whatever its status is."""
    if not isinstance(document, Mapping):
        return False
    return bool(document.get("error")) or document.get("object") == "error"


def filtered_of(document: Any, depth: int = 0) -> Iterator[str]:
    """The categories that a content filter withheld something for (Azure's results)."""
    if depth > 10:
        return
    if isinstance(document, list):
        for each in document:
            yield from filtered_of(each, depth + 1)
    elif isinstance(document, Mapping):
        for name, value in document.items():
            if isinstance(value, Mapping) and value.get("filtered") is True:
                yield str(name)
            yield from filtered_of(value, depth + 1)


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
        place = ".".join(map(str, where)) if isinstance(where, list) else ""
        return f"{place}: {document['msg']}" if place else str(document["msg"])
    for name in ("error", "errors", "detail", "message", "error_description", "title", "code"):
        value = document.get(name)
        found = str(value) if type(value) is int else _message(value, depth + 1)
        if found:
            raw = document.get("metadata")
            more = _message(raw.get("raw"), depth + 1) if isinstance(raw, Mapping) else ""
            return f"{found} ({more})" if more and more not in found else found
    return ""


def _fields(found: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in found:
        param, place = each.get("param"), each.get("loc")
        if isinstance(param, str) and param:
            yield param
        if isinstance(place, list):
            names = [str(part) for part in place if part not in ("body", "request")]
            if names:
                yield names[0]


def _status(found: list[Mapping[str, Any]]) -> int | None:
    for each in found:
        for name in ("code", "status", "status_code", "statusCode"):
            text = str(each.get(name))
            if re.fullmatch(r"[45]\d\d", text):
                return int(text)
    return None
