"""Texts from outside made harmless, and secrets taken out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.files.code_permission import allow_code
    from promptlab.security.untrusted_text import json_lines, json_text, make_printable

__all__ = [
    "allow_code",
    "json_lines",
    "json_text",
    "make_printable",
]

_HOMES = {
    "allow_code": "promptlab.files.code_permission",
    "json_lines": "promptlab.security.untrusted_text",
    "json_text": "promptlab.security.untrusted_text",
    "make_printable": "promptlab.security.untrusted_text",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
