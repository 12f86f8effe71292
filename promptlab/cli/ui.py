"""``promptlab ui``: the web workbench."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.options import DEFAULT_MODEL
from promptlab.cli.output import console
from promptlab.errors import InputError

PASSWORD = "PROMPTLAB_UI_PASSWORD"  # noqa: S105 - the variable's name
USER = "promptlab"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model on offer: name, folder, Hugging Face id or remote:MODEL@URL; may be "
            "repeated, the first one is loaded at once. Without any: the pinned models."
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder that holds the studies' folders.")] = Path(
        "runs"
    ),
    max_upload: Annotated[
        str, typer.Option("--max-upload", help="Largest file that may be uploaded, such as 20mb.")
    ] = "10mb",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="A name under which a proxy shows the workbench; may be repeated. Requests for "
            "other names are refused.",
        ),
    ] = None,
) -> None:
    """Serve the web workbench on this machine.

    With a password in PROMPTLAB_UI_PASSWORD the page asks for the user "promptlab" and it.
    """
    largest = read_size(max_upload)
    try:
        from promptlab.ui.app import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("gradio", "gradio_client"):
            raise
        raise InputError(
            'the web workbench needs Gradio; run: pip install "promptlab-workbench[ui]"'
        ) from error
    from promptlab.models.builtin import model_names

    password = os.environ.get(PASSWORD)
    told = console(stderr=True)
    models = model or [DEFAULT_MODEL, *(name for name in model_names() if name != DEFAULT_MODEL)]
    told.print(f"Loading {models[0]} …")
    login = (USER, password) if password else None
    app = serve(
        host,
        port,
        models=models,
        runs=runs,
        login=login,
        largest_upload=largest,
        proxied=allow_host or (),
        block=False,
    )
    told.print(f"The workbench is at {app.local_url} (stop it with Ctrl-C).")
    if host not in _LOOPBACK and login is None:
        told.print(f"Anyone who reaches {host} can use it; set {PASSWORD} to ask for a password.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a second one cuts the waiting short
    try:
        app.block_thread()
    finally:
        app.close(verbose=False)  # a study stops at its block; uploads are removed at the exit
        gc.freeze()  # the interpreter would look through all of its objects before it ends


def read_size(text: str) -> int:
    """``"20mb"`` as bytes (decimal units). Raises `InputError`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(kb|mb|gb)", text.strip().lower())
    if found is None or not float(found[1]):
        raise InputError(f"--max-upload {text!r} is no size; write it like 500kb, 20mb or 1gb")
    return int(float(found[1]) * {"kb": 10**3, "mb": 10**6, "gb": 10**9}[found[2]])
