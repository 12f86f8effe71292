"""OpenPrompt's template language, read without evaluating anything.

Text stands between braces, and each pair of braces holds a Python dict or set literal. OpenPrompt
gives them to ``eval``; here they are parsed as literals. A ``post_processing`` function is read
when it is one of the few things that such functions do (`read_function`), and refused otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from promptlab.errors import TemplateError
from promptlab.interop.openprompt_function import read_function

PLACEHOLDERS = ("text_a", "text_b")
_PLAIN = ("placeholder", "meta", "mask", "special", "text")
_SOFT = ("soft", "soft_id")
_OPTIONS = ("shortenable", "post_processing", "duplicate", "same")
_SHARED = 1_000_000
"""Vectors that ``same`` shares get ``soft_id`` from this on."""

Entry = dict[str, Any]
"""What one pair of braces holds, or ``text`` for the words between them."""


def parse_template_text(text: str, *, soft: bool = False) -> list[Entry]:
    """Read a template as OpenPrompt does, but for ``eval``.

    Args:
        text: One template in OpenPrompt's language.
        soft: Whether the template has learned vectors, which MixedTemplate and PtuningTemplate do.

    Returns:
        The entries in order; ``add_prefix_space`` holds the blank before each, if any.

    Raises:
        TemplateError: With a caret under what is no literal, or no part of the language.
    """
    entries: list[Entry] = []
    position = 0
    while position < len(text):
        rest = text[position:]
        blanks = len(rest) - len(rest.lstrip(" "))
        spaced = blanks or text[position - 1 : position] == " "
        position += blanks
        if position == len(text):
            break
        if text[position] == "{":
            end = _end_of(text, position)
            entry = read_entry(text, position, end, soft=soft)
        else:
            end = text.find("{", position + 1)
            end = len(text) if end < 0 else end
            entry = {"text": text[position:end].rstrip(" ")}
        entry["add_prefix_space"] = " " if spaced else ""
        entries += _unfolded(entry, len(entries))
        position = end
    return entries


def braces(text: str) -> Iterator[tuple[int, int]]:
    """Where every pair of braces begins and ends, as OpenPrompt cuts them.

    Raises `TemplateError` for a brace that is never closed.
    """
    start = 0
    while (start := text.find("{", start)) >= 0:
        end = _end_of(text, start)
        yield start, end
        start = end


def _end_of(text: str, start: int) -> int:
    depth = 0
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return end + 1
    raise TemplateError("this brace is never closed", text=text, position=start)


def read_entry(text: str, start: int, end: int, *, soft: bool = False) -> Entry:
    """What the braces from ``start`` to ``end`` hold. Raises `TemplateError` with a caret."""
    source = text[start:end]

    def fault(found: str) -> TemplateError:
        return TemplateError(f"{source!r}: {found}", text=text, position=start)

    entry = _literal(source, fault)
    kinds = [key for key in entry if key in (*_PLAIN, *_SOFT)]
    unknown = [key for key in entry if key not in (*_PLAIN, *_SOFT, *_OPTIONS)]
    if unknown:
        raise fault(f"{unknown[0]!r} does not belong here")
    if len({"soft" if kind in _SOFT else kind for kind in kinds}) != 1:
        raise fault(
            f"it holds {len(kinds)} of the keys of which one is needed: "
            f"{', '.join((*_PLAIN, *_SOFT) if soft else _PLAIN)}"
        )
    if kinds[0] in _SOFT and not soft:
        raise fault(
            "this kind of template has no learned vectors in its text and would drop them; use "
            "mixed_template or ptuning_template"
        )
    _check_values(entry, fault)
    return entry


def _literal(source: str, fault: Any) -> Entry:
    """A dict or set literal of constants; ``post_processing`` may be a function."""
    try:
        node = ast.parse(source.strip(), mode="eval").body
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        node = None
    if isinstance(node, ast.Set):
        pairs: list[tuple[Any, Any]] = [(item, None) for item in node.elts]
    elif isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))
    else:
        raise fault(
            'it is not a plain literal; write for example {"placeholder": "text_a"}, '
            '{"meta": "field"} or {"mask"}'
        )
    entry: Entry = {}
    for key, value in pairs:
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise fault("its keys must be names in quotes")
        name = key.value
        if name in entry:
            raise fault(f"{name!r} stands twice")
        if isinstance(value, ast.Lambda) and name == "post_processing":
            entry[name] = read_function(value, fault)
        elif value is None or isinstance(value, ast.Constant):
            entry[name] = None if value is None else value.value
        else:
            raise fault(f"the value of {name!r} is not a plain literal")
    return entry


def _check_values(entry: Entry, fault: Any) -> None:
    for key in ("placeholder", "meta", "special", "text"):
        if key in entry and not isinstance(entry[key], str):
            raise fault(f"{key} is {entry[key]!r}, and must be text")
    for key in ("mask", "soft"):
        if not isinstance(entry.get(key), str | None):
            raise fault(f"{key} is {entry[key]!r}, and must be text or nothing")
    if entry.get("placeholder", PLACEHOLDERS[0]) not in PLACEHOLDERS:
        raise fault(f"placeholder is {' or '.join(PLACEHOLDERS)}")
    if not isinstance(entry.get("shortenable", True), bool | str):
        raise fault("shortenable is True or False")
    if not isinstance(entry.get("same", False), bool):
        raise fault("same is True or False")
    for key in ("soft_id", "duplicate"):
        value = entry.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < _SHARED:
            raise fault(f"{key} is {value!r}, and must be a whole number from 1")
    if "post_processing" in entry:
        if not callable(entry["post_processing"]):
            raise fault('post_processing is a function, such as lambda x: x.rstrip(".")')
        if not {"placeholder", "meta"} & entry.keys():
            raise fault("post_processing belongs to a placeholder or a meta field")
    if "duplicate" in entry and entry.get("soft") is not None:
        raise fault("duplicate is for vectors without words; leave one of the two out")
    if "same" in entry and "duplicate" not in entry:
        raise fault("same says that duplicates share a vector; give duplicate")


def _unfolded(entry: Entry, number: int) -> list[Entry]:
    """``same`` duplicates as entries that share a ``soft_id``; OpenPrompt fails at them."""
    if not entry.pop("same", False):
        return [entry]
    count = entry.pop("duplicate")
    shared = entry.get("soft_id", _SHARED + number)
    blank = entry["add_prefix_space"]
    first = {"soft": None, "soft_id": shared, "add_prefix_space": blank}
    return [first, *({"soft_id": shared, "add_prefix_space": ""} for _ in range(count - 1))]
