"""Kinds of strategies: dimensions, names, what candidates become, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlab.candidates.base import find_kind
from promptlab.candidates.wrapper import read_group
from promptlab.data.task import Task
from promptlab.errors import Location
from promptlab.predictors.base import Predictor
from promptlab.strategies.chain import Chain
from promptlab.strategies.chain_of_thought.strategy import ChainOfThought
from promptlab.strategies.generated_knowledge import GeneratedKnowledge
from promptlab.strategies.retrieval import Retrieval
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.study.spec.space import SearchSpace
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.strategy_fixtures import (
    ASK,
    CHOICE,
    KNOW,
    READ,
    READING,
    TASK,
    THOUGHT,
    WARM,
    candidates,
    space,
)


def fitted(group: Mapping[str, Any], model: ScriptedModel, task: Task = TASK) -> Predictor:
    made = space(group, task)
    made.check(model)
    (kind,) = made.kinds.values()
    found = kind.fit(candidates(made)[0], model)
    again = type(found).from_settings(found.settings(), model)
    assert again.settings() == found.settings()
    assert again.predict(task.dev).labels == found.predict(task.dev).labels
    return found


def adder(prompt: str, sample: int) -> str:
    words = prompt.rpartition("Q: ")[2].split()
    return f" {int(words[0]) + int(words[2])}"


def test_they_are_built_in() -> None:
    for name in ("chain", "chain_of_thought", "knowledge", "retrieval", "self_consistency"):
        assert find_kind(name).name == name


def test_chain_of_thought_dimensions_belong_to_their_mode() -> None:
    group = THOUGHT | {
        "mode": ["zero_shot", "manual", "auto"],
        "demonstrations": [{"fields": {"question": "1 and 1"}, "reasoning": "r", "answer": "2"}],
        "trigger": ["Let's think.", "Step by step:"],
        "extract": ["second", "reply"],
        "count": [2, 3],
        "by": ["tfidf"],
        "temperature": [0.0, 0.7],
    }
    made = space(group)
    names = [c.name for c in candidates(made)]
    assert len(names) == len(set(names))
    assert len(names) == (2 + 1 + 2 * 2) * 2 * 2
    assert "ask · chain of thought, manual · 1 worked" in names
    zero = "ask · chain of thought, zero-shot"
    assert f"{zero} · Step by step: · answer from the reply · temperature 0.7" in names
    assert "ask · chain of thought, automatic · Let's think. · 3 worked (seed 13)" in names


def test_chain_of_thought_is_fitted() -> None:
    model = ScriptedModel(adder)
    made = fitted(THOUGHT | {"decoding": WARM}, model)
    assert isinstance(made, ChainOfThought)
    assert made.predict(TASK.dev).labels == ["2", "3", "4"]
    assert (made.decoding.temperature, made.decoding.max_tokens) == (0.7, 32)
    auto = fitted(THOUGHT | {"mode": ["auto"], "count": [2]}, model)
    assert isinstance(auto, ChainOfThought)
    assert len(auto.demonstrations or []) == 2
    scored = THOUGHT | {
        "templates": ["{question} {mask}"],
        "verbalizers": [{"no": "no", "yes": "yes"}],
    }
    assert fitted(scored, ScriptedModel(lambda p, n: " hm"), CHOICE).predict(CHOICE.dev)[0].scores


def test_self_consistency_wraps() -> None:
    group = {
        "kind": "self_consistency",
        "inner": THOUGHT | {"temperature": [0.5, 1.0]},
        "samples": [3, 5],
        "vote": ["majority", "weighted", "semantic"],
        "adaptive": ["none", "beta"],
    }
    found = candidates(space(group))
    assert len(found) == 2 * 2 * (2 + 1 + 1)
    names = {c.name for c in found}
    zero = "ask · chain of thought, zero-shot"
    assert f"{zero} · temperature 0.5 · self-consistency of 3 · adaptive (beta)" in names
    assert (
        "ask · chain of thought, zero-shot · temperature 1 · self-consistency of 5 · weighted"
        in names
    )
    made = fitted(group | {"vote": ["majority"]}, ScriptedModel(adder))
    assert isinstance(made, SelfConsistency)
    assert isinstance(made.inner, ChainOfThought)
    assert made.predict(TASK.dev).labels == ["2", "3", "4"]


def test_retrieval_wraps() -> None:
    group = {
        "kind": "retrieval",
        "inner": {"kind": "demonstrations", "templates": [READ], "count": [1], "seed": [13]},
        "passages": "train",
        "k": [1, 2],
        "method": ["bm25"],
    }
    found = candidates(space(group))
    assert [c.name for c in found] == [
        "read · 1 demonstration (seed 13) · 1 retrieved training example (bm25)",
        "read · 1 demonstration (seed 13) · 2 retrieved training examples (bm25)",
    ]
    model = ScriptedModel(adder)
    made = fitted(group, model)
    assert isinstance(made, Retrieval)
    made.predict(TASK.dev[1:2])
    prompt = model.calls[-1][0][0]
    assert prompt.count("Answer:") == 2  # the demonstration's passage and the input's
    demonstration = made.inner.demonstrations[0]  # type: ignore[attr-defined]
    assert demonstration.fields["question"] not in demonstration.fields["context"]


def test_passages_from_a_file_are_part_of_the_candidate(tmp_path: Path) -> None:
    file = tmp_path / "facts.txt"
    file.write_text("pears are green\n1 and 2 are 3\n", encoding="utf-8")
    group: dict[str, Any] = {
        "kind": "retrieval",
        "inner": READING,
    }
    one = read_group(group | {"passages": "facts.txt"})
    one.set_location(Location(str(tmp_path / "study.yaml"), 3))
    first = candidates(SearchSpace([one], TASK))[0]
    listed = candidates(space(group | {"passages": ["pears are green", "1 and 2 are 3"]}))[0]
    assert first.key == listed.key
    file.write_text("pears are yellow\n", encoding="utf-8")
    assert candidates(SearchSpace([one], TASK))[0].key != first.key
    model = ScriptedModel(adder)
    made = fitted(group | {"passages": ["pears are green"]}, model)
    assert made.predict(TASK.dev[:1])[0].trace["passages"] == [0]


def test_knowledge_wraps() -> None:
    group = {
        "kind": "knowledge",
        "inner": {"kind": "template", "templates": [KNOW], "calibration": ["none", "batch"]},
        "templates": ["Tell of: {question} {mask}"],
        "demonstrations": [{"fields": {"question": "is 4 even"}, "knowledge": "4 is even."}],
        "count": [2, 3],
        "choose": ["confidence", "vote"],
        "bare": [True, False],
    }
    found = candidates(space(group, CHOICE))
    assert len(found) == 2 * 2 * 2 * 2
    assert found[0].name == "know · generated knowledge, 2 statements · by confidence"

    def rate(prompt: str, answer: str) -> float:
        return float(("EVEN" in prompt) == (answer == "yes"))

    model = ScriptedModel(lambda p, n: " EVEN" if "8" in p.split("\n\n")[-1] else " odd", rate)
    made = fitted(group, model, CHOICE)
    assert isinstance(made, GeneratedKnowledge)
    assert made.predict([*CHOICE.dev, *CHOICE.test]).labels == ["yes", "no"]
    batch = next(c for c in found if "batch" in c.name)
    model.calls.clear()
    space(group, CHOICE).kinds["knowledge"].fit(batch, model)
    assert [len(call) for call in model.calls] == [len(CHOICE.train)]


def test_chains() -> None:
    group = {
        "kind": "chain",
        "steps": [
            {"name": "facts", "templates": ["Facts of {question}: {mask}", "Q: {question} {mask}"]},
            {"name": "sum", "templates": [ASK | {"text": "Q: {facts} and {question} {mask}"}]},
        ],
        "chat": [False, True],
    }
    found = candidates(space(group))
    assert len(found) == 4
    assert found[-1].name.endswith("→ sum · chat") or found[0].name.endswith("→ sum")
    made = fitted(group, ScriptedModel(lambda p, n: " 3"))
    assert isinstance(made, Chain)
    assert made.predict(TASK.dev).labels == ["3", "3", "3"]
    labelled = {
        "kind": "chain",
        "steps": [
            {"name": "a", "templates": ["{question} {mask}"], "answers": {"no": "n", "yes": "y"}}
        ],
    }
    assert fitted(labelled, ScriptedModel(), CHOICE).predict(CHOICE.dev)[0].scores
