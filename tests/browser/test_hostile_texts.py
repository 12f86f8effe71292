"""Hostile texts in every tab: shown as they are, nothing of them runs, nobody else is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import USERS_CACHE, cache_at
from tests.helpers import hostile_texts as hostile
from tests.helpers.hostile_texts import ANSWERS, HOSTILE, LABELS, LINK, NAME, SCRIPT, TEMPLATE
from tests.helpers.saved_predictor_fixtures import save_model
from tests.helpers.tiny_models import Pair

pytest.importorskip("gradio")

import promptlab as pl

pytestmark = pytest.mark.default_model

LINES = "\n".join(f"{label}: {word}" for label, word in ANSWERS.items())
IMPORTED = {
    "task": "hostile",
    "description": HOSTILE,
    "metric": "accuracy",
    "labels": list(LABELS),
    "examples": [{"text": HOSTILE, "label": label} for label in LABELS],
    "templates": [
        {
            "name": "one",
            "text": TEMPLATE,
            "answers": {name: [word] for name, word in ANSWERS.items()},
            "source": HOSTILE,
            "note": HOSTILE,
        }
    ],
}


@pytest.fixture(scope="module")
def hostile_bench(
    tmp_path_factory: pytest.TempPathFactory, tiny_causal: Pair
) -> Iterator[tuple[str, Path]]:
    """The app over a tiny model and a runs folder of hostile studies; and that folder's parent."""
    from promptlab.ui.app import serve
    from tests.helpers.browser import free_port

    folder = tmp_path_factory.mktemp("hostile")
    (folder / "runs").mkdir()
    named = str(save_model(tiny_causal, folder / "model"))
    with cache_at(USERS_CACHE):
        hostile.make_runs(folder / "runs", folder, pl.load_model(named), named)
        app = serve(port=free_port(), models=[named], runs=folder / "runs", block=False)
    yield app.local_url, folder
    app.close(verbose=False)


@pytest.fixture(scope="module")
def window(chromium: Any, hostile_bench: tuple[str, Path]) -> Iterator[Any]:
    """One window for all tabs; at its end nothing of the texts has run in it."""
    from tests.helpers.browser import opened

    with opened(chromium, hostile_bench[0]) as shown:
        shown.wait_for_selector("#prompt-result .pl-prompt")
        yield shown
        harmless(shown)


def harmless(page: Any) -> None:
    """No script has run, no picture or link of a text has become one."""
    assert page.evaluate("window.pwned") is None
    made = "img[src=x], img[src*=evil], a[href*=evil], a[href^=javascript]"
    assert page.locator(made).count() == 0
    assert page.locator("script", has_text="pwned").count() == 0


def go(page: Any, tab: str, section: str = "") -> None:
    """Open a tab, and a section of it."""
    for name in filter(None, (tab, section)):
        page.get_by_role("tab", name=name, exact=True).locator("visible=true").first.click()


def press(page: Any, name: str) -> None:
    """Click the button of the open tab whose name begins so."""
    page.get_by_role("button", name=re.compile(f"^{name}")).locator("visible=true").first.click()


def box(page: Any, name: str) -> Any:
    """The first visible box with these words in its label, where a hint may stand, too."""
    return page.get_by_label(name).locator("visible=true").first


def says(page: Any, where: str, text: str = HOSTILE) -> None:
    """Wait until a place shows the text as it was written."""
    page.wait_for_function(
        "([where, text]) => [...document.querySelectorAll(where)]"
        ".some((one) => one.textContent.includes(text))",
        arg=[where, text],
    )


def upload(page: Any, where: str, file: Path) -> None:
    page.locator(f"{where} input[type=file]").first.set_input_files(str(file))


def test_playground(window: Any) -> None:
    go(window, "Playground", "Prompt")
    window.locator("#prompt-template textarea").fill(TEMPLATE)
    field = window.get_by_label("text", exact=True).locator("visible=true").first
    field.fill(HOSTILE)
    says(window, "#prompt-result .pl-prompt", SCRIPT)
    says(window, "#prompt-result", "shortened to fit")
    window.locator("#prompt-template textarea").fill("{{ 7*7 }}<b>{{ mask }} {{ ''.__class__ }}")
    window.wait_for_selector("#prompt-result .pl-error")
    window.locator("#prompt-template textarea").fill(f"{SCRIPT} {{mask")
    says(window, "#prompt-result .pl-error", SCRIPT)
    go(window, "Fill")
    box(window, "Templates").fill(TEMPLATE)
    box(window, "Fields").fill(f"text = {HOSTILE}")
    press(window, "Fill")
    says(window, "#fill-result", SCRIPT)
    go(window, "Labels")
    box(window, "Template").fill(TEMPLATE)
    box(window, "Answers").fill(LINES)
    box(window, "Inputs").fill(f"text = {HOSTILE}")
    press(window, "Score")
    says(window, "#label-result .pl-bar-name", LABELS[0])
    go(window, "Generate")
    window.locator("#generate-prompt textarea").fill(HOSTILE.replace("{{ 7*7 }}", ""))
    press(window, "Generate")
    window.wait_for_selector("#generate-result .pl-generated-facts")
    go(window, "Strategy")
    window.locator("#strategy-run").click()
    window.wait_for_selector("#strategy-result .pl-step, #strategy-result .pl-error")
    harmless(window)


def test_compare(window: Any, hostile_bench: tuple[str, Path]) -> None:
    go(window, "Compare")
    press(window, "Own file")
    data = next(hostile_bench[1].glob("*.csv"))
    with window.expect_file_chooser() as chooser:
        window.get_by_text("Click to Upload").locator("visible=true").first.click()
    chooser.value.set_files(str(data))
    press(window, "Add a prompt")
    form = window.locator("#compare-add")
    box(form, "Template").fill(TEMPLATE)
    box(form, "Answers").fill(LINES)
    window.locator("#compare-add-button").click()
    window.locator("#compare-prompts label", has_text="own").wait_for()
    for other in window.locator("#compare-prompts label", has_not_text="own").all():
        other.click()
    window.locator("#compare-run").click()
    window.get_by_text("cells in").wait_for()
    says(window, "#compare-table", HOSTILE[:40])
    harmless(window)


def test_study(window: Any) -> None:
    go(window, "Study", "Run")
    window.wait_for_selector("#study-board table")  # of the study that is shown by itself
    window.locator("#study-list label", has_text=re.compile(f"{NAME}\n")).click()
    says(window, "#study-board")
    says(window, "#study-log")
    for name in ("Importances", "Parallel coordinates", "Pareto front"):
        window.locator("#chart-choice label", has_text=name).click()
        window.wait_for_selector("#chart .main-svg")
    go(window, "Results")
    says(window, ".pl-told", HOSTILE)
    go(window, "Over time")
    says(window, "#time-board")
    harmless(window)


def test_build(window: Any, hostile_bench: tuple[str, Path]) -> None:
    go(window, "Study", "Build")
    window.wait_for_selector("#group-0")
    window.locator("#study-yaml .cm-content").click()
    window.keyboard.press("Control+a")
    window.keyboard.insert_text(json.dumps(hostile.document(Path(SCRIPT), LINK)))
    says(window, "#study-complaints", SCRIPT)
    says(window, "#study-complaints", LINK)
    data = next(hostile_bench[1].glob("*.csv"))
    with window.expect_file_chooser() as chooser:
        window.locator("#own-data").click()
    chooser.value.set_files(str(data))
    window.locator("#propose").click()
    says(window, "#study-yaml .cm-content", "img src=x")
    harmless(window)


def test_learn(window: Any) -> None:
    go(window, "Learn")
    says(window, "#learn-moment", SCRIPT)
    says(window, "#learn-strip", SCRIPT)
    harmless(window)


def test_library(window: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_TEMPLATES", str(tmp_path / "own"))
    file = tmp_path / "hostile.yaml"
    file.write_text(json.dumps(IMPORTED))
    go(window, "Library")
    with window.expect_file_chooser() as chooser:
        press(window, "Import YAML")
    chooser.value.set_files(str(file))
    window.wait_for_selector("#library-told:has-text('hostile/one')")
    window.get_by_placeholder("words in the name").fill("hostile one")
    window.locator("[data-pick='hostile/one']").click()
    says(window, "#template-head")
    says(window, "#template-prompt", f"{HOSTILE} {SCRIPT}")
    says(window, "#template-facts")
    press(window, "Edit a copy")
    says(window, "#template-checked", SCRIPT)
    harmless(window)


def test_failures(window: Any) -> None:
    go(window, "Failures")
    says(window, "#failure-detail")
    window.get_by_label("words", exact=True).locator("visible=true").click()
    window.wait_for_selector(".pl-cluster")
    window.get_by_label("the actual answer is acceptable").click()
    window.get_by_label("Note").locator("visible=true").fill(HOSTILE)
    press(window, "Save the correction")
    window.wait_for_selector("#failure-told:has-text('is kept')")
    harmless(window)


def test_predict(window: Any, hostile_bench: tuple[str, Path]) -> None:
    go(window, "Predict")
    says(window, "#predict-about", SCRIPT)
    upload(window, "#predict-file", next(hostile_bench[1].glob("*.csv")))
    window.wait_for_selector("#predict-result .pl-predict-rows")
    press(window, "Start")
    window.wait_for_selector("#predict-csv >> visible=true")
    says(window, "#predict-result", LABELS[0])
    harmless(window)


def test_the_page_of_the_interface(chromium: Any, hostile_bench: tuple[str, Path]) -> None:
    from tests.helpers.browser import PATIENCE, Watched

    watched = Watched()
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE)
    watched.watch(page)
    page.goto(hostile_bench[0])
    page.get_by_role("button", name="Use via API").click()
    page.get_by_text("/predict_file").first.wait_for()
    page.close()
    refused = ("mcp/schema", "monitoring/summary")  # services of Gradio that are off
    assert [one for one in watched.complaints if not any(path in one for path in refused)] == []
    assert watched.outside == []
