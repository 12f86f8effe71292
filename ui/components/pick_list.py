"""Lists to pick from: rows that are buttons, in pages; reachable by Tab, chosen by Enter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from .listeners import PRIVATE
from .markup import Markup

_ON_LOAD = """
element.addEventListener('click', (event) => {
  const row = event.target.closest('[data-pick]');
  const page = event.target.closest('[data-page]');
  if (row) {
    for (const other of element.querySelectorAll('[data-pick]')) {
      other.setAttribute('aria-current', String(other === row));
    }
    element.dataset.picked = row.dataset.pick;
    trigger('click', { pick: row.dataset.pick });
    const shown = row.closest('[data-shows]');
    const target = shown && document.getElementById(shown.dataset.shows);
    if (target && window.innerWidth < 900) {
      setTimeout(() => target.scrollIntoView({ behavior: 'smooth', block: 'start' }), 150);
    }
  } else if (page) {
    element.dataset.turned = page.dataset.page;
    trigger('submit', { page: Number(page.dataset.page) });
    element.scrollIntoView({ block: 'nearest' });
  }
});
let focused = null;
element.addEventListener('focusin', (event) => {
  const row = event.target.closest('[data-pick]');
  const page = event.target.closest('[data-page]');
  focused = row ? ['pick', row.dataset.pick] : page ? ['page', page.textContent] : null;
});
watch('value', () => {
  if (!focused || document.activeElement !== document.body) return;
  const [kind, wanted] = focused;
  const all = [...element.querySelectorAll(`[data-${kind}]:not([disabled])`)];
  const said = (one) => kind === 'pick' ? one.dataset.pick : one.textContent;
  const found = all.find((one) => said(one) === wanted) ?? (kind === 'page' ? all[0] : null);
  const target = found?.matches('button') ? found : found?.querySelector('button');
  target?.focus({ preventScroll: true });
});
"""
_READ = "() => {1}(document.querySelector(':is(#{0}, #{0} *)[data-{2}]')?.dataset.{2} ?? '')"
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#%s')?.click(), 120)"


def build_pick_list(value: str = "", name: str | None = None) -> gr.HTML:
    """A panel whose ``data-pick`` rows raise *click* and whose ``data-page`` buttons *submit*.

    What was chosen is in the event's data: see `picked_name` and `picked_page`.
    """
    return gr.HTML(
        value,
        elem_id=name,
        elem_classes="pl-panel",
        apply_default_css=False,
        js_on_load=_ON_LOAD,
    )


def picked_name(event: gr.EventData) -> str:
    """The row that was chosen; whatever a browser says, it is text."""
    data = event._data if isinstance(event._data, dict) else {}
    return str(data.get("pick", ""))


def picked_page(event: gr.EventData) -> int:
    """The page that was asked for, from 0."""
    data = event._data if isinstance(event._data, dict) else {}
    page = data.get("page", 0)
    return max(page, 0) if isinstance(page, int) else 0


def keep_place(panel: gr.HTML, name: str, *, again: bool = False) -> gr.Textbox:
    """A box that nobody sees, holding the row that was chosen last in the panel of that id.

    So it is a value among others: what is drawn of it can be drawn anew at any time. With
    ``again``, choosing the same row once more takes the choice back.
    """
    box = gr.Textbox("", visible="hidden", label="chosen")
    read = _READ.format(name, "String", "picked")
    if again:
        read = f"(before) => {{ const now = ({read})(); return now === before ? '' : now; }}"
    panel.click(None, box, box, js=read, **PRIVATE)
    return box


def keep_page(panel: gr.HTML, name: str) -> gr.Number:
    """A number that nobody sees: the page that was turned to in the panel of that id, from 0."""
    box = gr.Number(0, visible="hidden", precision=0, minimum=0, label="page")
    panel.submit(None, None, box, js=_READ.format(name, "Number", "turned"), **PRIVATE)
    return box


def pages_html(page: int, count: int, size: int) -> Markup:
    """Buttons to the pages before and after; nothing where one page holds all."""
    last = max(count - 1, 0) // size
    if not last:
        return Markup("")
    first, after = page * size + 1, min((page + 1) * size, count)
    return Markup(
        '<nav class="pl-pages" aria-label="Pages">{}<span>{}–{} of {}</span>{}</nav>'
    ).format(
        _page_button("Previous", page - 1, page > 0),
        first,
        after,
        count,
        _page_button("Next", page + 1, page < last),
    )


def _page_button(title: str, page: int, there: bool) -> Markup:
    return Markup('<button type="button" class="pl-page" data-page="{}" {}>{}</button>').format(
        page, "" if there else "disabled", title
    )


def page_within(page: int, count: int, size: int) -> int:
    """The page, or the last one that there is."""
    return min(page, max(count - 1, 0) // size)


def offer_download(
    button: gr.Button, make: Callable[..., Path | None], inputs: list[Any], name: str
) -> Any:
    """Let ``button`` make a file of its inputs and hand it to the browser.

    ``make`` returns the file, or ``None`` when there is nothing. The event comes back.
    """
    hidden = gr.DownloadButton(visible="hidden", elem_id=name)
    made = button.click(make, inputs, hidden, **PRIVATE)
    made.success(None, js=_DOWNLOAD % name, api_visibility="private")
    return made
