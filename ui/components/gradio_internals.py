"""Parts of Gradio that its documentation does not name; nothing else here reaches inside it."""

from __future__ import annotations

import inspect
from importlib import import_module, metadata
from typing import Any

import gradio as gr

from promptlab.errors import WorkError

_OWN_PAGE = "_frontend"


def _part(module: str, name: str) -> Any:
    """What a module of Gradio calls ``name``; `pl.WorkError` when it has no such thing."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise _changed(f"{module}.{name}") from error


def _changed(what: str) -> WorkError:
    return WorkError(
        f"the installed gradio {metadata.version('gradio')} has no {what} as the workbench uses "
        'it; run: pip install "promptlab-workbench[ui]"'
    )


api = _part("gradio.events", "api")
"""Puts a function into the app's programming interface without a button."""
PlotData: Any = _part("gradio.components.plot", "PlotData")
"""What `gr.Plot` shows."""
is_file = _part("gradio_client.utils", "is_file_obj_with_meta")
"""Whether a value that a page sends names a file."""


def disable_self_requests() -> dict[str, Any]:
    """The option of ``launch`` with which it does not ask for the whole page before it returns."""
    if _OWN_PAGE not in inspect.signature(gr.Blocks.launch).parameters:
        raise _changed(f"option {_OWN_PAGE} of launch")
    return {_OWN_PAGE: False}
