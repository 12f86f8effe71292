"""The web workbench: one page with a tab for filling, the library, studies, and learning."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from . import fill, learn, library, results
from .drawing import panel

DEFAULT_MODEL = "smollm2-135m"
_LARGEST_UPLOAD = "5mb"
_MOST_WAITING = 64


def build_app(model: str = DEFAULT_MODEL, runs: Path = Path("runs")) -> gr.Blocks:
    """The app, not yet listening; ``model`` is loaded once, at its first use.

    ``runs`` is the folder that holds the studies' folders; nothing else is read.
    """
    load = partial(pl.load_model, model)
    app = gr.Blocks(title="promptlab", analytics_enabled=False, fill_width=True)
    with app:
        panel(_head(model))
        with gr.Tab("Fill", id="fill"):
            fill.tab(app, load)
        with gr.Tab("Library", id="library"):
            library.tab()
        with gr.Tab("Studies", id="studies"):
            results.tab(app, runs)
        with gr.Tab("Learn", id="learn") as page:
            learn.tab(app, runs, page)
    app.queue(max_size=_MOST_WAITING, default_concurrency_limit=8)
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    model: str = DEFAULT_MODEL,
    runs: Path = Path("runs"),
    login: tuple[str, str] | None = None,
    block: bool = True,
) -> gr.Blocks:
    """Load the model and listen on ``host``:``port``; with ``block`` until interrupted.

    ``login`` is a user's name and password to ask for. Raises `InputError` when the port is
    taken, and whatever `load_model` raises.
    """
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(pl.load_model, model)
        app = build_app(model, runs)
        loading.result()
    try:
        app.launch(
            server_name=host,
            server_port=port,
            auth=login,
            share=False,
            inbrowser=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=_LARGEST_UPLOAD,
            enable_monitoring=False,
            run_history=False,
            mcp_server=False,
            pwa=False,
            ssr_mode=False,
            footer_links=["api"],
            theme=_theme(),
            css_paths=str(files("promptlab.ui") / "style.css"),
        )
    except OSError as problem:
        raise pl.InputError(
            f"cannot listen on {host}:{port}: the port is taken, or the address is not one of this "
            "machine's; choose another --port or --host"
        ) from problem
    if block:
        app.block_thread()
    return app


def _head(model: str) -> Markup:
    return Markup('<header class="pl-top"><b>promptlab</b><span>{}</span></header>').format(model)


def _theme() -> gr.themes.Base:
    """Quiet colours and the system's own fonts: no font is fetched."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="md",
        font=["system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"],
    )
