"""Traces drawn: votes, trees, prompts and replies; hostile texts are shown as text."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from tests.helpers.scripted_model import ScriptedModel

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.evaluation import Trace
from promptlab.prompts import parser_from_settings
from promptlab.strategies import StateEvaluator, ThoughtGenerator, TreeSearch
from promptlab.ui.playground.thought_tree import thought_tree
from promptlab.ui.playground.trace_html import trace_html
from promptlab.ui.playground.tree_layout import lay_out_tree

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def game(**settings: Any) -> pl.Prediction:
    """A game of 24 searched with values that favour large numbers."""
    model = ScriptedModel(
        rate=lambda prompt, answer: float(answer == "sure") * len(prompt.split()[-3])
    )
    tree = pl.TreeOfThoughts(
        ThoughtGenerator(method="moves"),
        StateEvaluator(pl.load_template("game24/value")),
        model,
        search=TreeSearch(beam=3, **settings),
        problem="game24",
    )
    return tree.predict([{"numbers": "4 5 6 10"}])[0]


def test_a_step_shows_the_reply_in_the_place_of_its_slot() -> None:
    model = ScriptedModel(lambda prompt, n: "so 3 + 4" if "step" in prompt[-40:] else "7")
    found = pl.ChainOfThought("Q: {q}\nA: {mask}", model).predict([{"q": "3 + 4?"}])[0]
    drawn = str(trace_html(found.trace))
    assert drawn.count('<details class="pl-step" open>') == 2
    assert "step by step. <ins>so 3 + 4</ins>" in drawn
    assert "<mark>{mask}</mark>" not in drawn
    assert re.search(r"\d+ \+ \d+ tokens", drawn)


def test_votes_are_bars_and_samples_have_headings() -> None:
    replies = ["7", "7", "8", "none"]
    model = ScriptedModel(lambda prompt, n: f"The answer is {replies[n]}")
    shown = [{"fields": {"q": "1"}, "reasoning": "so", "answer": "1"}]
    inner = pl.ChainOfThought(
        "Q: {q}\nA: {mask}", model, mode="manual", extract="reply", demonstrations=shown,
        parser=parser_from_settings({"type": "number"}),
        decoding=pl.Decoding(temperature=0.7),
    )  # fmt: skip
    found = pl.SelfConsistency(inner, samples=4).predict([{"q": "3 + 4?"}])[0]
    drawn = str(trace_html(found.trace))
    assert drawn.count('class="pl-bar') >= 2 and "2 of 3" in drawn
    assert "1 gave no answer that could be read" in drawn
    assert "<b>sample 4</b>" in drawn and drawn.count('<div class="pl-branch">') == 4


def test_a_tree_is_drawn_with_its_path_values_and_what_was_left_out() -> None:
    found = game()
    trace = Trace.from_record(found.trace or {})
    drawn = str(trace_html(found.trace))
    nodes = drawn.count('<button type="button" class="pl-thought')
    assert drawn.count("<path ") == nodes - 1
    chosen = [step for step in trace if step.notes.get("chosen")]
    assert drawn.count('class="pl-thought pl-is-chosen') == len(chosen) > 0
    targets = re.findall(r'class="pl-thought [^>]*popovertarget="([^"]+)"', drawn)
    assert sorted(targets) == sorted(set(targets))
    assert all(f'popover id="{target}"' in drawn for target in targets)
    assert "not followed" in drawn and "All " in drawn
    # Every thought stands somewhere: in a node of its own or in a list.
    thoughts = [step for step in trace if step.name == "thought"]
    root = thought_tree(trace)
    waiting, seen = [root], 0
    while waiting:
        one = waiting.pop()
        seen += len(one.rest) + len(one.lost) + (not one.rest and one is not root)
        waiting.extend(one.children)
    assert seen == len(thoughts)


def test_a_layout_has_no_overlaps_and_straight_first_children() -> None:
    children = {0: [1, 2, 3], 1: [4, 5], 3: [6], 6: [7, 8]}
    layout = lay_out_tree(0, children)
    assert layout.places[0] == (0, 0) and layout.places[1] == (1, 0) and layout.places[4] == (2, 0)
    for column in range(layout.columns):
        rows = sorted(row for depth, row in layout.places.values() if depth == column)
        assert all(below - above >= 1 for above, below in pairwise(rows))
    assert layout.columns == 4 and layout.rows == max(r for _, r in layout.places.values()) + 1
    chain = {n: [n + 1] for n in range(5000)}
    assert lay_out_tree(0, chain).columns == 5001


def test_hostile_texts_are_text() -> None:
    trace = Trace()
    start = trace.root.step(HOSTILE, prompt=f"{HOSTILE} {{mask}}", reply=HOSTILE, label=HOSTILE)
    start.step("thought", reply=HOSTILE, value=0.5, state=HOSTILE, word=HOSTILE, chosen=True).step(
        "value", prompt=HOSTILE, note=HOSTILE
    )
    start.step("thought", reply=HOSTILE, illegal=HOSTILE)
    for value in range(4):
        start.step("thought", reply=HOSTILE, value=float(value), pruned=HOSTILE)
    record = trace.record() | {"votes": {HOSTILE: 2, "7": 1}, "samples": 3}
    drawn = str(trace_html(record, HOSTILE))
    assert "<script" not in drawn and "<img" not in drawn
    assert drawn.count("&lt;script&gt;") > 10


def test_what_failed_says_why_and_what_has_no_trace_too() -> None:
    model = ScriptedModel(lambda prompt, n: "!the endpoint is gone")
    found = pl.ChainOfThought("Q: {q}\nA: {mask}", model).predict([{"q": "1"}])[0]
    assert "the endpoint is gone" in trace_html(found.trace, found.error)
    assert "No steps" in trace_html(None)
    trace = Trace()
    trace.root.step("value", error="too long")
    assert "too long" in trace_html(trace.record()) and "failed" in trace_html(trace.record())


def test_long_traces_are_shortened() -> None:
    trace = Trace()
    branch = trace.root
    for number in range(400):
        branch = branch.step("step", prompt="p " * 20_000, reply=f"r{number}")
    drawn = str(trace_html(trace.record()))
    assert "100 further steps are left out" in drawn
    assert "characters are left out" in drawn and len(drawn) < 300 * 22_000
