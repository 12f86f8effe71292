"""The command line in processes of its own that need not import anything: they can be killed.

One process a test session imports what studies and the workbench need; each command is a fork of
it. What happens in a command, and how it dies, is as in a process that the shell starts.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_IMPORTED = [
    "torch", "pandas", "scipy.stats", "sklearn.ensemble", "sklearn.compose", "pygments.lexers",
    "plotly.graph_objects", "optuna.importance", "optuna.storages._rdb.models", "alembic.command",
    "sqlalchemy.ext.declarative", "sqlalchemy.dialects.sqlite", "sentencepiece",
    "safetensors.torch",
    "transformers.models.bert.modeling_bert", "transformers.models.auto.modeling_auto",
    "promptlab.cli.app", "promptlab.study.run", "promptlab.study.learning_curve.run",
    "promptlab.study.search.study_fitting", "promptlab.models.loading", "promptlab.models.pool",
    "promptlab.predictors.classifier", "promptlab.candidates.template",
    "promptlab.candidates.demonstrations",
    "promptlab.candidates.soft_prompt", "promptlab.library.library",
]  # fmt: skip
_SERVING = ["gradio", "promptlab.ui.app"]

Target = Callable[[list[str], tuple[str, str], dict[str, str]], None]
"""What a fork runs: the arguments, the files of its output and errors, and its environment."""


@dataclass(frozen=True)
class Started:
    """A command at work, in a process group of its own."""

    process: Any
    err: Path

    @property
    def said(self) -> str:
        """Its standard error."""
        return self.err.read_text("utf-8", "replace")

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return bool(self.process.is_alive())

    def kill(self) -> bool:
        """SIGKILL for it and all that it started; whether it was still running."""
        running = self.runs
        if running:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has no group of its own yet
                self.process.kill()
        self.process.join()
        return running

    def terminate(self) -> None:
        """SIGTERM, as systemd and Docker send it."""
        os.kill(self.process.pid, signal.SIGTERM)

    def code(self, seconds: float = 300.0) -> int | None:
        """The exit status; `None` if it does not end in time."""
        self.process.join(seconds)
        found: int | None = self.process.exitcode
        return found


def start(*arguments: object, out: Path | None = None, target: Target | None = None) -> Started:
    """``promptlab`` with these arguments; its output goes into a file, or nowhere.

    Another ``target`` than `run_command` calls that in the end.
    """
    descriptor, err = tempfile.mkstemp(prefix="promptlab-said-")
    os.close(descriptor)
    streams = (str(out or os.devnull), err)
    process = server().Process(
        target=target or run_command,
        args=(list(map(str, arguments)), streams, dict(os.environ)),
    )
    process.start()
    atexit.register(Path(err).unlink, missing_ok=True)
    return Started(process, Path(err))


@cache
def server() -> Any:
    """Where processes come from that have imported promptlab already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_IMPORTED, *_SERVING])
    return context


def run_command(
    arguments: list[str], streams: tuple[str, str], environment: dict[str, str]
) -> None:
    """What a fork does: the command line, its output and errors into the files ``streams``."""
    os.setsid()
    for number, path in enumerate(streams, 1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["promptlab", *arguments]
    from promptlab.cli import main

    try:
        main()
    finally:
        atexit._run_exitfuncs()
