"""The section that exchanges: templates taken from a file and given in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import raise_gradio_errors
from ..components.html import error, join_markup, note
from ..components.listeners import PRIVATE
from ..components.markup import Markup
from ..components.pick_list import offer_download
from . import template_list as rows
from .components import LibraryComponents, changed

_MOST_NAMES = 40
_MOST_LEFT = 100


def export_templates(download_path: Callable[[str], Path], names: Sequence[str]) -> Path:
    """A YAML file of these templates to download. Raises `InputError` when there are none."""
    text = pl.TemplateLibrary().export(names)
    single = names[0].replace("/", "-") if len(names) == 1 else "templates"
    path = download_path(f"{single}.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def import_templates(path: str | None, replace: bool) -> tuple[Markup, list[str]]:
    """What came of importing an uploaded file, and the names that were saved."""
    if not path:
        return Markup(""), []
    try:
        done = pl.TemplateLibrary().import_file(path, replace=replace)
    except pl.PromptlabError as problem:
        return error(problem), []
    return _told(done), list(done.saved)


def _told(done: Any) -> Markup:
    saved, same = len(done.saved), len(done.unchanged)
    text = f"{saved} template{'' if saved == 1 else 's'} imported."
    if same:
        text += f" {same} {'was' if same == 1 else 'were'} there already, just so."
    names = join_markup(
        Markup("<code>{}</code> ").format(name) for name in done.saved[:_MOST_NAMES]
    )
    told = Markup('<p class="pl-done" role="status">{} {}</p>').format(text, names)
    return told + _left(done.left)


def _left(left: Sequence[tuple[str, str]]) -> Markup:
    """Which templates of another tool's file were left out, and why."""
    if not left:
        return Markup("")
    rows = join_markup(
        Markup("<li><code>{}</code> {}</li>").format(name, why) for name, why in left[:_MOST_LEFT]
    )
    more = note(f"{len(left) - _MOST_LEFT} more.") if len(left) > _MOST_LEFT else ""
    return Markup(
        '<details class="pl-left-out" open><summary>{} left out: the meaning would be another '
        "here</summary><ul>{}</ul>{}</details>"
    ).format(len(left), rows, more)


def connect_exchange(
    download_path: Callable[[str], Path],
    shelf: LibraryComponents,
    give: gr.Button,
    bring: gr.UploadButton,
    replace: gr.Checkbox,
) -> None:
    """Import a file; export the template that is shown, or all that are found."""

    def export_one(name: str) -> Path:
        return _made(download_path, [name])

    def export_found(words: str, task: str, shape: str, whose: str) -> Path:
        return _made(
            download_path, [i.full_name for i in rows.find_templates(words, task, shape, whose)]
        )

    def brought(path: str | None, replace: bool, shown: str, changes: float) -> list[Any]:
        drawn, saved = import_templates(path, replace)
        return [str(drawn), *changed(saved[0] if saved else shown, changes)]

    offer_download(shelf.view.give, export_one, [shelf.shown], "download-template")
    offer_download(give, export_found, list(shelf.filters), "download-templates")
    bring.upload(
        brought,
        [bring, replace, *shelf.outputs],
        [shelf.told, *shelf.outputs],
        **PRIVATE,
    )


@raise_gradio_errors()
def _made(download_path: Callable[[str], Path], names: list[str]) -> Path:
    return export_templates(download_path, names)
