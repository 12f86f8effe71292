"""What a decided study leaves for reading: its report and its leaderboard, here and to download."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.html import error
from ...components.listeners import PRIVATE
from ...components.markup import Markup
from ...components.session_diff import Poll, SessionDiff
from ...context import AppContext

_FILES = ("report.html", "leaderboard.csv")


class StudyResultFiles:
    """Two buttons to download, one that shows the report below them, or takes it away.

    `outputs` are filled by `updates`, as a part of the page's own look.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        with gr.Row(elem_classes="pl-study-buttons", visible=False) as self._row:
            self._show = gr.Button("Read the report here", size="md", min_width=170)
            self._files = [
                gr.DownloadButton(f"Download {name}", size="md", min_width=170) for name in _FILES
            ]
        self._report = gr.HTML(
            "", elem_classes=["pl-panel", "pl-report-panel"], apply_default_css=False
        )
        self.outputs: list[Any] = [self._row, *self._files, self._show, self._report]

    def updates(self, seen: SessionDiff, name: str | None) -> list[Any]:
        """For `outputs`: of a decided study its buttons, and its report if it is being read."""
        folder = None if name is None else self._context.runs / name
        if folder is None or not all((folder / file).is_file() for file in _FILES):
            folder = None
        has, read = folder is not None, folder is not None and seen.read
        return [
            seen.changed("outcome", has, gr.Row(visible=has)),
            *(self._file(seen, folder, file) for file in _FILES),
            seen.changed(
                "reading", read, gr.Button("Close the report" if read else self._show.value)
            ),
            seen.changed(
                "report", name if read else "", _framed(folder) if folder and read else ""
            ),
        ]

    def connect(self, look: Poll, known: Sequence[Any], shown: Sequence[Any]) -> None:
        """``known`` are the `SessionDiff` and the receipt, ``shown`` is what ``look`` fills."""

        def turned(seen: SessionDiff, receipt: float | None) -> list[Any]:
            seen.choose(read=not seen.read)
            return look(seen, receipt)

        self._show.click(turned, list(known), list(shown), **PRIVATE)

    def _file(self, seen: SessionDiff, folder: Path | None, file: str) -> Any:
        """A copy to download, made when there is another one than was offered."""
        if folder is None:
            return seen.changed(file, None, gr.skip())
        key = (folder.name, (folder / file).stat().st_mtime_ns)
        if seen.sent.get(file) == key:
            return gr.skip()
        target = self._context.download_path(f"{folder.name}-{file}")
        shutil.copyfile(folder / file, target)
        return seen.changed(file, key, gr.DownloadButton(value=str(target)))


def _framed(folder: Path) -> str:
    """The report in a frame of its own: its script reaches nothing outside of it."""
    try:
        text = (folder / "report.html").read_text(encoding="utf-8")
    except (pl.PromptlabError, OSError) as problem:
        return str(error(problem))
    return str(
        Markup(
            '<iframe class="pl-study-report" title="Report of {}" sandbox="allow-scripts" '
            'srcdoc="{}"></iframe>'
        ).format(folder.name, text)
    )
