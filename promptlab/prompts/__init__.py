"""Text in, text out, no model: templates, prompts, verbalizers, parsers, decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.prompts.jinja.isolated import isolate_rendering
    from promptlab.prompts.parsers.parsers import Parser, parser_from_settings

__all__ = [
    "Parser",
    "isolate_rendering",
    "parser_from_settings",
]

_HOMES = {
    "Parser": "promptlab.prompts.parsers.parsers",
    "isolate_rendering": "promptlab.prompts.jinja.isolated",
    "parser_from_settings": "promptlab.prompts.parsers.parsers",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
