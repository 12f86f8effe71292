"""The head of the page: its name, light or dark, and the tab that the address names."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from .drawing import panel

_TURN = """() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('promptlab-theme', dark ? 'dark' : 'light');
}"""
_RESTORE = """() => {
  const asked = new URL(location).searchParams.get('__theme');
  const kept = asked || localStorage.getItem('promptlab-theme');
  if (kept === 'dark' || kept === 'light') {
    document.body.classList.toggle('dark', kept === 'dark');
  }
}"""
REMEMBER_TAB = """<script>
document.addEventListener('click', (event) => {
  const tab = event.target.closest('#tabs > .tab-wrapper [role=tab]');
  if (tab && !window.promptlabOpened) window.promptlabAsked = tab.dataset.tabId;
}, true);
</script>"""
"""For the page's head: a tab clicked before the app answers is opened when it does."""
_OPEN_NAMED = """() => {
  const asked = window.promptlabAsked ?? new URL(location).searchParams.get('tab') ?? '';
  window.promptlabOpened = true;
  const open = (left) => {
    const tab = document.querySelector(
      `#tabs > .tab-wrapper [role=tab][data-tab-id="${CSS.escape(asked)}"]`);
    if (!asked || !left || tab?.getAttribute('aria-selected') === 'true') return;
    tab?.click();
    setTimeout(open, 150, left - 1);
  };
  open(20);
  document.addEventListener('click', (event) => {
    const tab = event.target.closest('#tabs > .tab-wrapper [role=tab]');
    if (!tab) return;
    const address = new URL(location);
    address.searchParams.set('tab', tab.dataset.tabId);
    history.replaceState(null, '', address);
  });
}"""


def masthead(app: gr.Blocks) -> None:
    """The page's name, and a button that turns it dark or light, which this browser remembers."""
    with gr.Row(elem_classes="pl-masthead"):
        panel(Markup('<header class="pl-top"><h1>promptlab</h1></header>'))
        turn = gr.Button("Light / dark", size="sm", scale=0, min_width=110, elem_id="theme")
    turn.click(None, js=_TURN, api_visibility="private")
    app.load(None, js=_RESTORE, api_visibility="private")


def keep_tab_in_address(app: gr.Blocks) -> None:
    """The address names the open tab, so that a page loaded again, or a link, opens it."""
    app.load(None, js=_OPEN_NAMED, api_visibility="private")
