"""The page as a whole: Gradio's, but no input makes the server ask another host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..components.errors import error_for
from ..components.gradio_internals import is_file
from .request_values import check_value, is_sendable

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
        inputs = list(inputs)
        for index, (component, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
            if not getattr(component, "stateful", False):
                inputs[index] = check_value(component, value)
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Answer a request; whatever goes wrong is told in a sentence."""
        try:
            answer: dict[str, Any] = await super().process_api(*args, **kwargs)
        except Exception as problem:
            raise error_for(problem) from problem
        if not is_sendable(answer["data"]):
            raise gr.Error("the answer cannot be sent as JSON", print_exception=False)
        return answer


def _names_address(value: Any) -> bool:
    """Whether a file object with an address for a path stands anywhere in ``value``."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if _is_file(item) and item["path"].strip().lower().startswith(_REMOTE):
                return True
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def _is_file(item: dict[str, Any]) -> bool:
    """Whether Gradio would take it for a file."""
    shaped = isinstance(item.get("path"), str) and isinstance(item.get("meta"), dict)
    return shaped and bool(is_file(item))
