"""Traces: what was asked and replied, as a tree."""

from __future__ import annotations

import json

from promptlab.evaluation.trace import Trace


def grown() -> Trace:
    trace = Trace()
    thought = trace.root.step("thought", prompt="Q: 1+1?", reply="one and\none", tokens_in=4)
    thought.step("answer", prompt="Q: 1+1? so", reply="2", tokens_in=6, tokens_out=1, label="2")
    trace.root.step("thought", prompt="Q: 1+1?", reply="x" * 300, tokens_out=3, seconds=0.5)
    return trace


def test_a_record_comes_back_and_names_every_prompt_once() -> None:
    trace = grown()
    record = json.loads(json.dumps(trace.record()))
    assert record["prompts"] == ["Q: 1+1?", "Q: 1+1? so"]
    again = Trace.from_record(record)
    assert again.steps == trace.steps
    assert (again.tokens_in, again.tokens_out, again.seconds) == (10, 4, 0.5)
    assert Trace.from_record(Trace().record()).steps == []


def test_the_tree_shows_who_follows_from_whom() -> None:
    lines = grown().tree(width=40).splitlines()
    assert lines[0] == "├─ thought  (4 + 0 tokens)"
    assert lines[1] == "│    one and one"
    assert lines[2] == "│  └─ answer  (label=2, 6 + 1 tokens)"
    assert lines[-2].startswith("└─ thought")
    assert lines[-1].endswith("…")
    whole = grown().tree(prompts=True)
    assert "x" * 300 in whole
    assert "prompt:" in whole


def test_notes_are_added_to_a_step() -> None:
    trace = Trace()
    trace.root.step("thought").annotate(value=0.5, pruned=True)
    assert trace.steps[0].notes == {"value": 0.5, "pruned": True}
    assert "value=0.5, pruned=True" in trace.tree()
