"""The head of the page: its name, light or dark, and the tab or page that the address names."""

from __future__ import annotations

import gradio as gr

from ..components.html import html_panel
from ..components.markup import Markup

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
window.promptlabTab = (target) => {
  const tab = target.closest(
    '#tabs > .tab-wrapper [role=tab], #tabs > .tab-wrapper .overflow-dropdown button');
  return tab && (tab.dataset.tabId ?? tab.textContent.trim().toLowerCase());
};
document.addEventListener('click', (event) => {
  const tab = window.promptlabTab(event.target);
  if (tab && !window.promptlabOpened) window.promptlabAsked = tab;
}, true);
{
  const address = new URL(location);
  if (address.searchParams.get('view') === 'api') {
    window.promptlabApi = true;
    address.searchParams.delete('view');
    history.replaceState(null, '', address);
  }
}
</script>"""
"""For the page's head: a tab clicked before the app answers is opened when it does.

What has no room in the row of tabs stands in a menu beside it, by its title alone. An address
with ``view=api`` asks for the API's page, which Gradio does not draw by itself: it takes it for
shown, and waits for nothing that would load it. So it is asked for as its button asks for it.
"""
_SHOW_API = """() => {
  if (window.promptlabApi) document.querySelector('footer .show-api')?.click();
  window.promptlabApi = false;
}"""
_OPEN_NAMED = """() => {
  const asked = window.promptlabAsked ?? new URL(location).searchParams.get('tab') ?? '';
  window.promptlabOpened = true;
  let chosen = false;
  const open = (left, held) => {
    if (!asked || !left || held === 6 || chosen) return;
    const tabs = [...document.querySelectorAll('#tabs > .tab-wrapper button')];
    const tab = tabs.find((one) => window.promptlabTab(one) === asked);
    const shown = tab?.getAttribute('aria-selected') === 'true';
    if (!shown) tab?.click();
    setTimeout(open, 150, left - 1, shown ? held + 1 : 0);
  };
  open(30, 0);  // while it loads, Gradio may go back to the first tab once
  document.addEventListener('click', (event) => {
    chosen ||= event.isTrusted;  // who works on the page is not taken elsewhere
    const tab = window.promptlabTab(event.target);
    if (!tab) return;
    const address = new URL(location);
    address.searchParams.set('tab', tab);
    history.replaceState(null, '', address);
  }, true);
}"""


def build_header(app: gr.Blocks) -> None:
    """The page's name, and a button that turns it dark or light, which this browser remembers."""
    with gr.Row(elem_classes="pl-masthead"):
        html_panel(Markup('<header class="pl-top"><h1>promptlab</h1></header>'))
        turn = gr.Button("Light / dark", size="sm", scale=0, min_width=110, elem_id="theme")
    turn.click(None, js=_TURN, api_visibility="private")
    app.load(None, js=_RESTORE, api_visibility="private")


def keep_tab_in_address(app: gr.Blocks) -> None:
    """The address names the open tab, so that a page loaded again, or a link, opens it.

    With ``view=api`` the API's page is opened over it.
    """
    app.load(None, js=_OPEN_NAMED, api_visibility="private")
    app.load(None, js=_SHOW_API, api_visibility="private")
