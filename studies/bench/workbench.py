"""The workbench in Chromium: an edit of answer words to its result on the page, and first paint.

``python studies/bench/workbench.py --json``

The real server is started. Movie reviews (as long as SST-2's sentences: its own splits are too
small) are compared once, so that the vectors at the slots are kept; then single words are typed
into *Edit answers*, each timed in the page from its last key to the frame after the drawing. The
plain slow path beside it scores the same examples anew, nothing kept, without any page. First
paint is timed cold (a server that has just started, a browser without a cache) and warm (loaded
again).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import promptlab
from promptlab.errors import InputError, WorkError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.rescoring import Rescorer
from promptlab.studies.bench.comparison import Comparison, Timing, largest_difference, report, run
from promptlab.studies.bench.material import context_ids, forget, own_model
from promptlab.studies.bench.roofline import Roofline, forward_cost
from promptlab.studies.bench.served import browser, served

DATA, TEMPLATE = "rotten-tomatoes", "{text} It was {mask}"
FIRST = {"negative": "terrible", "positive": "great"}
WORDS = (
    "good", "fun", "nice", "fine", "perfect", "beautiful", "amazing", "funny", "interesting",
    "exciting", "brilliant", "wonderful", "happy", "best", "lovely", "strong", "clever", "true",
    "new", "right",
)  # fmt: skip
"""Single tokens after a blank, for the positive label."""
EDIT_TARGET, PAINT_TARGET, RATIO_TARGET = 0.200, 3.0, 20.0
_SETTLING = 1000
"""Milliseconds."""
TIMER = """() => {
  const drawn = document.querySelector('#edit-result');
  const box = document.querySelector('#edit-answers textarea');
  window.edit = {armed: false, taken: null};
  let begun = 0;
  box.addEventListener('input', () => { begun = performance.now(); }, true);
  new MutationObserver(() => requestAnimationFrame(() => {
    if (window.edit.armed) window.edit.taken = performance.now() - begun;
  })).observe(drawn, {childList: true, subtree: true, characterData: true});
}"""
SELECT_LAST_WORD = """() => {
  const box = document.querySelector('#edit-answers textarea');
  box.focus();
  box.setSelectionRange(box.value.lastIndexOf(' ') + 1, box.value.length);
}"""
PAINTED = """() => new Promise((told) => {
  const look = () => {
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    if (paint && document.querySelector('.pl-top')) {
      told([paint.startTime / 1000, performance.now() / 1000]);
    } else requestAnimationFrame(look);
  };
  look();
})"""


def main() -> None:
    """Read the arguments, measure, print."""
    options = _arguments()
    if options.edits > len(WORDS):
        raise InputError(f"--edits is at most {len(WORDS)}")
    paints: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    edits: list[float] = []
    for turn in range(options.starts):
        with (
            tempfile.TemporaryDirectory() as runs,
            served([options.model], Path(runs)) as address,
            browser(options.chromium) as started,
        ):
            page = started.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(600_000)
            for kind in ("cold", "warm"):
                page.goto(f"{address}?tab=compare")
                paints[kind].append(page.evaluate(PAINTED))
            if turn == options.starts - 1:
                edits = _edits(page, options)
    comparison = _against_slow_path(edits, options)
    more = {"edit": _edit_figures(edits, options.examples), "first_paint": _paint_figures(paints)}
    report("workbench", {"rescoring": comparison}, as_json=options.json, more=more)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--model", default="smollm2-135m", help="causal model: name or folder")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=20, help="words typed, the first not counted")
    parser.add_argument("--starts", type=int, default=3, help="servers started for first paint")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser")
    return parser.parse_args()


def _edits(page: Any, options: argparse.Namespace) -> list[float]:
    """Seconds from a typed word to the frame that shows its result."""
    page.locator("#compare-run").wait_for(state="visible")
    page.wait_for_timeout(1000)
    page.get_by_label("Examples of").click()
    page.get_by_role("option", name=DATA).click()
    page.get_by_role("spinbutton", name="Dev examples").fill(str(options.examples))
    for box in page.locator("#compare-prompts input").all()[1:]:
        box.uncheck()
    page.click("#compare-run")
    page.get_by_text(f"{options.examples} cells in").wait_for()
    page.get_by_role("tab", name="Edit answers").click()
    page.wait_for_selector(".pl-compare-edit")
    page.evaluate(TIMER)
    return [_edit(page, word) for word in WORDS[: options.edits]]


def _edit(page: Any, word: str) -> float:
    """Seconds from the last letter of a word to the last frame that it changed."""
    page.evaluate(SELECT_LAST_WORD)
    page.keyboard.type(word[:-1])
    page.wait_for_timeout(_SETTLING)  # the letters before the last are edits, too
    page.evaluate("window.edit = {armed: true, taken: null}")
    page.keyboard.press(word[-1])
    page.wait_for_function("window.edit.taken !== null")
    page.wait_for_timeout(_SETTLING)
    if page.locator(".pl-compare-asks, #edit-result .pl-error").count():
        raise WorkError(f"{word!r} is no single token of this model")
    return float(page.evaluate("window.edit.taken")) / 1000


def _against_slow_path(edits: list[float], options: argparse.Namespace) -> Comparison:
    """The same edit by scoring every example anew; both give the same numbers."""
    model = own_model(options.model)
    task = promptlab.load_task(DATA, dev=options.examples)
    words = {**FIRST, "positive": WORDS[0]}
    forget(model)
    started = time.perf_counter()
    plain = PromptClassifier(TEMPLATE, words, model).predict(task.dev)
    slow = time.perf_counter() - started
    rescorer = Rescorer(PromptClassifier(TEMPLATE, FIRST, model), task.dev)
    alone = []
    for word in WORDS[: options.edits]:
        started = time.perf_counter()
        rescorer.predict({**FIRST, "positive": word})
        alone.append(time.perf_counter() - started)
    again = rescorer.predict(words)
    lengths = _lengths(model, task.dev)
    cost = forward_cost(model.engine.network.model.config, masked=False)
    width = model.engine.network.head.weight.shape[1]
    return Comparison(
        peer="scoring every example anew, without a page",
        timing=Timing(edits[1:], [slow], Roofline.measure()),
        own_flops=2.0 * width * 2 * len(lengths),
        peer_flops=cost.flops(lengths, slots=len(lengths)),
        max_difference=largest_difference(
            [list((row.scores or {}).values()) for row in again],
            [list((row.scores or {}).values()) for row in plain],
        ),
        tolerance=1e-4,
        target=RATIO_TARGET,
        details={
            "model": model.name,
            "examples": options.examples,
            "python_milliseconds": 1000 * median(alone),
        },
    )


def _lengths(model: LocalModel, examples: Any) -> list[int]:
    prompts = [promptlab.Template(TEMPLATE).render(example) for example in examples]
    return [len(ids) for ids in context_ids(model, prompts)]


def _edit_figures(edits: list[float], examples: int) -> dict[str, Any]:
    """Median and 95th percentile of the edits after the first."""
    counted = sorted(edits[1:])
    p95 = counted[min(len(counted) - 1, int(0.95 * len(counted)))]
    return {
        "examples": examples,
        "edits": len(counted),
        "median_milliseconds": 1000 * median(counted),
        "p95_milliseconds": 1000 * p95,
        "first_milliseconds": 1000 * edits[0],
        "target_milliseconds": 1000 * EDIT_TARGET,
        "reached": p95 <= EDIT_TARGET,
    }


def _paint_figures(paints: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Medians in seconds over all starts; the worst cold one decides."""
    figures: dict[str, Any] = {"starts": len(paints["cold"]), "target_seconds": PAINT_TARGET}
    for kind, found in paints.items():
        for place, name in enumerate(("first_contentful_paint", "header_visible")):
            figures[f"{kind}_{name}"] = median(one[place] for one in found)
    figures["worst_header_visible"] = max(one[1] for one in paints["cold"])
    figures["reached"] = figures["worst_header_visible"] <= PAINT_TARGET
    return figures


if __name__ == "__main__":
    run(main)
