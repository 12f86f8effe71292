"""``promptlab ui``: the web workbench."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.output import console
from promptlab.errors import InputError

PASSWORD = "PROMPTLAB_UI_PASSWORD"  # noqa: S105 - the variable's name
USER = "promptlab"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    model: Annotated[str, typer.Option(help="Model name, folder or Hugging Face id.")] = (
        "smollm2-135m"
    ),
    runs: Annotated[Path, typer.Option(help="Folder that holds the studies' folders.")] = Path(
        "runs"
    ),
) -> None:
    """Serve the web workbench on this machine.

    With a password in PROMPTLAB_UI_PASSWORD the page asks for the user "promptlab" and it.
    """
    try:
        from promptlab.ui.app import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("gradio", "gradio_client"):
            raise
        raise InputError(
            'the web workbench needs Gradio; run: pip install "promptlab-workbench[ui]"'
        ) from error
    password = os.environ.get(PASSWORD)
    told = console(stderr=True)
    told.print(f"Loading {model} …")
    login = (USER, password) if password else None
    app = serve(host, port, model=model, runs=runs, login=login, block=False)
    told.print(f"The workbench is at {app.local_url} (stop it with Ctrl-C).")
    if host not in _LOOPBACK and login is None:
        told.print(f"Anyone who reaches {host} can use it; set {PASSWORD} to ask for a password.")
    app.block_thread()
