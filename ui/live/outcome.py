"""What a decided study leaves for reading: its report and its leaderboard, here and to download."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from ..drawing import error
from ..listening import QUIET
from ..workbench import Workbench

_FILES = ("report.html", "leaderboard.csv")


class Outcome:
    """Two buttons to download, one that shows the report below them."""

    def __init__(self, bench: Workbench, study: Any) -> None:
        self._bench = bench
        with gr.Row(elem_classes="pl-study-buttons", visible=False) as self.row:
            self._show = gr.Button("Read the report here", size="md", min_width=170)
            self._files = [
                gr.DownloadButton(f"Download {name}", size="md", min_width=170) for name in _FILES
            ]
        self._report = gr.HTML(
            "", elem_classes=["pl-panel", "pl-report-panel"], apply_default_css=False
        )
        self._show.click(self._framed, study, self._report, **QUIET)
        self.outputs = [self.row, *self._files, self._report]

    def updates(self, name: str | None) -> list[Any]:
        """For `outputs`: the buttons of a decided study, nothing for any other."""
        folder = None if name is None else self._bench.runs / name
        if folder is None or not all((folder / file).is_file() for file in _FILES):
            return [gr.Row(visible=False), gr.skip(), gr.skip(), ""]
        files = [gr.DownloadButton(value=self._copy(folder, file)) for file in _FILES]
        return [gr.Row(visible=True), *files, ""]

    def _copy(self, folder: Path, file: str) -> str:
        target = self._bench.download(f"{folder.name}-{file}")
        shutil.copyfile(folder / file, target)
        return str(target)

    def _framed(self, name: str) -> str:
        """The report in a frame of its own: its script reaches nothing outside of it."""
        try:
            text = (self._bench.study(name) / "report.html").read_text(encoding="utf-8")
        except (pl.PromptlabError, OSError) as problem:
            return str(error(problem))
        return str(
            Markup(
                '<iframe class="pl-study-report" title="Report of {}" sandbox="allow-scripts" '
                'srcdoc="{}"></iframe>'
            ).format(name, text)
        )
