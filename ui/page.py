"""The page as a whole: Gradio's, but no input makes the server ask another host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from .gradio_parts import is_file

_REMOTE = ("http:", "https:")


def _nothing() -> None:
    """There is no work."""


class Page(gr.Blocks):
    """Refuses files that are named by an address: Gradio would fetch them."""

    files: Path
    """Where files lie that are made for downloading."""
    opening: Callable[[], None] = staticmethod(_nothing)
    """To be called when the app listens: work that waits begins."""
    closing: Callable[[], None] = staticmethod(_nothing)
    """Called before the app stops listening: work is asked to stop at its block."""

    def close(self, verbose: bool = True) -> None:
        """Stop the work, then the server."""
        self.closing()
        super().close(verbose)

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> Any:
        """Check what a user sends, then let Gradio make values of it."""
        if not explicit_call and any(_names_address(value) for value in inputs):
            raise gr.Error("files are uploaded, not fetched from an address", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)


def _names_address(value: Any) -> bool:
    """Whether a file object with an address for a path stands anywhere in ``value``."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if is_file(item) and item["path"].strip().lower().startswith(_REMOTE):
                return True
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False
