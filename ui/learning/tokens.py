"""A token as it can be read."""

from __future__ import annotations

from ..markup import Markup


def visible(piece: str) -> str:
    """A token with what would not be seen made visible."""
    shown = piece.replace("\n", "↵").replace("\t", "⇥")
    return shown.strip() or "␣" * max(1, len(shown))


def token_text(piece: str) -> Markup:
    """A token in the type of code."""
    return Markup("<code>{}</code>").format(visible(piece))
