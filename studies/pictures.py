"""The README's pictures: the workbench over the default model, as Chromium draws it.

``python -m promptlab.studies.pictures --out ui/pictures``

A server is started on an empty folder of studies, the shipped study ``quickstart`` is run in it
from the page, and every picture is taken of what is really there.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from promptlab.studies.bench.served import browser, served

_WIDE, _HIGH = 1280, 800
_SECOND = 1000
_MOST = 180 * _SECOND


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("ui/pictures"), help="folder to write")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    models = ["smollm2-135m", "bert-tiny"]
    with (
        tempfile.TemporaryDirectory() as runs,
        served(models, Path(runs)) as address,
        browser(options.chromium) as started,
    ):
        page = started.new_page(viewport={"width": _WIDE, "height": _HIGH})
        page.set_default_timeout(_MOST)
        page.goto(f"{address}?__theme=light")
        page.wait_for_selector(".pl-top")
        page.wait_for_timeout(3 * _SECOND)
        for name, show in PICTURES.items():
            show(page)
            page.mouse.move(0, 0)
            page.wait_for_timeout(2 * _SECOND)
            page.screenshot(path=options.out / f"{name}.png")
            print(options.out / f"{name}.png")


def _open(page: Any, *names: str) -> None:
    """Open a tab, and a section in it."""
    for name in names:
        page.locator(f'[role=tab][data-tab-id="{name}"]').first.click()
        page.wait_for_timeout(_SECOND)


def _study(page: Any) -> None:
    """The quick start in its midst, or decided where the slots' vectors were kept from before."""
    _open(page, "study", "run")
    page.get_by_role("button", name="Start", exact=True).locator("visible=true").click()
    page.wait_for_function("() => /\\b(9|[12]\\d) of 28/.test(document.body.innerText)")


def _grid(page: Any) -> None:
    """Three prompts over the same examples, disagreements first, one cell opened."""
    _open(page, "compare")
    page.click("#compare-run")
    page.get_by_text("72 cells in").wait_for()
    page.locator("#compare-table .pl-compare-cell").nth(2).click()
    page.evaluate("document.querySelector('#compare-views').scrollIntoView({block: 'start'})")


def _edit(page: Any) -> None:
    """The answer words of a column edited."""
    page.get_by_role("tab", name="Edit answers").click()
    page.locator("#edit-answers textarea").click()
    for key in ("Control+Home", "End"):
        page.keyboard.press(key)
    page.keyboard.type(", bad, boring, awful, stupid")
    page.evaluate("document.querySelector('#compare-views').scrollIntoView({block: 'start'})")


def _capitals(page: Any) -> None:
    """Four templates for the capital of Canada."""
    _open(page, "playground", "fill")
    page.get_by_role("button", name="Capitals: Canada").click()
    page.wait_for_selector("#fill-result thead >> text=P(Ottawa)")


def _tree(page: Any) -> None:
    """A game of 24 solved by a tree of thoughts."""
    _open(page, "strategy")
    box = page.get_by_label("Strategy", exact=True).locator("visible=true").first
    box.click()
    page.get_by_role("option", name="Tree of thoughts: game of 24").click()
    page.wait_for_timeout(2 * _SECOND)
    page.get_by_role("button", name="Run", exact=True).locator("visible=true").click()
    page.wait_for_selector(".pl-tree")
    page.evaluate("document.querySelector('#play').scrollIntoView({block: 'start'})")


PICTURES = {"study": _study, "capitals": _capitals, "tree": _tree, "grid": _grid, "edit": _edit}

if __name__ == "__main__":
    main()
