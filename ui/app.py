"""The web workbench: one page, a tab for each kind of work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

import promptlab as pl
from promptlab.prompts import isolate_rendering

from .compare.tab import build_compare_tab
from .components.gradio_internals import disable_self_requests
from .context import KEPT_SECONDS, MB, AppContext
from .failures.tab import build_failures_tab
from .learn.tab import build_learn_tab
from .library.tab import build_library_tab
from .playground.tab import build_playground_tab
from .predict.tab import build_predict_tab
from .server.cleanup import remove_old_files_regularly
from .server.guard import Guard, rules_for
from .server.header import REMEMBER_TAB, build_header, keep_tab_in_address
from .server.page import Page
from .study.tab import build_study_tab

DEFAULT_MODEL = "smollm2-135m"
LARGEST_UPLOAD = 10 * MB
_MOST_WAITING = 64
_MOST_SESSIONS = 500
"""Gradio keeps about a megabyte for each; the one used longest ago is forgotten."""
_TABS = (
    ("Playground", build_playground_tab),
    ("Compare", build_compare_tab),
    ("Study", build_study_tab),
    ("Learn", build_learn_tab),
    ("Library", build_library_tab),
    ("Failures", build_failures_tab),
    ("Predict", build_predict_tab),
)


def build_app(
    models: Sequence[str] = (DEFAULT_MODEL,),
    runs: Path = Path("runs"),
    *,
    largest_upload: int = LARGEST_UPLOAD,
) -> Page:
    """The app, not yet listening. ``models`` are on offer, the first one is the default.

    ``runs`` is the folder that holds the studies' folders; uploads have at most
    ``largest_upload`` bytes.
    """
    isolate_rendering()  # nobody's template keeps the others waiting
    context = AppContext(tuple(models), runs, largest_upload=largest_upload)
    # Gradio would else keep uploads where every user of the machine looks in.
    os.environ.setdefault("GRADIO_TEMP_DIR", str(context.files / "uploads"))
    app = Page(
        title="promptlab",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(KEPT_SECONDS // 4, KEPT_SECONDS),
    )
    with app:
        build_header(app)
        with gr.Tabs(elem_id="tabs"):
            for title, lay_out in _TABS:
                with gr.Tab(title, id=title.lower()) as page:
                    lay_out(app, context, page)
        keep_tab_in_address(app)
    app.opening, app.closing, app.files = context.queue.start, context.queue.close, context.files
    app.queue(max_size=_MOST_WAITING, default_concurrency_limit=16)
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    *,
    models: Sequence[str] = (DEFAULT_MODEL,),
    runs: Path = Path("runs"),
    login: tuple[str, str] | None = None,
    largest_upload: int = LARGEST_UPLOAD,
    proxied: Sequence[str] = (),
    block: bool = True,
) -> gr.Blocks:
    """Load the first of ``models`` and listen on ``host``:``port``.

    With ``block`` it returns when interrupted. ``login`` is a user's name and password to ask
    for, ``largest_upload`` in bytes, ``proxied`` are names under which a proxy shows the app.
    Raises `InputError` when the port is taken, and whatever `load_model` raises.
    """
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(pl.load_model, models[0])
        app = build_app(models, runs, largest_upload=largest_upload)
        loading.result()
        pl.Template("{{ text }}{{ mask }}").render(
            {"text": ""}
        )  # the first of a process takes long
    rules = rules_for(host, largest=largest_upload, login=login is not None, proxied=proxied)
    try:
        app.launch(
            server_name=host,
            server_port=port,
            auth=login,
            auth_message=None if login is None else f"The user is called {login[0]}.",
            app_kwargs={
                "middleware": [Middleware(Guard, rules=rules)],
                "lifespan": remove_old_files_regularly(
                    app.files, Path(os.environ["GRADIO_TEMP_DIR"])
                ),
            },
            blocked_paths=_blocked(runs),
            share=False,
            inbrowser=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=largest_upload,
            state_session_capacity=_MOST_SESSIONS,
            enable_monitoring=False,
            run_history=False,
            mcp_server=False,
            pwa=False,
            ssr_mode=False,
            # Gradio has waited until the server answers. It would then ask for the whole page,
            # and not start when that takes three seconds, as it does on a busy machine.
            **disable_self_requests(),
            footer_links=["api"],
            head=REMEMBER_TAB,
            theme=_theme(),
            css_paths=sorted((Path(str(files("promptlab.ui"))) / "style").glob("*.css")),
        )
    except OSError as problem:
        raise pl.InputError(
            f"cannot listen on {host}:{port}: the port is taken, or the address is not one of this "
            "machine's; choose another --port or --host"
        ) from problem
    app.opening()
    if block:
        app.block_thread()
    return app


def _blocked(runs: Path) -> list[str]:
    """Folders of which Gradio would hand out files if a function gave it their paths."""
    temporary = Path(os.environ["GRADIO_TEMP_DIR"]).parent
    return [
        str(folder)
        for folder in (runs.absolute(), Path.cwd())
        if not temporary.is_relative_to(folder)
    ]


def _theme() -> gr.themes.Base:
    """Quiet colours and the system's own fonts: no font is fetched."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="md",
        font=["system-ui", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"],
    )
